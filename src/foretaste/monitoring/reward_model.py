"""What reward an item may expect in a slot: a small model, for the doubly robust estimate."""

import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, IntArray, LongArray

_PRIOR_ROWS = 20.0
"""Rows of the mean that every item begins with."""
_FOLDS = 2


def cross_fitted_rewards(
    item_N: IntArray, slot_N: IntArray, reward_N: DoubleArray, cluster_N: LongArray, target_NI: sparse.csr_array
) -> tuple[DoubleArray, DoubleArray]:
    """The modelled reward of each row's own item, and of what the target would have shown there.

    The model is the mean reward of the item, shrunk to the mean of all, times the factor of the slot. A row is judged
    by a model of the other clusters, so that its own reward does not come back to it (Chernozhukov et al. 2018).

    Args:
        item_N: index of the item served.
        slot_N: place in the slate, from 0 on.
        reward_N: at least 0.
        cluster_N: what is kept together.
        target_NI: probabilities of the items under the target.
    """
    own_N, target_N = np.zeros(len(item_N)), np.zeros(len(item_N))
    for fold in range(_FOLDS):
        inside_N = cluster_N % _FOLDS == fold
        reward_I, factor_S = _fitted(item_N[~inside_N], slot_N[~inside_N], reward_N[~inside_N], target_NI.shape[1])
        factor_N = factor_S[np.minimum(slot_N[inside_N], len(factor_S) - 1)]
        own_N[inside_N] = reward_I[item_N[inside_N]] * factor_N
        target_N[inside_N] = (target_NI[inside_N] @ reward_I) * factor_N
    return own_N, target_N


def _fitted(
    item_M: IntArray, slot_M: IntArray, reward_M: DoubleArray, num_items: int
) -> tuple[DoubleArray, DoubleArray]:
    """(reward_I, factor_S): shrunken means of the items, and how the slots do against the mean."""
    mean = float(reward_M.mean()) if len(reward_M) else 0.0
    rows_I = np.bincount(item_M, minlength=num_items)
    sum_I = np.bincount(item_M, weights=reward_M, minlength=num_items)
    reward_I = (sum_I + _PRIOR_ROWS * mean) / (rows_I + _PRIOR_ROWS)
    if mean == 0.0:
        return reward_I, np.ones(1)
    rows_S, sum_S = np.bincount(slot_M), np.bincount(slot_M, weights=reward_M)
    return reward_I, (sum_S / mean + _PRIOR_ROWS) / (rows_S + _PRIOR_ROWS)
