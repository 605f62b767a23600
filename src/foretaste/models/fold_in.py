"""Vectors for users the training never saw, from their history and fixed item vectors.

The training of ALS ends with the same function, so a stored vector is the fold-in of the history it was trained on, to
the bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.models.least_squares import solve_rows
from foretaste.models.protocol import Query

_TOLERANCE = 1e-5
_MAX_STEPS = 100


@dataclass(frozen=True)
class Objective:
    """What a vector x of a row with events S among N fixed vectors y minimises (Rendle et al. 2022):

    Σ_S w (1 − x·y)² + α₀ Σ_N (x·y)² + λ (|S| + α₀ N)^ν |x|²
    """

    unobserved_weight: float
    """α₀."""
    regularization: float
    """λ."""
    regularization_exponent: float
    """ν: the larger, the harder a row with more events is pulled to zero."""

    def ridges(self, events_BN: sparse.csr_array) -> FloatArray:
        """ridge_B: the factor of |x|² of each row."""
        size_B = np.diff(events_BN.indptr) + self.unobserved_weight * events_BN.shape[1]
        return np.asarray(self.regularization * size_B**self.regularization_exponent, dtype=np.float32)


def solve_users(
    history_BI: sparse.csr_array, item_embeddings_ID: FloatArray, energy_D: FloatArray, objective: Objective
) -> FloatArray:
    """vectors_BD: the vector of each history, zero where it is empty.

    A row depends on nothing but its own history: the same history gives the same vector, to the bit, in any batch.

    Args:
        history_BI: weights of the items of each user.
        item_embeddings_ID: float32, in their principal axes.
        energy_D: Σ_i y_id² of each axis.
        objective: what to minimise.
    """
    vectors_BD = np.zeros((history_BI.shape[0], item_embeddings_ID.shape[1]), dtype=np.float32)
    solve_rows(
        history_BI,
        item_embeddings_ID,
        objective.unobserved_weight * energy_D,
        objective.ridges(history_BI),
        vectors_BD,
        steps=_MAX_STEPS,
        tolerance=_TOLERANCE,
    )
    return vectors_BD


def stored_or_folded_in(
    query: Query, user_embeddings_UD: FloatArray, fold_in: Callable[[sparse.csr_array], FloatArray]
) -> FloatArray:
    """vectors_BD: the stored vector of a known user, the folded-in one of a user known by history alone."""
    is_unknown_B = query.user_B < 0
    vectors_BD = np.zeros((len(query), user_embeddings_UD.shape[1]), dtype=np.float32)
    vectors_BD[~is_unknown_B] = user_embeddings_UD[query.user_B[~is_unknown_B]]
    if is_unknown_B.any():
        vectors_BD[is_unknown_B] = fold_in(query.history_BI[is_unknown_B])
    return vectors_BD
