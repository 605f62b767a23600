"""What top-k lists are like beside being right: new, surprising, spread over the catalogue; `genres.py` has the rest.

Those with a value per query judge the first K slots for each K of `cutoffs` in one pass: these ascend, and no list is
shorter. They return value_XB, a row for each cut-off, NaN where it is not defined. The others give one figure for all
lists. Empty slots (-1) hold no item.
"""

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, DoubleArray, IntArray, LongArray
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of


def novelty(item_BK: IntArray, cutoffs: Sequence[int], num_users_I: LongArray, num_users: int) -> DoubleArray:
    """How little known the items of a list are: their mean self-information, in bits.

    −log2(users who met the item / users), averaged over the filled slots (Zhou et al. 2010; Vargas & Castells 2011).
    An item that nobody has met counts as met by one. Users are those with a history. Not defined for an empty list.

    Args:
        item_BK: the lists.
        cutoffs: the lengths that are judged.
        num_users_I: users who have met each item.
        num_users: users who have met any.
    """
    return _means_over_slots(-np.log2(np.maximum(num_users_I, 1) / max(num_users, 1)), item_BK, cutoffs)


def popularity_lift(
    item_BK: IntArray, cutoffs: Sequence[int], history_BI: sparse.csr_array, num_users_I: LongArray
) -> DoubleArray:
    """How much more popular the items of a list are than those that the user chose: their ratio, less 1.

    Mean popularity of the filled slots over mean popularity of the user's history, minus 1 (Abdollahpouri et al. 2020,
    there over groups of users); popularity is the number of users who have met the item. 0: as popular as the history.
    Not defined for an empty list or history.

    Args:
        item_BK: the lists.
        cutoffs: the lengths that are judged.
        history_BI: what each user has met.
        num_users_I: users who have met each item.
    """
    popularity_I = num_users_I.astype(np.float64)
    chosen_B = np.empty(len(item_BK), dtype=np.float64)
    _fill_means_of_rows(read_only(popularity_I), rows_of(history_BI), chosen_B)
    return np.asarray(_means_over_slots(popularity_I, item_BK, cutoffs) / chosen_B - 1)


@numba.njit(cache=True, nogil=True)
def _fill_means_of_rows(value_I: DoubleArray, rows: Rows, mean_B: DoubleArray) -> None:  # pragma: no cover
    for b in range(len(mean_B)):
        start, stop = rows.indptr[b], rows.indptr[b + 1]
        total = 0.0
        for n in range(start, stop):
            total += value_I[rows.indices[n]]
        mean_B[b] = total / (stop - start) if stop > start else np.nan


@numba.njit(cache=True, nogil=True)
def _fill_means(
    value_I: DoubleArray, item_BK: IntArray, cutoff_X: LongArray, mean_XB: DoubleArray
) -> None:  # pragma: no cover
    for b in range(len(item_BK)):
        total, filled, start = 0.0, 0, 0
        for x, cutoff in enumerate(cutoff_X):
            for item in item_BK[b, start:cutoff]:
                if item >= 0:
                    total += value_I[item]
                    filled += 1
            mean_XB[x, b] = total / filled if filled else np.nan
            start = cutoff


def _means_over_slots(value_I: DoubleArray, item_BK: IntArray, cutoffs: Sequence[int]) -> DoubleArray:
    """The mean of the values of the filled slots; NaN without any."""
    mean_XB = np.empty((len(cutoffs), len(item_BK)), dtype=np.float64)
    _fill_means(
        read_only(value_I), read_only(np.ascontiguousarray(item_BK)), np.array(cutoffs, dtype=np.int64), mean_XB
    )
    return mean_XB


def popularity_rank(num_users_I: LongArray) -> IntArray:
    """rank_I: 0 for the most popular item; of equals the lower index first."""
    rank_I = np.empty(len(num_users_I), dtype=np.int32)
    rank_I[np.argsort(-num_users_I, kind="stable")] = np.arange(len(num_users_I), dtype=np.int32)
    return rank_I


