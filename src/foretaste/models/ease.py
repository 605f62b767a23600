"""EASE: a linear item-item model in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019. Minimise |X − XB|² + λ|B|² over B with a zero
diagonal. With P = (XᵀX + λI)⁻¹ the solution is B_ij = −P_ij / P_jj off the diagonal. X holds the weights as they are
given: 1 an event unless the preparation says otherwise.
"""

from typing import Self

import numpy as np
import psutil
from pydantic import Field
from scipy.linalg import lapack

from foretaste.arrays import DoubleArray, FloatArray
from foretaste.data.interactions import Dataset
from foretaste.errors import ModelError
from foretaste.models.cooccurrence import gram_matrix
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.sparse_product import dense_product
from foretaste.settings import Settings

_BYTES_PER_ENTRY = 8 + 4
"""The float64 matrix that is inverted in place, and the float32 weights made from it."""
_BLOCK = 512


class EASEConfig(Settings):
    """Hyperparameters of EASE."""

    regularization: float = Field(default=500.0, gt=0)
    """λ, on the scale of an item's number of users: the larger, the smoother."""


def item_weights(gram_II: DoubleArray, regularization: float) -> FloatArray:
    """weights_II: the closed form, float32 with a zero diagonal.

    Args:
        gram_II: XᵀX, float64, C-contiguous; overwritten.
        regularization: λ > 0, which makes the matrix positive definite.
    """
    np.einsum("ii->i", gram_II)[:] += regularization
    # LAPACK wants Fortran order: the transpose of a symmetric matrix is itself, and its lower triangle our upper one.
    factor, failed = lapack.dpotrf(gram_II.T, lower=1, clean=0, overwrite_a=1)
    assert not failed
    inverse_II, failed = lapack.dpotri(factor, lower=1, overwrite_c=1)
    assert not failed
    upper_II = inverse_II.T
    scale_I = -1.0 / np.diagonal(upper_II)
    weights_II = np.empty(upper_II.shape, dtype=np.float32)
    for start in range(0, len(upper_II), _BLOCK):
        block = slice(start, start + _BLOCK)
        right, corner = slice(start, None), upper_II[block, block]
        weights_II[block, right] = upper_II[block, right] * scale_I[right]
        weights_II[right, block] = upper_II[block, right].T * scale_I[block]
        weights_II[block, block] = (np.triu(corner) + np.triu(corner, 1).T) * scale_I[block]
    np.fill_diagonal(weights_II, 0.0)
    return weights_II


def _refuse_beyond_memory(num_items: int) -> None:
    needed, available = _BYTES_PER_ENTRY * num_items**2, psutil.virtual_memory().available
    if needed > available:
        raise ModelError(
            f"ease: {num_items:,} items need {needed / 1e9:.1f} GB of memory (12 bytes a pair of items), "
            f"but {available / 1e9:.1f} GB are available; take item_knn or als, or keep fewer items, "
            "as with a higher minimum of events per item in `prepare`."
        )


class EASE:
    """Remembers a weight for every pair of items."""

    def __init__(self, config: EASEConfig | None = None) -> None:
        self.config = config or EASEConfig()
        self.weights_II = np.zeros((0, 0), dtype=np.float32)

    def fit(self, dataset: Dataset, context: FitContext) -> Self:  # noqa: ARG002
        """Solve.

        Raises:
            ModelError: the catalogue is too large for the memory that is available.
        """
        _refuse_beyond_memory(dataset.interactions.num_items)
        self.weights_II = item_weights(gram_matrix(dataset.interactions.to_csr()), self.config.regularization)
        return self

    def score(self, query: Query) -> FloatArray:
        """scores_BI = history_BI @ weights_II; 0 for an empty history."""
        return dense_product(query.history_BI, self.weights_II)

    def state(self) -> State:
        """The weights."""
        return {"weights": self.weights_II}

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self.weights_II = state["weights"]
        return self
