"""Against which items a user's relevant ones are ranked, where it is not against all of them."""

from collections.abc import Callable

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, IntArray, LongArray
from foretaste.data.interactions import Interactions
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of

Candidates = Callable[[IntArray, sparse.csr_array, sparse.csr_array | None], sparse.csr_array]
"""(user_B, relevant_BI, exclude_BI) → candidate_BI: the relevant items and their rivals, indices sorted."""

_REDRAWS = 20
"""Draws a rival, on average, before the rest of a user's rivals are drawn from what is left."""


def given_candidates(negatives: Interactions) -> Candidates:
    """The pairs of `negatives`. One that is relevant itself (156 users of the NCF split) is one candidate, not two."""
    negative_UI = negatives.to_csr()

    def of(user_B: IntArray, relevant_BI: sparse.csr_array, exclude_BI: sparse.csr_array | None) -> sparse.csr_array:  # noqa: ARG001 - what is given is not thinned out
        return _union(negative_UI[user_B], relevant_BI)

    return of


def sampled_candidates(weight_I: LongArray | DoubleArray, num_samples: int, seed: int) -> Candidates:
    """Rivals drawn without replacement in proportion to `weight_I`, never a relevant or an excluded item.

    A user who has no more such items with a weight than `num_samples` gets all of them. Users are drawn for in the
    order in which they are asked for, from one stream, so that every model meets the same rivals.

    Args:
        weight_I: ≥ 0; an item of weight 0 is never drawn.
        num_samples: rivals a user, ≥ 1.
        seed: equal seeds give equal rivals.
    """
    rng = np.random.default_rng(seed)
    weight = read_only(weight_I.astype(np.float64))
    cumulative = read_only(np.cumsum(weight))

    def of(user_B: IntArray, relevant_BI: sparse.csr_array, exclude_BI: sparse.csr_array | None) -> sparse.csr_array:
        barred = relevant_BI if exclude_BI is None else _union(relevant_BI, exclude_BI)
        item_BS = np.full((len(user_B), num_samples), -1, dtype=np.int32)
        _draw(weight, cumulative, rows_of(barred), item_BS, rng, _REDRAWS)
        is_drawn_BS = item_BS >= 0
        rows = np.repeat(np.arange(len(user_B)), is_drawn_BS.sum(axis=1))
        drawn = sparse.coo_array(
            (np.ones(len(rows), dtype=np.float32), (rows, item_BS[is_drawn_BS])), shape=relevant_BI.shape
        )
        return _union(drawn.tocsr(), relevant_BI)

    return of


@numba.njit(cache=True, nogil=True)
def _draw(
    weight_I: DoubleArray,
    cumulative_I: DoubleArray,
    barred: Rows,
    item_BS: IntArray,
    rng: np.random.Generator,
    redraws: int,
) -> None:  # pragma: no cover
    """An item that is barred or drawn already is drawn again, which keeps the proportions of the others."""
    num_items = len(weight_I)
    taken_by_I = np.full(num_items, -1, dtype=np.int64)
    num_weighted = 0
    for item in range(num_items):
        num_weighted += weight_I[item] > 0.0
    for b in range(len(item_BS)):
        left = num_weighted
        for n in range(barred.indptr[b], barred.indptr[b + 1]):
            item = barred.indices[n]
            taken_by_I[item] = b
            left -= weight_I[item] > 0.0
        wanted = min(item_BS.shape[1], left)
        drawn, tries = 0, 0
        while drawn < wanted and wanted < left and tries < redraws * wanted:
            item = np.searchsorted(cumulative_I, rng.random() * cumulative_I[num_items - 1], side="right")
            item = min(item, num_items - 1)
            tries += 1
            if taken_by_I[item] != b and weight_I[item] > 0.0:
                taken_by_I[item] = b
                item_BS[b, drawn] = item
                drawn += 1
        if drawn < wanted:
            # The first of exponential times with rates `weight` are such a draw (Efraimidis & Spirakis 2006).
            time_I = np.full(num_items, np.inf)
            for item in range(num_items):
                if taken_by_I[item] != b and weight_I[item] > 0.0:
                    time_I[item] = rng.standard_exponential() / weight_I[item]
            rest = np.argsort(time_I)[: wanted - drawn]
            for place in range(len(rest)):
                item_BS[b, drawn + place] = rest[place]


def _union(first_BI: sparse.csr_array, second_BI: sparse.csr_array) -> sparse.csr_array:
    """1.0 where either matrix stores an entry, indices sorted."""
    union = sum(
        sparse.csr_array((np.ones(each.nnz, dtype=np.float32), each.indices, each.indptr), shape=each.shape)
        for each in (first_BI, second_BI)
    )
    union.sort_indices()
    return union
