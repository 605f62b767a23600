"""The least-squares problem at the heart of ALS, solved for many rows at once.

Each row (a user, or an item) has a few weighted events, each pointing to a fixed vector y. Its own vector x minimises

    Σ_events w (1 − x·y)² + Σ_d variance_d x_d² + ridge |x|²

The middle term stands for all the pairs that were not observed: α₀ Σ_all (x·y)² = α₀ xᵀ(YᵀY)x. Turned into the
principal axes of Y, where YᵀY is diagonal, it costs D operations a step in place of D², and the matrix of a row is a
diagonal plus one rank an event: conjugate gradients, preconditioned with that diagonal, need few steps and touch only
the row's events. A dot product does not change when both sides are turned, so nothing is ever turned back.

A row is solved by one thread from its own events, so results do not depend on the batch or the number of threads.
"""

from typing import NamedTuple

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, FloatArray
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of

_FAST = {"contract", "reassoc", "nsz", "nnan", "ninf"}
_BLOCK = 512
"""Vectors that a thread takes at a time."""
_MAX_PARTS = 256
_NOTHING = np.float32(1e-30)
"""A squared residual this small is done, before its quotients underflow."""
_PAD = 16
"""Floats between the rows of a block, so that rows of a power of two do not share the same lines of the cache."""


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _add_gram(vectors_ND: FloatArray, block_DN: FloatArray, gram_DD: FloatArray) -> None:  # pragma: no cover
    """Add the upper triangle of vectorsᵀ · vectors, four by four dot products at a time."""
    num_vectors, dim = vectors_ND.shape
    for n in range(num_vectors):
        for d in range(dim):
            block_DN[d, n] = vectors_ND[n, d]
    for a in range(0, len(block_DN), 4):
        a0, a1, a2, a3 = block_DN[a], block_DN[a + 1], block_DN[a + 2], block_DN[a + 3]
        for b in range(a, len(block_DN), 4):
            b0, b1, b2, b3 = block_DN[b], block_DN[b + 1], block_DN[b + 2], block_DN[b + 3]
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = np.float32(0.0)
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = np.float32(0.0)
            for n in range(num_vectors):
                x0, x1, x2, x3 = a0[n], a1[n], a2[n], a3[n]
                y0, y1, y2, y3 = b0[n], b1[n], b2[n], b3[n]
                s00, s01, s02, s03 = s00 + x0 * y0, s01 + x0 * y1, s02 + x0 * y2, s03 + x0 * y3
                s10, s11, s12, s13 = s10 + x1 * y0, s11 + x1 * y1, s12 + x1 * y2, s13 + x1 * y3
                s20, s21, s22, s23 = s20 + x2 * y0, s21 + x2 * y1, s22 + x2 * y2, s23 + x2 * y3
                s30, s31, s32, s33 = s30 + x3 * y0, s31 + x3 * y1, s32 + x3 * y2, s33 + x3 * y3
            tile = ((s00, s01, s02, s03), (s10, s11, s12, s13), (s20, s21, s22, s23), (s30, s31, s32, s33))
            for i in range(4):
                for j in range(4):
                    gram_DD[a + i, b + j] += tile[i][j]


@numba.njit(cache=True, parallel=True)
def _gram_parts(vectors_ND: FloatArray, size: int, gram_MDD: FloatArray) -> None:  # pragma: no cover
    for part in numba.prange(len(gram_MDD)):
        block_DN = np.zeros((gram_MDD.shape[1], _BLOCK + _PAD), dtype=np.float32)
        for start in range(part * size, min((part + 1) * size, len(vectors_ND)), _BLOCK):
            _add_gram(vectors_ND[start : start + _BLOCK], block_DN, gram_MDD[part])


