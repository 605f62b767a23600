"""Vectors for users the training never saw, from their history and fixed item vectors.

The training of ALS ends with the same function, so a stored vector is the fold-in of the history it was trained on, to
the bit.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.models.least_squares import solve_rows
from foretaste.models.protocol import Query

_TOLERANCE = 1e-5
_MAX_STEPS = 100


def ridges(events_BN: sparse.csr_array, regularization: float, exponent: float, unobserved_weight: float) -> FloatArray:
    """ridge_B = λ (|S_b| + α₀ N)^ν: a row with more events is pulled harder to zero (Rendle et al. 2021)."""
    count_B = np.diff(events_BN.indptr)
    scale_B = (count_B + unobserved_weight * events_BN.shape[1]) ** exponent
    return np.asarray(regularization * scale_B, dtype=np.float32)


def solve_users(
    history_BI: sparse.csr_array,
    item_embeddings_ID: FloatArray,
    variance_D: FloatArray,
    *,
    regularization: float,
    regularization_exponent: float,
    unobserved_weight: float,
) -> FloatArray:
    """vectors_BD: the least-squares vector of each history, zero where it is empty.

    A row depends on nothing but its own history: the same history gives the same vector, to the bit, in any batch.

    Args:
        history_BI: weights of the items of each user.
        item_embeddings_ID: float32, in their principal axes.
        variance_D: α₀ Σ_i y_id², the weight of all the items that were not met.
        regularization: λ.
        regularization_exponent: ν.
        unobserved_weight: α₀.
    """
    vectors_BD = np.zeros((history_BI.shape[0], item_embeddings_ID.shape[1]), dtype=np.float32)
    ridge_B = ridges(history_BI, regularization, regularization_exponent, unobserved_weight)
    solve_rows(history_BI, item_embeddings_ID, variance_D, ridge_B, vectors_BD, steps=_MAX_STEPS, tolerance=_TOLERANCE)
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
