"""From scores to the best items: restrict, rank, and fill up to k."""

from typing import NamedTuple

import numpy as np

from foretaste.arrays import EMPTY_SLOT, BoolArray, FloatArray, IntArray
from foretaste.models.topk import rank


class Slate(NamedTuple):
    """The best items, best first; as many as were eligible, at most k."""

    item_K: IntArray
    score_K: FloatArray
    num_scored: int
    """The items from here on had no score and were filled in by popularity; their scores are counts of events."""


def best_items(scores_I: FloatArray, popularity_I: FloatArray, k: int, *, eligible_I: BoolArray | None = None) -> Slate:
    """The best k eligible items; where fewer have a score, the most popular of the others follow.

    Among equal scores the more popular come first. This matters with models that give most items the same: an item
    that no neighbour speaks for has score 0 in item-item models, and under a filter such items may be all there is.

    Args:
        scores_I: float32; an item without a score has -inf.
        popularity_I: float32.
        k: slots, ≥ 1 and at most I.
        eligible_I: True for the items that may come; None for all.
    """
    scored = _ranked(scores_I, k, eligible_I)
    item_K, score_K = _more_popular_first(scored, scores_I, popularity_I, eligible_I)
    num_scored = len(item_K)
    if num_scored < k:
        left_I = np.ones(len(popularity_I), dtype=bool) if eligible_I is None else eligible_I.copy()
        left_I[item_K] = False
        filled = _ranked(popularity_I, k - num_scored, left_I)
        item_K, score_K = np.concatenate([item_K, filled[0]]), np.concatenate([score_K, filled[1]])
    return Slate(item_K, score_K, num_scored)


def by_merit(item_K: IntArray, score_K: FloatArray, popularity_I: FloatArray) -> tuple[IntArray, FloatArray]:
    """Items in the order of answers: by score, then by popularity, then by index."""
    order_K = np.lexsort((item_K, -popularity_I[item_K], -score_K))
    return item_K[order_K], score_K[order_K]


def _more_popular_first(
    ranked: tuple[IntArray, FloatArray], scores_I: FloatArray, popularity_I: FloatArray, eligible_I: BoolArray | None
) -> tuple[IntArray, FloatArray]:
    item_K, score_K = ranked
    if len(item_K) == 0:
        return ranked
    is_last_K = score_K == score_K[-1]
    tied_I = scores_I == score_K[-1]
    num_last = int(np.count_nonzero(is_last_K))
    if np.count_nonzero(tied_I) > num_last:
        tied_I = tied_I if eligible_I is None else tied_I & eligible_I
        item_K[is_last_K], _ = _ranked(popularity_I, num_last, tied_I)
    return by_merit(item_K, score_K, popularity_I)


def _ranked(scores_I: FloatArray, k: int, eligible_I: BoolArray | None) -> tuple[IntArray, FloatArray]:
    top = rank(scores_I[None, :], k, eligible_I=eligible_I)
    is_filled_K = top.item_BK[0] != EMPTY_SLOT
    return top.item_BK[0][is_filled_K], top.score_BK[0][is_filled_K]