def principal_axes(vectors_ND: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The orthonormal axes along which YᵀY is diagonal, widest first.

    BLAS would add in an order that changes with the number of threads; here the parts are fixed by the shape.

    Returns:
        axes_DD, one axis a column, and energy_D: the diagonal, Σ (y·axis)² over the vectors.
    """
    num_vectors, dim = vectors_ND.shape
    size = _BLOCK * -(-num_vectors // (_BLOCK * _MAX_PARTS))
    padded_dim = -(-dim // 4) * 4
    gram_MDD = np.zeros((-(-num_vectors // size), padded_dim, padded_dim), dtype=np.float32)
    _gram_parts(vectors_ND, size, gram_MDD)
    gram_DD: DoubleArray = gram_MDD.sum(axis=0, dtype=np.float64)[:dim, :dim]
    energy_D, axes_DD = np.linalg.eigh(gram_DD, UPLO="U")
    return (
        np.ascontiguousarray(axes_DD[:, ::-1], dtype=np.float32),
        np.maximum(energy_D[::-1], 0.0).astype(np.float32),
    )


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _turn_rows(vectors_ND: FloatArray, axes_DD: FloatArray, turned_ND: FloatArray) -> None:  # pragma: no cover
    num_vectors, dim = vectors_ND.shape
    whole = dim // 4 * 4
    for n in range(num_vectors):
        vector_D, turned_D = vectors_ND[n], turned_ND[n]
        turned_D[:] = 0.0
        for a in range(0, whole, 4):
            x0, x1, x2, x3 = vector_D[a], vector_D[a + 1], vector_D[a + 2], vector_D[a + 3]
            axis0, axis1, axis2, axis3 = axes_DD[a], axes_DD[a + 1], axes_DD[a + 2], axes_DD[a + 3]
            for d in range(dim):
                turned_D[d] += x0 * axis0[d] + x1 * axis1[d] + x2 * axis2[d] + x3 * axis3[d]
        for a in range(whole, dim):
            for d in range(dim):
                turned_D[d] += vector_D[a] * axes_DD[a, d]


@numba.njit(cache=True, parallel=True)
def _turn_blocks(vectors_ND: FloatArray, axes_DD: FloatArray, turned_ND: FloatArray) -> None:  # pragma: no cover
    for block in numba.prange((len(vectors_ND) + _BLOCK - 1) // _BLOCK):
        rows = slice(block * _BLOCK, (block + 1) * _BLOCK)
        _turn_rows(vectors_ND[rows], axes_DD, turned_ND[rows])


def turned(vectors_ND: FloatArray, axes_DD: FloatArray) -> FloatArray:
    """vectors_ND @ axes_DD, added in an order that does not change with the number of threads."""
    turned_ND = np.empty_like(vectors_ND)
    _turn_blocks(vectors_ND, axes_DD, turned_ND)
    return turned_ND


class _Scratch(NamedTuple):
    """What a thread needs to solve a row."""

    diagonal_D: FloatArray
    inverse_D: FloatArray
    residual_D: FloatArray
    direction_D: FloatArray
    image_D: FloatArray


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _add_events(
    vectors_HD: FloatArray,
    weight_H: FloatArray,
    x_D: FloatArray,
    constant: np.float32,
    factor: np.float32,
    sum_D: FloatArray,
) -> None:  # pragma: no cover
    """sum_D += Σ_h w_h (constant + factor · x·y_h) y_h."""
    length, dim = vectors_HD.shape
    whole = length // 4 * 4
    for h in range(0, whole, 4):
        y0, y1, y2, y3 = vectors_HD[h], vectors_HD[h + 1], vectors_HD[h + 2], vectors_HD[h + 3]
        t0 = t1 = t2 = t3 = np.float32(0.0)
        for d in range(dim):
            t0 += y0[d] * x_D[d]
            t1 += y1[d] * x_D[d]
            t2 += y2[d] * x_D[d]
            t3 += y3[d] * x_D[d]
        t0 = weight_H[h] * (constant + factor * t0)
        t1 = weight_H[h + 1] * (constant + factor * t1)
        t2 = weight_H[h + 2] * (constant + factor * t2)
        t3 = weight_H[h + 3] * (constant + factor * t3)
        for d in range(dim):
            sum_D[d] += t0 * y0[d] + t1 * y1[d] + t2 * y2[d] + t3 * y3[d]
    for h in range(whole, length):
        y0 = vectors_HD[h]
        t0 = np.float32(0.0)
        for d in range(dim):
            t0 += y0[d] * x_D[d]
        t0 = weight_H[h] * (constant + factor * t0)
        for d in range(dim):
            sum_D[d] += t0 * y0[d]


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _solve_row(
    vectors_HD: FloatArray,
    weight_H: FloatArray,
    steps: int,
    tolerance: np.float32,
    scratch: _Scratch,
    x_D: FloatArray,
) -> None:  # pragma: no cover
    """Conjugate gradients on (diag + Σ w y yᵀ) x = Σ w y from x_D, preconditioned with the diagonal."""
    diagonal_D, inverse_D, residual_D, direction_D, image_D = scratch
    dim = len(x_D)
    for d in range(dim):
        inverse_D[d] = np.float32(1.0) / diagonal_D[d]
        residual_D[d] = -diagonal_D[d] * x_D[d]
    _add_events(vectors_HD, weight_H, x_D, np.float32(1.0), np.float32(-1.0), residual_D)
    error = np.float32(0.0)
    for d in range(dim):
        direction_D[d] = inverse_D[d] * residual_D[d]
        error += residual_D[d] * direction_D[d]
    target = max(tolerance * tolerance * error, _NOTHING)
    for _ in range(steps):
        if error <= target:
            return
        for d in range(dim):
            image_D[d] = diagonal_D[d] * direction_D[d]
        _add_events(vectors_HD, weight_H, direction_D, np.float32(0.0), np.float32(1.0), image_D)
        curvature = np.float32(0.0)
        for d in range(dim):
            curvature += direction_D[d] * image_D[d]
        length = error / curvature
        previous, error = error, np.float32(0.0)
        for d in range(dim):
            x_D[d] += length * direction_D[d]
            residual_D[d] -= length * image_D[d]
            error += inverse_D[d] * residual_D[d] * residual_D[d]
        momentum = error / previous
        for d in range(dim):
            direction_D[d] = inverse_D[d] * residual_D[d] + momentum * direction_D[d]


@numba.njit(cache=True, nogil=True)
def _solve_every(
    first: np.int64,
    stride: int,
    events: Rows,
    vectors_ND: FloatArray,
    variance_D: FloatArray,
    ridge_B: FloatArray,
    steps: int,
    tolerance: np.float32,
    x_BD: FloatArray,
) -> None:  # pragma: no cover
    """Solve rows first, first + stride and so on."""
    num_rows, dim = x_BD.shape
    longest = 0
    for b in range(first, num_rows, stride):
        longest = max(longest, events.indptr[b + 1] - events.indptr[b])
    gathered_HD = np.empty((longest, dim), dtype=np.float32)
    scratch = _Scratch(
        np.empty(dim, dtype=np.float32),
        np.empty(dim, dtype=np.float32),
        np.empty(dim, dtype=np.float32),
        np.empty(dim, dtype=np.float32),
        np.empty(dim, dtype=np.float32),
    )
    for b in range(first, num_rows, stride):
        start, stop = events.indptr[b], events.indptr[b + 1]
        if start == stop:
            x_BD[b] = 0.0
            continue
        # Gathered once, the vectors of a row stream from the cache in every step.
        for n in range(start, stop):
            vector_D, gathered_D = vectors_ND[events.indices[n]], gathered_HD[n - start]
            for d in range(dim):
                gathered_D[d] = vector_D[d]
        for d in range(dim):
            scratch.diagonal_D[d] = variance_D[d] + ridge_B[b]
        _solve_row(gathered_HD[: stop - start], events.data[start:stop], steps, tolerance, scratch, x_BD[b])


@numba.njit(cache=True, parallel=True)
def _solve_parallel(
    num_workers: int,
    events: Rows,
    vectors_ND: FloatArray,
    variance_D: FloatArray,
    ridge_B: FloatArray,
    steps: int,
    tolerance: np.float32,
    x_BD: FloatArray,
) -> None:  # pragma: no cover
    for worker in numba.prange(num_workers):
        _solve_every(np.int64(worker), num_workers, events, vectors_ND, variance_D, ridge_B, steps, tolerance, x_BD)


def solve_rows(
    events_BN: sparse.csr_array,
    vectors_ND: FloatArray,
    variance_D: FloatArray,
    ridge_B: FloatArray,
    x_BD: FloatArray,
    *,
    steps: int,
    tolerance: float = 0.0,
) -> None:
    """Improve x_BD in place; a row without events becomes zero.

    Args:
        events_BN: weights of each row's events.
        vectors_ND: what the events point to, in its principal axes.
        variance_D: α₀ · energy of each axis, ≥ 0.
        ridge_B: > 0.
        x_BD: float32, C-contiguous: where to start.
        steps: conjugate gradient steps at most.
        tolerance: stop once the residual has shrunk to this share of the first.
    """
    known = (rows_of(events_BN), read_only(vectors_ND), read_only(variance_D), read_only(ridge_B))
    # A single row stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    if len(x_BD) == 1:
        _solve_every(np.int64(0), 1, *known, steps, np.float32(tolerance), x_BD)
    else:
        _solve_parallel(numba.get_num_threads(), *known, steps, np.float32(tolerance), x_BD)
