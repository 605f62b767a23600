"""How accurate top-k lists are: their hits, and each accuracy metric as a pure function over them.

They stand among the models because a training asks them, too, how good it is; `evaluation` collects them with all
other metrics. `hit_BK[b, k]` is 1 where slot k of query b holds a relevant item; `num_relevant_B` counts all its
relevant items, those outside the list included, and is ≥ 1. Each function takes the first K slots that it is given and
returns one value per query, in [0, 1]. Relevance is binary.
"""

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

from foretaste.arrays import BoolArray, DoubleArray, IntArray, LongArray
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import rows_of

Hits = npt.ArrayLike
Counts = npt.ArrayLike


@numba.njit(cache=True, nogil=True)
def _fill_hits(
    item_BK: IntArray, indptr: LongArray, indices: IntArray, is_relevant_I: BoolArray, hit_BK: DoubleArray
) -> None:  # pragma: no cover
    num_queries, depth = item_BK.shape
    for b in range(num_queries):
        for n in range(indptr[b], indptr[b + 1]):
            is_relevant_I[indices[n]] = True
        for k in range(depth):
            hit_BK[b, k] = item_BK[b, k] >= 0 and is_relevant_I[item_BK[b, k]]
        for n in range(indptr[b], indptr[b + 1]):
            is_relevant_I[indices[n]] = False


def hits(item_BK: IntArray, relevant_BI: sparse.csr_array) -> DoubleArray:
    """hit_BK: 1.0 where a slot holds a relevant item, 0.0 elsewhere and in empty slots.

    Args:
        item_BK: item indices, -1 in an empty slot.
        relevant_BI: the relevant items of each query.
    """
    # By columns: NumPy then adds up the slots of many queries at once.
    hit_BK = np.empty(item_BK.shape, dtype=np.float64, order="F")
    rows, is_relevant_I = rows_of(relevant_BI), np.zeros(relevant_BI.shape[1], dtype=bool)
    _fill_hits(read_only(np.ascontiguousarray(item_BK)), rows.indptr, rows.indices, is_relevant_I, hit_BK)
    return hit_BK


def recall(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:
    """The share of the relevant items that the list holds: hits / relevant."""
    return np.asarray(np.sum(hit_BK, axis=1) / np.asarray(num_relevant_B))


def precision(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:  # noqa: ARG001 - all metrics share one signature
    """The share of the list that is relevant: hits / K, empty slots counting as misses."""
    return np.asarray(np.sum(hit_BK, axis=1) / np.shape(hit_BK)[1])


def hit_rate(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:  # noqa: ARG001
    """1 where the list holds any relevant item."""
    return np.asarray(np.any(hit_BK, axis=1), dtype=np.float64)


def mrr(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:  # noqa: ARG001
    """1 / the rank of the first relevant item; 0 without one in the list."""
    rank_K = np.arange(1, np.shape(hit_BK)[1] + 1)
    return np.asarray(np.max(np.asarray(hit_BK) / rank_K, axis=1))


def average_precision(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:
    """The precision at each hit, summed, over min(K, relevant); its mean over users is MAP."""
    hit_BK = np.asarray(hit_BK, dtype=np.float64)
    num_hits_B, total_B = np.zeros(len(hit_BK)), np.zeros(len(hit_BK))
    for rank, hit_B in enumerate(hit_BK.T, start=1):
        num_hits_B += hit_B
        total_B += hit_B * num_hits_B / rank
    return total_B / np.minimum(num_relevant_B, hit_BK.shape[1])


def ndcg(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:
    """Discounted cumulative gain, Σ hit / log2(rank + 1), over that of the best list of K slots.

    Järvelin & Kekäläinen 2002 with binary gain; the best list holds min(K, relevant) hits.
    """
    depth = np.shape(hit_BK)[1]
    discount_K = 1 / np.log2(np.arange(2, depth + 2))
    ideal_K = np.cumsum(discount_K)
    gain_B = np.asarray(hit_BK, dtype=np.float64) @ discount_K
    return np.asarray(gain_B / ideal_K[np.minimum(num_relevant_B, depth) - 1])
