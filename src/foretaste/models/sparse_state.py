"""A sparse matrix among the named arrays of a model's state."""

import numpy as np
from scipy import sparse

from foretaste.models.protocol import State

_PARTS = ("indptr", "indices", "data")


def pack(name: str, matrix: sparse.csr_array) -> State:
    """The arrays of a matrix, each named `<name>_<part>`."""
    parts = {f"{name}_{part}": getattr(matrix, part) for part in _PARTS}
    return {**parts, f"{name}_shape": np.array(matrix.shape, dtype=np.int64)}


def unpack(name: str, state: State) -> sparse.csr_array:
    """The matrix that `pack` took apart; it shares the arrays."""
    indptr, indices, data = (state[f"{name}_{part}"] for part in _PARTS)
    rows, columns = state[f"{name}_shape"]
    return sparse.csr_array((data, indices, indptr), shape=(int(rows), int(columns)))
