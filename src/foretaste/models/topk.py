"""Exclude, restrict, rank, break ties: once, for everyone.

The order is by score, highest first; equal scores by item index, lowest first. An evaluation names the items that
it hopes to see, and among equal scores those come last, so that a tie never counts in favour of a model.
"""

from typing import NamedTuple, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
import psutil
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, BoolArray, FloatArray, IntArray, LongArray
from foretaste.models.lanes import LANES, at_least, lowest_one
from foretaste.models.protocol import TopK
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import rows_of

_SCORES_BYTES = 12 * 2**20
"""Scores of a block of queries."""
_FEWEST_QUERIES = 16
"""Queries in a block even where a catalogue is so large that their scores take more."""
_ROWS = 8
"""Queries that one thread ranks with one array of marks."""
_EXCLUDED = 1
_DISFAVOURED = 2
_MarkArray: TypeAlias = npt.NDArray[np.uint8]


class _Marks(NamedTuple):
    """Which items a row must not get, and which lose ties."""

    ineligible_I: BoolArray
    exclude_indptr: LongArray
    exclude_indices: IntArray
    disfavour_indptr: LongArray
    disfavour_indices: IntArray


@numba.njit(cache=True, nogil=True)
def _insert(
    item: int, scores_I: FloatArray, mark_I: _MarkArray, item_K: IntArray, score_K: FloatArray
) -> None:  # pragma: no cover
    """Put an item that is no worse than the worst held in its place, unless it may not come or loses the tie."""
    score, k = scores_I[item], len(item_K)
    if score < score_K[k - 1] or score == -np.inf or mark_I[item] == _EXCLUDED:
        return
    favoured = mark_I[item] != _DISFAVOURED
    slot = k
    while slot > 0:
        held = score_K[slot - 1]
        loses = held < score or (held == score and favoured and mark_I[item_K[slot - 1]] == _DISFAVOURED)
        if not loses:
            break
        slot -= 1
    if slot < k:
        for move in range(k - 1, slot, -1):
            item_K[move] = item_K[move - 1]
            score_K[move] = score_K[move - 1]
        item_K[slot] = item
        score_K[slot] = score


@numba.njit(cache=True, nogil=True)
def _rank_row(
    scores_I: FloatArray,
    mark_I: _MarkArray,
    item_K: IntArray,
    score_K: FloatArray,
) -> None:  # pragma: no cover
    """Fill item_K and score_K with the best items; one pass, an insertion for each that beats the worst."""
    num_items, last = len(scores_I), len(item_K) - 1
    item_K[:] = EMPTY_SLOT
    score_K[:] = -np.inf
    whole = num_items // LANES * LANES
    for start in range(0, whole, LANES):
        promising = at_least(scores_I.ctypes.data + 4 * start, score_K[last])
        while promising != 0:
            _insert(start + lowest_one(promising), scores_I, mark_I, item_K, score_K)
            promising &= promising - np.uint64(1)
    for item in range(whole, num_items):
        _insert(item, scores_I, mark_I, item_K, score_K)


@numba.njit(cache=True, nogil=True)
def _mark(b: int, marks: _Marks, mark_I: _MarkArray) -> None:  # pragma: no cover
    for n in range(marks.disfavour_indptr[b], marks.disfavour_indptr[b + 1]):
        if mark_I[marks.disfavour_indices[n]] != _EXCLUDED:
            mark_I[marks.disfavour_indices[n]] = _DISFAVOURED
    for n in range(marks.exclude_indptr[b], marks.exclude_indptr[b + 1]):
        mark_I[marks.exclude_indices[n]] = _EXCLUDED


@numba.njit(cache=True, nogil=True)
def _unmark(b: int, marks: _Marks, mark_I: _MarkArray) -> None:  # pragma: no cover
    """What `_mark` did to the marks that all rows share."""
    for n in range(marks.disfavour_indptr[b], marks.disfavour_indptr[b + 1]):
        mark_I[marks.disfavour_indices[n]] = marks.ineligible_I[marks.disfavour_indices[n]]
    for n in range(marks.exclude_indptr[b], marks.exclude_indptr[b + 1]):
        mark_I[marks.exclude_indices[n]] = marks.ineligible_I[marks.exclude_indices[n]]


@numba.njit(cache=True, nogil=True)
def _rank_serial(
    scores_BI: FloatArray, marks: _Marks, item_BK: IntArray, score_BK: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover
    mark_I = marks.ineligible_I.astype(np.uint8)  # a copy, in which ineligible is _EXCLUDED
    for b in range(start, stop):
        _mark(b, marks, mark_I)
        _rank_row(scores_BI[b], mark_I, item_BK[b], score_BK[b])
        _unmark(b, marks, mark_I)


@numba.njit(cache=True, parallel=True)
def _rank_parallel(
    scores_BI: FloatArray, marks: _Marks, item_BK: IntArray, score_BK: FloatArray
) -> None:  # pragma: no cover
    num_queries = len(item_BK)
    for group in numba.prange((num_queries + _ROWS - 1) // _ROWS):
        start = group * _ROWS
        _rank_serial(scores_BI, marks, item_BK, score_BK, start, min(start + _ROWS, num_queries))


def queries_per_block(num_items: int) -> int:
    """How many queries to score at a time: as many as gain speed, fewer where memory is scarce, at least one.

    12 MiB of scores are enough: the allocator hands the same pages out again for the next block, which it does not for
    twice as much, and all of them stay in a large last-level cache. Of the memory that is free at the time they take at
    most a sixteenth, since a model needs several arrays of that size.
    """
    row_bytes = 4 * num_items
    wanted = max(_FEWEST_QUERIES, _SCORES_BYTES // row_bytes)
    return max(1, min(wanted, psutil.virtual_memory().available // 16 // row_bytes))


def rank(
    scores_BI: FloatArray,
    k: int,
    *,
    exclude_BI: sparse.csr_array | None = None,
    eligible_I: BoolArray | None = None,
    disfavour_BI: sparse.csr_array | None = None,
) -> TopK:
    """The best k items of each row.

    Args:
        scores_BI: float32. An item whose score is -inf is never returned.
        k: slots, ≥ 1.
        exclude_BI: items that a query must not get back: what the user has seen.
        eligible_I: True for the items that any query may get; None for all.
        disfavour_BI: items that rank last among equal scores: what an evaluation hopes to see.

    Returns:
        item_BK and score_BK; slots that no eligible item could fill hold -1 and -inf.
    """
    num_queries, num_items = scores_BI.shape
    marks = _Marks(
        read_only(np.zeros(num_items, dtype=bool) if eligible_I is None else ~eligible_I),
        *_rows_of(exclude_BI, num_queries),
        *_rows_of(disfavour_BI, num_queries),
    )
    item_BK = np.empty((num_queries, k), dtype=np.int32)
    score_BK = np.empty((num_queries, k), dtype=np.float32)
    scores_BI = read_only(np.ascontiguousarray(scores_BI))
    if num_queries == 1:
        _rank_serial(scores_BI, marks, item_BK, score_BK, 0, 1)
    else:
        _rank_parallel(scores_BI, marks, item_BK, score_BK)
    return TopK(item_BK, score_BK)


def _rows_of(matrix_BI: sparse.csr_array | None, num_queries: int) -> tuple[LongArray, IntArray]:
    if matrix_BI is None:
        return read_only(np.zeros(num_queries + 1, dtype=np.int64)), read_only(np.zeros(0, dtype=np.int32))
    rows = rows_of(matrix_BI)
    return rows.indptr, rows.indices
