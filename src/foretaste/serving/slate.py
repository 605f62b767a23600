"""From scores to the items of an answer: exclude, restrict, rank, and fill up to k."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, BoolArray, FloatArray, IntArray
from foretaste.models.topk import rank


class Slate(NamedTuple):
    """The items of one answer, best first; as many as were eligible, at most k."""

    item_K: IntArray
    score_K: FloatArray
    num_scored: int
    """The items from here on had no score and were filled in by popularity; their scores are counts of events."""


def best_items(
    scores_1I: FloatArray,
    popularity_I: FloatArray,
    k: int,
    *,
    exclude_1I: sparse.csr_array | None = None,
    eligible_I: BoolArray | None = None,
) -> Slate:
    """The best k eligible items; where fewer have a score, the most popular of the others follow.

    Among equal scores the more popular come first. This matters with models that give most items the same: an item
    that no neighbour speaks for has score 0 in item-item models, and under a filter such items may be all there is.

    Args:
        scores_1I: float32; an item without a score has -inf.
        popularity_I: float32.
        k: slots, ≥ 1 and at most I.
        exclude_1I: items that must not come.
        eligible_I: True for the items that may come; None for all.
    """
    scored = _drop_empty(*_ranked(scores_1I, k, exclude_1I, eligible_I))
    item_K, score_K = _more_popular_first(scored, scores_1I, popularity_I, exclude_1I, eligible_I)
    num_scored = len(item_K)
    if num_scored < k:
        left_I = np.ones(len(popularity_I), dtype=bool) if eligible_I is None else eligible_I.copy()
        left_I[item_K] = False
        filled = _drop_empty(*_ranked(popularity_I[None, :], k - num_scored, exclude_1I, left_I))
        item_K, score_K = np.concatenate([item_K, filled[0]]), np.concatenate([score_K, filled[1]])
    return Slate(item_K, score_K, num_scored)


def _more_popular_first(
    ranked: tuple[IntArray, FloatArray],
    scores_1I: FloatArray,
    popularity_I: FloatArray,
    exclude_1I: sparse.csr_array | None,
    eligible_I: BoolArray | None,
) -> tuple[IntArray, FloatArray]:
    item_K, score_K = ranked
    if len(item_K) == 0:
        return ranked
    is_last_K = score_K == score_K[-1]
    tied_I = scores_1I[0] == score_K[-1]
    num_last = int(np.count_nonzero(is_last_K))
    if np.count_nonzero(tied_I) > num_last:
        tied_I = tied_I if eligible_I is None else tied_I & eligible_I
        item_K[is_last_K], _ = _ranked(popularity_I[None, :], num_last, exclude_1I, tied_I)
    order_K = np.lexsort((item_K, -popularity_I[item_K], -score_K))
    return item_K[order_K], score_K[order_K]


def _ranked(
    scores_1I: FloatArray, k: int, exclude_1I: sparse.csr_array | None, eligible_I: BoolArray | None
) -> tuple[IntArray, FloatArray]:
    top = rank(scores_1I, k, exclude_BI=exclude_1I, eligible_I=eligible_I)
    return top.item_BK[0], top.score_BK[0]


def _drop_empty(item_K: IntArray, score_K: FloatArray) -> tuple[IntArray, FloatArray]:
    is_filled_K = item_K != EMPTY_SLOT
    return item_K[is_filled_K], score_K[is_filled_K]
