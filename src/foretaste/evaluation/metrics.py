"""The accuracy metrics, each a pure function over the hits of top-k lists.

`hit_BK[b, k]` is 1 where slot k of query b holds a relevant item; `num_relevant_B` counts all its relevant items,
those outside the list included, and is ≥ 1. Each function takes the first K slots that it is given and returns one
value per query, in [0, 1]. Relevance is binary.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from foretaste.arrays import DoubleArray

Hits = npt.ArrayLike
Counts = npt.ArrayLike
Metric = Callable[[Hits, Counts], DoubleArray]


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
    depth = hit_BK.shape[1]
    precision_BK = np.cumsum(hit_BK, axis=1) / np.arange(1, depth + 1)
    return np.asarray((precision_BK * hit_BK).sum(axis=1) / np.minimum(num_relevant_B, depth))


def ndcg(hit_BK: Hits, num_relevant_B: Counts) -> DoubleArray:
    """Discounted cumulative gain, Σ hit / log2(rank + 1), over that of the best list of K slots.

    Järvelin & Kekäläinen 2002 with binary gain; the best list holds min(K, relevant) hits.
    """
    depth = np.shape(hit_BK)[1]
    discount_K = 1 / np.log2(np.arange(2, depth + 2))
    ideal_K = np.cumsum(discount_K)
    gain_B = np.asarray(hit_BK, dtype=np.float64) @ discount_K
    return np.asarray(gain_B / ideal_K[np.minimum(num_relevant_B, depth) - 1])


METRICS: dict[str, Metric] = {
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "map": average_precision,
    "mrr": mrr,
    "hit_rate": hit_rate,
}
"""Name, as in `ndcg@10`, → function."""
