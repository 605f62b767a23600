"""The least-squares problem at the heart of ALS, solved for many rows at once.

Each row (a user, or an item) has a few weighted events, each pointing to a fixed vector y. Its own vector x minimises

    Σ_events w (1 − x·y)² + Σ_d variance_d x_d² + ridge |x|²

The middle term stands for all the pairs that were not observed: α₀ Σ_all (x·y)² = α₀ xᵀ(YᵀY)x. Turned into the
principal axes of Y, where YᵀY is diagonal, it costs D operations a step in place of D², and the matrix of a row is a
diagonal plus one rank an event: conjugate gradients, preconditioned with that diagonal, need few steps and touch only
the row's events. A dot product does not change when both sides are turned, so nothing is ever turned back.

A row is solved by one thread from its own events, so results do not depend on the batch or the number of threads.
"""

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, FloatArray
from foretaste.models.sparse_rows import Rows, rows_of

_FAST = {"contract", "reassoc", "nsz", "nnan", "ninf"}
_MAX_BLOCKS = 256
_MIN_BLOCK = 512


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _add_gram(vectors_ND: FloatArray, gram_DD: FloatArray) -> None:  # pragma: no cover
    """Add vectorsᵀ · vectors, the upper triangle and what is left of it in the same 16 columns."""
    num_vectors, dim = vectors_ND.shape
    whole = num_vectors // 4 * 4
    for n in range(0, whole, 4):
        y0, y1, y2, y3 = vectors_ND[n], vectors_ND[n + 1], vectors_ND[n + 2], vectors_ND[n + 3]
        for a in range(dim):
            s0, s1, s2, s3 = y0[a], y1[a], y2[a], y3[a]
            gram_D = gram_DD[a]
            for d in range(a // 16 * 16, dim):
                gram_D[d] += s0 * y0[d] + s1 * y1[d] + s2 * y2[d] + s3 * y3[d]
    for n in range(whole, num_vectors):
        y0 = vectors_ND[n]
        for a in range(dim):
            for d in range(a // 16 * 16, dim):
                gram_DD[a, d] += y0[a] * y0[d]


@numba.njit(cache=True, parallel=True)
def _gram_blocks(vectors_ND: FloatArray, size: int, gram_MDD: FloatArray) -> None:  # pragma: no cover
    for block in numba.prange(len(gram_MDD)):
        _add_gram(vectors_ND[block * size : (block + 1) * size], gram_MDD[block])


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _turn_rows(vectors_ND: FloatArray, axes_DD: FloatArray, turned_ND: FloatArray) -> None:  # pragma: no cover
    num_vectors, dim = vectors_ND.shape
    whole = dim // 4 * 4
    for n in range(num_vectors):
        turned_D = turned_ND[n]
        turned_D[:] = 0.0
        for a in range(0, whole, 4):
            s0, s1, s2, s3 = vectors_ND[n, a], vectors_ND[n, a + 1], vectors_ND[n, a + 2], vectors_ND[n, a + 3]
            for d in range(dim):
                turned_D[d] += (
                    s0 * axes_DD[a, d] + s1 * axes_DD[a + 1, d] + s2 * axes_DD[a + 2, d] + s3 * axes_DD[a + 3, d]
                )
        for a in range(whole, dim):
            for d in range(dim):
                turned_D[d] += vectors_ND[n, a] * axes_DD[a, d]


@numba.njit(cache=True, parallel=True)
def _turn_blocks(
    vectors_ND: FloatArray, axes_DD: FloatArray, size: int, turned_ND: FloatArray
) -> None:  # pragma: no cover
    for block in numba.prange((len(vectors_ND) + size - 1) // size):
        rows = slice(block * size, (block + 1) * size)
        _turn_rows(vectors_ND[rows], axes_DD, turned_ND[rows])


def turned(vectors_ND: FloatArray, axes_DD: FloatArray) -> FloatArray:
    """vectors_ND @ axes_DD."""
    turned_ND = np.empty_like(vectors_ND)
    _turn_blocks(vectors_ND, axes_DD, _MIN_BLOCK, turned_ND)
    return turned_ND


def principal_axes(vectors_ND: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The orthonormal axes along which YᵀY is diagonal, widest first.

    Returns:
        axes_DD, one axis a column, and energy_D: the diagonal, Σ (y·axis)² over the vectors.
    """
    num_vectors, dim = vectors_ND.shape
    size = max(_MIN_BLOCK, -(-num_vectors // _MAX_BLOCKS))
    gram_MDD = np.zeros((-(-num_vectors // size), dim, dim), dtype=np.float32)
    _gram_blocks(vectors_ND, size, gram_MDD)
    gram_DD: DoubleArray = gram_MDD.sum(axis=0, dtype=np.float64)
    energy_D, axes_DD = np.linalg.eigh(gram_DD, UPLO="U")
    return (
        np.ascontiguousarray(axes_DD[:, ::-1], dtype=np.float32),
        np.maximum(energy_D[::-1], 0.0).astype(np.float32),
    )


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
    diagonal_D: FloatArray,
    steps: int,
    tolerance: np.float32,
    x_D: FloatArray,
    residual_D: FloatArray,
    direction_D: FloatArray,
    image_D: FloatArray,
) -> None:  # pragma: no cover
    """Conjugate gradients on (diag + Σ w y yᵀ) x = Σ w y from x_D, preconditioned with the diagonal."""
    dim = len(x_D)
    for d in range(dim):
        residual_D[d] = -diagonal_D[d] * x_D[d]
    _add_events(vectors_HD, weight_H, x_D, np.float32(1.0), np.float32(-1.0), residual_D)
    error = np.float32(0.0)
    for d in range(dim):
        direction_D[d] = residual_D[d] / diagonal_D[d]
        error += residual_D[d] * direction_D[d]
    target = tolerance * tolerance * error
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
            error += residual_D[d] * residual_D[d] / diagonal_D[d]
        for d in range(dim):
            direction_D[d] = residual_D[d] / diagonal_D[d] + error / previous * direction_D[d]


@numba.njit(cache=True, nogil=True)
def _solve_every(
    first: int,
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
    scratch_4D = np.empty((4, dim), dtype=np.float32)
    for b in range(first, num_rows, stride):
        start, stop = events.indptr[b], events.indptr[b + 1]
        if start == stop:
            x_BD[b] = 0.0
            continue
        # Gathered once, the vectors of a row stream from the cache in every step.
        for n in range(start, stop):
            gathered_HD[n - start] = vectors_ND[events.indices[n]]
        scratch_4D[0] = variance_D + ridge_B[b]
        _solve_row(
            gathered_HD[: stop - start],
            events.data[start:stop],
            scratch_4D[0],
            steps,
            tolerance,
            x_BD[b],
            scratch_4D[1],
            scratch_4D[2],
            scratch_4D[3],
        )


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
    problem = (rows_of(events_BN), vectors_ND, variance_D, ridge_B, steps, np.float32(tolerance), x_BD)
    # A single row stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    if len(x_BD) == 1:
        _solve_every(0, 1, *problem)
    else:
        _solve_parallel(numba.get_num_threads(), *problem)