@numba.njit(cache=True, nogil=True)
def _fill_unexpected(
    item_BK: IntArray,
    hit_BK: DoubleArray,
    rank_I: IntArray,
    exclude: Rows,
    candidates: Rows,
    ranks_all: bool,
    cutoff_X: LongArray,
    share_XB: DoubleArray,
) -> None:  # pragma: no cover
    shortest, longest = cutoff_X[0], cutoff_X[-1]
    share_XB[:] = 0.0
    for b in range(len(item_BK)):
        seen = exclude.indices[exclude.indptr[b] : exclude.indptr[b + 1]]
        ranked = candidates.indices[candidates.indptr[b] : candidates.indptr[b + 1]]
        for k in range(longest):
            if hit_BK[b, k] == 0.0:
                continue
            own = rank_I[item_BK[b, k]]
            if own < shortest:
                continue  # whatever is left out, the popular list of as many slots has it
            before = own if ranks_all else 0
            if not ranks_all:
                for item in ranked:
                    before += rank_I[item] < own
            elif own - len(seen) < longest:
                for item in seen:
                    before -= rank_I[item] < own
            for x, cutoff in enumerate(cutoff_X):
                share_XB[x, b] += k < cutoff <= before
    for x, cutoff in enumerate(cutoff_X):
        share_XB[x] /= cutoff


def serendipity(
    item_BK: IntArray,
    cutoffs: Sequence[int],
    hit_BK: DoubleArray,
    rank_I: IntArray,
    exclude_BI: sparse.csr_array | None = None,
    candidate_BI: sparse.csr_array | None = None,
) -> DoubleArray:
    """The share of the list that is relevant and that the popular list would not have shown.

    Hits that are not among the K most popular items which the user may get (the same exclusions and candidates, equal
    popularity by item index), over K (after Murakami et al. 2008 and Ge et al. 2010, the popular list as the primitive
    model). Popularity itself has 0.

    Args:
        item_BK: the lists.
        cutoffs: the lengths that are judged.
        hit_BK: 1 where a slot holds a relevant item.
        rank_I: from `popularity_rank`.
        exclude_BI: items that a user may not get, with every item ranked.
        candidate_BI: the only items that a user may get, those of `exclude_BI` left out; None for all.
    """
    nothing = sparse.csr_array((len(item_BK), len(rank_I)), dtype=np.float32)
    share_XB = np.empty((len(cutoffs), len(item_BK)), dtype=np.float64)
    _fill_unexpected(
        read_only(np.ascontiguousarray(item_BK)),
        read_only(np.asfortranarray(hit_BK, dtype=np.float64)),
        read_only(rank_I),
        rows_of(nothing if exclude_BI is None else exclude_BI),
        rows_of(nothing if candidate_BI is None else candidate_BI),
        candidate_BI is None,
        np.array(cutoffs, dtype=np.int64),
        share_XB,
    )
    return share_XB


def coverage(item_BK: IntArray, num_items: int) -> float:
    """The share of the catalogue's items that stand in any user's list.

    Args:
        item_BK: the lists of all users.
        num_items: items of the catalogue, those without events included.
    """
    return float(np.count_nonzero(_times_shown(item_BK, num_items)) / num_items)


def gini(item_BK: IntArray, num_items: int) -> float:
    """How unequally the lists show the items of the catalogue: the Gini index of how often each one is shown.

    Over all items of the catalogue, those never shown included. 0: each equally often; near 1: all lists show the same
    few. 0 where nothing is shown.

    Args:
        item_BK: the lists of all users.
        num_items: items of the catalogue, those without events included.
    """
    return gini_index(_times_shown(item_BK, num_items))


def gini_index(counts_I: npt.ArrayLike) -> float:
    """Gini index of n counts: Σ_j (2j − n − 1) x_j / (n Σ x), x ascending; 0 where they sum to 0."""
    ascending_I = np.sort(np.asarray(counts_I, dtype=np.float64))
    num_counts, total = len(ascending_I), ascending_I.sum()
    return (
        float((2 * np.arange(1, num_counts + 1) - num_counts - 1) @ ascending_I / (num_counts * total))
        if total
        else 0.0
    )


def _times_shown(item_BK: IntArray, num_items: int) -> LongArray:
    return np.bincount(item_BK[item_BK != EMPTY_SLOT], minlength=num_items)
