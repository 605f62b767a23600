"""A sparse matrix as compiled kernels take it: three arrays whose types are always the same."""

from typing import NamedTuple

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray, IntArray, LongArray
from foretaste.models.read_only import read_only


class Rows(NamedTuple):
    """Row r holds `indices[indptr[r]:indptr[r + 1]]` with the values at the same places of `data`."""

    indptr: LongArray
    indices: IntArray
    data: FloatArray


def rows_of(matrix: sparse.csr_array) -> Rows:
    """The arrays of a matrix, read-only, copied only where their type has to change."""
    return Rows(
        read_only(matrix.indptr.astype(np.int64, copy=False)),
        read_only(matrix.indices.astype(np.int32, copy=False)),
        read_only(matrix.data.astype(np.float32, copy=False)),
    )


@numba.njit(cache=True, nogil=True)
def contains(sorted_items: IntArray, item: int) -> bool:  # pragma: no cover
    """Whether a row whose indices are sorted has an item; for kernels."""
    place = np.searchsorted(sorted_items, item)
    return bool(place < len(sorted_items) and sorted_items[place] == item)


def with_short_indices(matrix: sparse.csr_array) -> sparse.csr_array:
    """The matrix with indices of 32 bits, as kernels take them: `rows_of` then copies none of its entries."""
    if matrix.nnz > np.iinfo(np.int32).max:
        return matrix
    indices, indptr = (each.astype(np.int32, copy=False) for each in (matrix.indices, matrix.indptr))
    return sparse.csr_array((matrix.data, indices, indptr), shape=matrix.shape)
