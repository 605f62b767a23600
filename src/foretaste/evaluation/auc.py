"""The area under the ROC curve of each user's whole ranking."""

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, FloatArray, IntArray
from foretaste.models.lanes import LANES
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, contains, rows_of

_CHUNK = 4096
"""Rivals that are compared with every relevant item while they stay in the first-level cache."""


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _double_wins(values: FloatArray, score: np.float32) -> np.float32:  # pragma: no cover
    """Twice the values below `score`, and once those equal to it; of at most 2²³ values, so that float32 is exact.

    What is not a number is neither. Counted as float32 since that is what as many lanes as the values have can hold;
    an integer would be widened.
    """
    zero, one = np.float32(0.0), np.float32(1.0)
    below, not_above = zero, zero
    for place in range(len(values) // LANES * LANES):
        below += one if values[place] < score else zero
        not_above += one if values[place] <= score else zero
    return below + not_above


@numba.njit(cache=True, nogil=True)
def _copy_before_nothing(source: FloatArray, values: FloatArray) -> None:  # pragma: no cover
    """The source, and what is not a number in the places after it."""
    for place in range(len(source)):
        values[place] = source[place]
    for place in range(len(source), len(values)):
        values[place] = np.nan


@numba.njit(cache=True, nogil=True)
def _leave_out(items: IntArray, values: FloatArray) -> None:  # pragma: no cover
    for item in items:
        values[item] = np.nan


@numba.njit(cache=True, nogil=True)
def _auc_of_row(
    scores_I: FloatArray, relevant: IntArray, exclude: IntArray, candidates: IntArray, ranks_all: bool
) -> float:  # pragma: no cover
    """With `ranks_all` the rivals are all items, otherwise the candidates, but the excluded and the relevant ones."""
    places = len(scores_I) if ranks_all else len(candidates)
    rivals = np.empty((places + LANES - 1) // LANES * LANES, dtype=np.float32)
    ranked, num_ranked, num_rivals = np.empty(len(relevant), dtype=np.float32), 0, 0
    if ranks_all:
        _copy_before_nothing(scores_I, rivals)
        _leave_out(exclude, rivals)
        for item in relevant:
            ranked[num_ranked] = rivals[item]
            num_ranked += not np.isnan(rivals[item])
        _leave_out(relevant, rivals)
        num_rivals = places - len(exclude) - num_ranked
    else:
        for item in relevant:
            if not contains(exclude, item):
                ranked[num_ranked] = scores_I[item]
                num_ranked += 1
        for item in candidates:
            if not contains(exclude, item) and not contains(relevant, item):
                rivals[num_rivals] = scores_I[item]
                num_rivals += 1
        rivals[num_rivals:] = np.nan
    if num_rivals == 0:
        return np.nan
    wins = 0.0
    for start in range(0, len(rivals), _CHUNK):
        chunk = rivals[start : start + _CHUNK]
        for r in range(num_ranked):
            wins += float(_double_wins(chunk, ranked[r]))
    return wins / (2.0 * num_rivals * len(relevant))


@numba.njit(cache=True, parallel=True)
def _auc_of_rows(
    scores_BI: FloatArray, relevant: Rows, exclude: Rows, candidates: Rows, ranks_all: bool, auc_B: DoubleArray
) -> None:  # pragma: no cover
    for b in numba.prange(len(auc_B)):
        auc_B[b] = _auc_of_row(
            scores_BI[b],
            relevant.indices[relevant.indptr[b] : relevant.indptr[b + 1]],
            exclude.indices[exclude.indptr[b] : exclude.indptr[b + 1]],
            candidates.indices[candidates.indptr[b] : candidates.indptr[b + 1]],
            ranks_all,
        )


def auc(
    scores_BI: FloatArray,
    relevant_BI: sparse.csr_array,
    exclude_BI: sparse.csr_array | None = None,
    candidate_BI: sparse.csr_array | None = None,
) -> DoubleArray:
    """The share of pairs of a relevant item and one that is not, in which the relevant item has the higher score.

    AUC = Σ over relevant r and rivals n of [s_r > s_n] + ½ [s_r = s_n], over relevant · rivals. It looks at the whole
    ranking and has no cut-off. Rivals are all items (or all candidates) that are neither relevant nor excluded. A
    relevant item that is excluded wins no pair. Not defined for a user without rivals.

    Args:
        scores_BI: float32.
        relevant_BI: at least one item a row; indices sorted within a row, as in the other matrices.
        exclude_BI: items that are not ranked: what the user has seen.
        candidate_BI: the only items that are ranked; None for all.

    Returns:
        auc_B in [0, 1]; NaN where it is not defined.
    """
    nothing = sparse.csr_array(relevant_BI.shape, dtype=np.float32)
    auc_B = np.empty(len(scores_BI), dtype=np.float64)
    _auc_of_rows(
        read_only(np.ascontiguousarray(scores_BI)),
        rows_of(relevant_BI),
        rows_of(nothing if exclude_BI is None else exclude_BI),
        rows_of(nothing if candidate_BI is None else candidate_BI),
        candidate_BI is None,
        auc_B,
    )
    return auc_B
