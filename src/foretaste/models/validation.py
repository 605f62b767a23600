"""How good a model is while it still learns: NDCG and recall at 10 of held-out events, by full ranking.

A small part of the evaluation, which stands above the models and cannot be asked by them: binary relevance, items of the
training left out, ties against the model.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, DoubleArray, FloatArray, IntArray
from foretaste.models.topk import rank

CUTOFF = 10
METRICS = (f"ndcg@{CUTOFF}", f"recall@{CUTOFF}")
_SCORES_BYTES = 64 * 2**20
"""Memory for the scores of a block of users."""


def validation_values(
    score: Callable[[IntArray], FloatArray],
    history_UI: sparse.csr_array,
    held_out_UI: sparse.csr_array,
    user_B: IntArray,
) -> DoubleArray:
    """values_BM: one column for each of `METRICS`.

    Args:
        score: user_B → scores_BI.
        history_UI: what the users have met, which is not ranked.
        held_out_UI: what should come first.
        user_B: users with held-out events.
    """
    size = max(16, _SCORES_BYTES // (4 * history_UI.shape[1]))
    blocks = [user_B[start : start + size] for start in range(0, len(user_B), size)]
    values = [_values(score(block_B), history_UI[block_B], held_out_UI[block_B]) for block_B in blocks]
    return np.concatenate([np.zeros((0, len(METRICS))), *values])


def _values(scores_BI: FloatArray, history_BI: sparse.csr_array, held_out_BI: sparse.csr_array) -> DoubleArray:
    item_BK = rank(scores_BI, CUTOFF, exclude_BI=history_BI, disfavour_BI=held_out_BI).item_BK
    is_held_out_BI = held_out_BI.toarray() > 0
    hit_BK = np.take_along_axis(is_held_out_BI, np.maximum(item_BK, 0), axis=1) & (item_BK != EMPTY_SLOT)
    gain_K = 1 / np.log2(np.arange(CUTOFF) + 2)
    num_relevant_B = is_held_out_BI.sum(axis=1)
    ideal_B = np.cumsum(gain_K)[np.minimum(num_relevant_B, CUTOFF) - 1]
    return np.column_stack([hit_BK @ gain_K / ideal_B, hit_BK.sum(axis=1) / num_relevant_B])
