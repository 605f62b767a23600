"""The items of the largest dot products, exactly, without scoring all items in full.

Item vectors are held a second time in 8 bits, a quarter of the memory that a request has to read. A first pass over
these gives each score up to a bound that is proved: with y = s ∘ q + r, q of 8 bits and s a scale for each dimension,

    |x·y − (x ∘ s)·q| = |(x ∘ s)·(r / s)| ≤ |x ∘ s| |r / s|

by Cauchy and Schwarz, and a slack for the rounding of floats. Items whose upper bound is below the k-th best lower
bound cannot be among the best k. The few that are left get their full score, summed in the order of `dot_product.py`:
equal, to the bit, to what an evaluation computes.
"""

import numba
import numpy as np
import numpy.typing as npt

from foretaste.arrays import BoolArray, FloatArray, IntArray
from foretaste.models.read_only import read_only

_TILE = 1024
_CHUNK = 64
_LARGEST = 127
_SELECTIVE = 8
"""Below one item in so many, the full scores of the eligible ones cost less than the first pass."""


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _approximate(
    user_D: FloatArray, code_DI: npt.NDArray[np.int8], tile: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover
    dim, size = len(user_D), stop - start
    whole = dim // 4 * 4
    tile[:] = 0.0
    for d in range(0, whole, 4):
        x0, x1, x2, x3 = user_D[d], user_D[d + 1], user_D[d + 2], user_D[d + 3]
        row0, row1 = code_DI[d, start:stop], code_DI[d + 1, start:stop]
        row2, row3 = code_DI[d + 2, start:stop], code_DI[d + 3, start:stop]
        for i in range(size):
            tile[i] = (
                tile[i]
                + x0 * np.float32(row0[i])
                + x1 * np.float32(row1[i])
                + x2 * np.float32(row2[i])
                + x3 * np.float32(row3[i])
            )
    for d in range(whole, dim):
        x, row = user_D[d], code_DI[d, start:stop]
        for i in range(size):
            tile[i] = tile[i] + x * np.float32(row[i])


@numba.njit(cache=True, fastmath={"nnan", "nsz"}, nogil=True)
def _maximum(values: FloatArray) -> np.float32:  # pragma: no cover
    largest: np.float32 = values[0]
    for value in values:
        largest = max(largest, value)
    return largest


@numba.njit(cache=True, nogil=True)
def _bounds(
    tile: FloatArray, radius: np.float32, radius_I: FloatArray, eligible_I: BoolArray, upper_I: FloatArray
) -> None:  # pragma: no cover
    """Turn scores into lower bounds, and leave the upper ones in upper_I; -inf where an item may not come."""
    for i in range(len(tile)):
        reach = radius * radius_I[i]
        score = tile[i]
        upper_I[i] = score + reach if eligible_I[i] else -np.inf
        tile[i] = score - reach if eligible_I[i] else -np.inf


@numba.njit(cache=True, nogil=True)
def _raise_threshold(tile: FloatArray, best_K: FloatArray) -> None:  # pragma: no cover
    """Keep the largest values seen in best_K, largest first."""
    last = len(best_K) - 1
    for start in range(0, len(tile), _CHUNK):
        chunk = tile[start : start + _CHUNK]
        if _maximum(chunk) <= best_K[last]:
            continue
        for value in chunk:
            if value > best_K[last]:
                slot = last
                while slot > 0 and best_K[slot - 1] < value:
                    best_K[slot] = best_K[slot - 1]
                    slot -= 1
                best_K[slot] = value


@numba.njit(cache=True, nogil=True)
def _candidates(
    user_D: FloatArray,
    radius: np.float32,
    code_DI: npt.NDArray[np.int8],
    radius_I: FloatArray,
    eligible_I: BoolArray,
    k: int,
) -> IntArray:  # pragma: no cover
    """All items that may be among the best k, in order."""
    num_items = code_DI.shape[1]
    upper_I = np.empty(num_items, dtype=np.float32)
    best_K = np.full(k, -np.inf, dtype=np.float32)
    buffer = np.empty(_TILE, dtype=np.float32)
    for start in range(0, num_items, _TILE):
        stop = min(start + _TILE, num_items)
        tile = buffer[: stop - start]
        _approximate(user_D, code_DI, tile, start, stop)
        _bounds(tile, radius, radius_I[start:stop], eligible_I[start:stop], upper_I[start:stop])
        _raise_threshold(tile, best_K)
    threshold = best_K[k - 1]
    found, num_found = np.empty(num_items, dtype=np.int32), 0
    for start in range(0, num_items, _CHUNK):
        stop = min(start + _CHUNK, num_items)
        if _maximum(upper_I[start:stop]) < threshold:
            continue
        for item in range(start, stop):
            if upper_I[item] >= threshold and eligible_I[item]:
                found[num_found] = item
                num_found += 1
    return found[:num_found].copy()


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _score_rows(
    user_D: FloatArray, item_ID: FloatArray, item_C: IntArray, score_C: FloatArray
) -> None:  # pragma: no cover
    """Each score summed over the dimensions in order; four items at a time, as a sum waits for its last addition."""
    whole = len(item_C) // 4 * 4
    for c in range(0, whole, 4):
        row0, row1 = item_ID[item_C[c]], item_ID[item_C[c + 1]]
        row2, row3 = item_ID[item_C[c + 2]], item_ID[item_C[c + 3]]
        s0 = s1 = s2 = s3 = np.float32(0.0)
        for d in range(len(user_D)):
            x = user_D[d]
            s0 = s0 + x * row0[d]
            s1 = s1 + x * row1[d]
            s2 = s2 + x * row2[d]
            s3 = s3 + x * row3[d]
        score_C[c], score_C[c + 1], score_C[c + 2], score_C[c + 3] = s0, s1, s2, s3
    for c in range(whole, len(item_C)):
        s0 = np.float32(0.0)
        row0 = item_ID[item_C[c]]
        for d in range(len(user_D)):
            s0 = s0 + user_D[d] * row0[d]
        score_C[c] = s0


def unit_rows(vectors_ID: FloatArray) -> FloatArray:
    """Each row divided by its length, whose products are cosines; a row of zeros stays one."""
    norm_I1 = np.linalg.norm(vectors_ID, axis=1, keepdims=True)
    units_ID: FloatArray = np.divide(vectors_ID, norm_I1, out=np.zeros_like(vectors_ID), where=norm_I1 > 0)
    return units_ID


class InnerProduct:
    """Item vectors, ready to be searched."""

    def __init__(self, item_ID: FloatArray) -> None:
        self._item_ID = read_only(np.ascontiguousarray(item_ID, dtype=np.float32))
        num_items, dim = item_ID.shape
        largest_D = np.abs(item_ID).max(axis=0, initial=0.0)
        self._scale_D = np.where(largest_D > 0, largest_D / np.float32(_LARGEST), np.float32(1.0)).astype(np.float32)
        # Rounding: of x ∘ s, and twice of a sum of D products, in this pass and in the full score.
        slack = np.float32(4 * (dim + 4) * np.finfo(np.float32).eps)
        self._code_DI = np.empty((dim, num_items), dtype=np.int8)
        self._radius_I = np.empty(num_items, dtype=np.float32)
        for start in range(0, num_items, _TILE):
            scaled_XD = self._item_ID[start : start + _TILE].astype(np.float64) / self._scale_D
            code_XD = np.clip(np.rint(scaled_XD), -_LARGEST, _LARGEST)
            self._code_DI[:, start : start + _TILE] = code_XD.T
            rest_X = np.linalg.norm(scaled_XD - code_XD, axis=1)
            self._radius_I[start : start + _TILE] = rest_X + slack * (1 + np.linalg.norm(scaled_XD, axis=1))

    def contenders(self, user_D: FloatArray, k: int, eligible_I: BoolArray) -> tuple[IntArray, FloatArray]:
        """Eligible items among which the best k are, with all that tie with the last of these, and their full scores.

        Args:
            user_D: float32.
            k: ≥ 1.
            eligible_I: True for the items that may come.

        Returns:
            item_C, in order, and score_C: equal, to the bit, to `dot_scores`.
        """
        num_items = len(self._radius_I)
        if np.count_nonzero(eligible_I) * _SELECTIVE < num_items:
            item_C = np.flatnonzero(eligible_I).astype(np.int32)
        else:
            scaled_D = user_D * self._scale_D
            radius = np.float32(np.sqrt(scaled_D.astype(np.float64) @ scaled_D))
            item_C = _candidates(
                scaled_D, radius, read_only(self._code_DI), read_only(self._radius_I), read_only(eligible_I), k
            )
        return item_C, self.at(user_D, item_C)

    def vector(self, item: int) -> FloatArray:
        """The vector of an item."""
        vector_D: FloatArray = self._item_ID[item]
        return vector_D

    def at(self, user_D: FloatArray, item_C: IntArray) -> FloatArray:
        """The full scores of some items."""
        score_C = np.empty(len(item_C), dtype=np.float32)
        _score_rows(read_only(user_D), self._item_ID, read_only(item_C), score_C)
        return score_C
