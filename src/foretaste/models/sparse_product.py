"""Scores of item-item models: a sparse history times a matrix, in which a row never depends on the other rows.

Each score is summed over the history in the order of its items, so that a user scored alone equals, to the bit, the
same user scored among 512, on any number of threads.
"""

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray, IntArray
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of

_TILE = 2048
"""Items scored at a time: a tile of the scores and of four rows of the matrix stay in the first-level cache."""


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _score_dense(
    item_H: IntArray, weight_H: FloatArray, matrix_II: FloatArray, scores_I: FloatArray
) -> None:  # pragma: no cover
    whole = len(item_H) // 4 * 4
    for start in range(0, len(scores_I), _TILE):
        tile = scores_I[start : start + _TILE]
        stop = start + len(tile)
        tile[:] = 0.0
        for h in range(0, whole, 4):
            w0, w1, w2, w3 = weight_H[h], weight_H[h + 1], weight_H[h + 2], weight_H[h + 3]
            row0, row1 = matrix_II[item_H[h], start:stop], matrix_II[item_H[h + 1], start:stop]
            row2, row3 = matrix_II[item_H[h + 2], start:stop], matrix_II[item_H[h + 3], start:stop]
            for i in range(len(tile)):
                tile[i] = tile[i] + w0 * row0[i] + w1 * row1[i] + w2 * row2[i] + w3 * row3[i]
        for h in range(whole, len(item_H)):
            w, row = weight_H[h], matrix_II[item_H[h], start:stop]
            for i in range(len(tile)):
                tile[i] = tile[i] + w * row[i]


@numba.njit(cache=True, nogil=True)
def _dense_serial(history: Rows, matrix_II: FloatArray, scores_BI: FloatArray) -> None:  # pragma: no cover
    for b in range(len(scores_BI)):
        events = slice(history.indptr[b], history.indptr[b + 1])
        _score_dense(history.indices[events], history.data[events], matrix_II, scores_BI[b])


@numba.njit(cache=True, parallel=True)
def _dense_parallel(history: Rows, matrix_II: FloatArray, scores_BI: FloatArray) -> None:  # pragma: no cover
    for b in numba.prange(len(scores_BI)):
        events = slice(history.indptr[b], history.indptr[b + 1])
        _score_dense(history.indices[events], history.data[events], matrix_II, scores_BI[b])


def dense_product(history_BI: sparse.csr_array, matrix_II: FloatArray) -> FloatArray:
    """scores_BI = history_BI @ matrix_II, the matrix dense and float32."""
    scores_BI = np.empty((history_BI.shape[0], matrix_II.shape[1]), dtype=np.float32)
    # A single query stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    (_dense_serial if len(scores_BI) == 1 else _dense_parallel)(rows_of(history_BI), read_only(matrix_II), scores_BI)
    return scores_BI


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _score_sparse(
    item_H: IntArray, weight_H: FloatArray, matrix: Rows, scores_I: FloatArray
) -> None:  # pragma: no cover
    scores_I[:] = 0.0
    for h in range(len(item_H)):
        for n in range(matrix.indptr[item_H[h]], matrix.indptr[item_H[h] + 1]):
            scores_I[matrix.indices[n]] += weight_H[h] * matrix.data[n]


@numba.njit(cache=True, nogil=True)
def _sparse_serial(history: Rows, matrix: Rows, scores_BI: FloatArray) -> None:  # pragma: no cover
    for b in range(len(scores_BI)):
        events = slice(history.indptr[b], history.indptr[b + 1])
        _score_sparse(history.indices[events], history.data[events], matrix, scores_BI[b])


@numba.njit(cache=True, parallel=True)
def _sparse_parallel(history: Rows, matrix: Rows, scores_BI: FloatArray) -> None:  # pragma: no cover
    for b in numba.prange(len(scores_BI)):
        events = slice(history.indptr[b], history.indptr[b + 1])
        _score_sparse(history.indices[events], history.data[events], matrix, scores_BI[b])


def sparse_product(history_BI: sparse.csr_array, matrix_II: sparse.csr_array) -> FloatArray:
    """scores_BI = history_BI @ matrix_II, the matrix sparse and the scores dense."""
    scores_BI = np.empty((history_BI.shape[0], matrix_II.shape[1]), dtype=np.float32)
    (_sparse_serial if len(scores_BI) == 1 else _sparse_parallel)(rows_of(history_BI), rows_of(matrix_II), scores_BI)
    return scores_BI
