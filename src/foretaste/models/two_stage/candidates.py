"""Which items are ranked: what any of the retrievers puts among its best.

The order among them does not matter yet, so that each retriever's best are gathered in a heap whose root is the worst.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from foretaste.arrays import BoolArray, FloatArray, IntArray, LongArray
from foretaste.models.protocol import Query, Recommender
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of

_ROWS = 8
"""Queries that one thread looks at with one array of what is met."""


class Candidates(NamedTuple):
    """Row b proposes `item_N[indptr_B[b]:indptr_B[b + 1]]`, in ascending order, each item once."""

    indptr_B: LongArray
    item_N: IntArray


@numba.njit(cache=True, nogil=True)
def _sift(item_C: IntArray, score_C: FloatArray, place: int, held: int) -> None:  # pragma: no cover
    """Let the entry at `place` sink until none below it is worse: of lower score, or of equal score and later."""
    item, score = item_C[place], score_C[place]
    while 2 * place + 1 < held:
        below = 2 * place + 1
        if below + 1 < held and (
            score_C[below + 1] < score_C[below]
            or (score_C[below + 1] == score_C[below] and item_C[below + 1] > item_C[below])
        ):
            below += 1
        if score_C[below] > score or (score_C[below] == score and item_C[below] < item):
            break
        item_C[place], score_C[place] = item_C[below], score_C[below]
        place = below
    item_C[place], score_C[place] = item, score


@numba.njit(cache=True, nogil=True)
def _gather(scores_I: FloatArray, met_I: BoolArray, item_C: IntArray, score_C: FloatArray) -> int:  # pragma: no cover
    """Fill item_C with the best items that are not met; of equal ones the lower. Returns how many there are."""
    depth, held = len(item_C), 0
    for item in range(len(scores_I)):
        if held == depth and not scores_I[item] > score_C[0]:
            continue
        if met_I[item]:
            continue
        if held < depth:
            item_C[held], score_C[held] = item, scores_I[item]
            held += 1
            if held == depth:
                for place in range(depth // 2 - 1, -1, -1):
                    _sift(item_C, score_C, place, depth)
        else:
            item_C[0], score_C[0] = item, scores_I[item]
            _sift(item_C, score_C, 0, depth)
    return held


@numba.njit(cache=True, nogil=True)
def _propose_rows(
    start: int, stop: int, scores_RBI: FloatArray, history: Rows, depth: int, united_BC: IntArray, size_B: LongArray
) -> None:  # pragma: no cover
    num_retrievers, _, num_items = scores_RBI.shape
    met_I = np.zeros(num_items, dtype=np.bool_)
    score_C = np.empty(depth, dtype=np.float32)
    for b in range(start, stop):
        met_H = history.indices[history.indptr[b] : history.indptr[b + 1]]
        for item in met_H:
            met_I[item] = True
        proposed_C, held = united_BC[b], 0
        for r in range(num_retrievers):
            held += _gather(scores_RBI[r, b], met_I, proposed_C[held : held + depth], score_C)
        for item in met_H:
            met_I[item] = False
        proposed_C[:held].sort()
        size = 0
        for c in range(held):
            if c == 0 or proposed_C[c] != proposed_C[size - 1]:
                proposed_C[size] = proposed_C[c]
                size += 1
        size_B[b] = size


@numba.njit(cache=True, parallel=True)
def _propose_parallel(
    scores_RBI: FloatArray, history: Rows, depth: int, united_BC: IntArray, size_B: LongArray
) -> None:  # pragma: no cover
    num_queries = len(size_B)
    for group in numba.prange((num_queries + _ROWS - 1) // _ROWS):
        start = group * _ROWS
        _propose_rows(start, min(start + _ROWS, num_queries), scores_RBI, history, depth, united_BC, size_B)


def propose(models: Sequence[Recommender], query: Query, depth: int) -> tuple[Candidates, FloatArray]:
    """The candidates of each query, and scores_RBI of every model for all items.

    Args:
        models: R fitted ones.
        query: B users; what is in their histories is not proposed.
        depth: items that each model proposes.
    """
    scores_RBI = read_only(np.stack([model.score(query) for model in models]))
    num_retrievers, num_queries, num_items = scores_RBI.shape
    depth = min(depth, num_items)
    united_BC = np.empty((num_queries, num_retrievers * depth), dtype=np.int32)
    size_B = np.empty(num_queries, dtype=np.int64)
    history = rows_of(query.history_BI)
    # A single query stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    if num_queries == 1:
        _propose_rows(0, 1, scores_RBI, history, depth, united_BC, size_B)
        indptr_B = np.array([0, size_B[0]])
        return Candidates(indptr_B, united_BC[0, : size_B[0]]), scores_RBI
    _propose_parallel(scores_RBI, history, depth, united_BC, size_B)
    is_filled_BC = np.arange(united_BC.shape[1]) < size_B[:, None]
    return Candidates(np.concatenate([[0], np.cumsum(size_B)]), united_BC[is_filled_BC]), scores_RBI
