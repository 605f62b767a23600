"""Which items are ranked: what any of the retrievers puts among its best."""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from foretaste.arrays import EMPTY_SLOT, FloatArray, IntArray, LongArray
from foretaste.models.protocol import Query, Recommender
from foretaste.models.topk import rank


class Candidates(NamedTuple):
    """Row b proposes `item_N[indptr_B[b]:indptr_B[b + 1]]`, in ascending order, each item once."""

    indptr_B: LongArray
    item_N: IntArray


@numba.njit(cache=True, nogil=True)
def _unite(proposed_RBK: IntArray, united_BC: IntArray) -> None:  # pragma: no cover
    num_retrievers, num_queries, depth = proposed_RBK.shape
    for b in range(num_queries):
        proposed_C = np.empty(num_retrievers * depth, dtype=np.int32)
        for r in range(num_retrievers):
            proposed_C[r * depth : (r + 1) * depth] = proposed_RBK[r, b]
        proposed_C.sort()
        held, last = 0, EMPTY_SLOT
        for item in proposed_C:
            if item != last:
                united_BC[b, held] = item
                held, last = held + 1, item
        united_BC[b, held:] = EMPTY_SLOT


def unite(proposed_RBK: IntArray) -> Candidates:
    """The items of each row that at least one of R lists names; empty slots, which hold -1, are left out."""
    num_retrievers, num_queries, depth = proposed_RBK.shape
    united_BC = np.empty((num_queries, num_retrievers * depth), dtype=np.int32)
    _unite(proposed_RBK, united_BC)
    is_filled_BC = united_BC != EMPTY_SLOT
    indptr_B = np.concatenate([[0], np.cumsum(is_filled_BC.sum(axis=1))])
    return Candidates(indptr_B.astype(np.int64), united_BC[is_filled_BC])


def propose(models: Sequence[Recommender], query: Query, depth: int) -> tuple[Candidates, FloatArray]:
    """The candidates of each query, and scores_RBI of every model for all items.

    Args:
        models: R fitted ones.
        query: B users; what is in their histories is not proposed.
        depth: items that each model proposes.
    """
    scores_RBI = np.stack([model.score(query) for model in models])
    depth = min(depth, scores_RBI.shape[2])
    proposed_RBK = np.stack([rank(scores_BI, depth, exclude_BI=query.history_BI).item_BK for scores_BI in scores_RBI])
    return unite(proposed_RBK), scores_RBI
