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
from foretaste.models.lanes import LANES, at_least, count_ones, keep_highest, lowest_one
from foretaste.models.protocol import TopK
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import contains, rows_of

_SCORES_BYTES = 12 * 2**20
"""Scores of a block of queries."""
_FEWEST_QUERIES = 16
"""Queries in a block even where a catalogue is so large that their scores take more."""
_ENOUGH_QUERIES = 256
"""Queries that share the reading of a model; of a small catalogue, fewer scores than fit stay closer to the core."""
_FEW_BYTES = 2**20
"""Scores that stay close whatever the queries are, so that there may be more of them."""
_ROWS = 8
"""Queries that one thread ranks with one set of marks."""
_BAR_ITEMS = 64 * LANES
"""Items that set a bar before any is put in its place: their scores stay in the first-level cache."""
_WordArray: TypeAlias = npt.NDArray[np.uint64]
"""A bit an item, LANES items a word."""


class _Marks(NamedTuple):
    """Which items a row must not get, and which lose ties."""

    ineligible_W: _WordArray
    exclude_indptr: LongArray
    exclude_indices: IntArray
    disfavour_indptr: LongArray
    disfavour_indices: IntArray


@numba.njit(cache=True, nogil=True)
def _rise_among_equals(
    slot: int, disfavour: IntArray, item_K: IntArray, score_K: FloatArray
) -> None:  # pragma: no cover
    """Move the item of a slot before those of the same score that lose ties, unless it loses them itself."""
    item, score = item_K[slot], score_K[slot]
    if contains(disfavour, item):
        return
    while slot > 0 and score_K[slot - 1] == score and contains(disfavour, item_K[slot - 1]):
        item_K[slot] = item_K[slot - 1]
        slot -= 1
    item_K[slot] = item


@numba.njit(cache=True, nogil=True)
def _wins_tie(item: int, other: int, disfavour: IntArray) -> bool:  # pragma: no cover
    """Whether an item comes before another one of the same score that has the lower index."""
    return contains(disfavour, other) and not contains(disfavour, item)


@numba.njit(cache=True, nogil=True)
def _at_least_in_rest(scores_I: FloatArray, start: int, threshold: np.float32) -> np.uint64:  # pragma: no cover
    """As `at_least`, of the last items, fewer than LANES."""
    word = np.uint64(0)
    for item in range(start, len(scores_I)):
        if scores_I[item] >= threshold:
            word |= np.uint64(1) << np.uint64(item - start)
    return word


@numba.njit(cache=True, nogil=True)
def _bar(scores_I: FloatArray, excluded_W: _WordArray, k: int) -> np.float32:  # pragma: no cover
    """A score that at least k items reach, and few more of the first ones; -inf where there is no telling.

    Every LANES-th item is of the same group. The k groups whose best items are highest have an item each that reaches
    the lowest of these.
    """
    bar = np.float32(-np.inf)
    if k <= LANES:
        best_L = np.full(LANES, -np.inf, dtype=np.float32)
        for word in range(min(len(scores_I), _BAR_ITEMS) // LANES):
            keep_highest(best_L.ctypes.data, scores_I.ctypes.data + 4 * LANES * word, excluded_W[word])
        for best in best_L:
            if best > bar and count_ones(at_least(best_L.ctypes.data, best)) >= k:
                bar = best
    return bar


@numba.njit(cache=True, nogil=True)
def _rank_row(
    scores_I: FloatArray,
    excluded_W: _WordArray,
    disfavour: IntArray,
    item_K: IntArray,
    score_K: FloatArray,
) -> None:  # pragma: no cover
    """Fill item_K and score_K with the best items; one pass, an insertion for each that beats the worst."""
    num_items, last = len(scores_I), len(item_K) - 1
    bar = _bar(scores_I, excluded_W, len(item_K))
    item_K[:] = EMPTY_SLOT
    score_K[:] = -np.inf
    for start in range(0, num_items, LANES):
        threshold = max(bar, score_K[last])
        if start + LANES <= num_items:
            promising = at_least(scores_I.ctypes.data + 4 * start, threshold)
        else:
            promising = _at_least_in_rest(scores_I, start, threshold)
        promising &= ~excluded_W[start // LANES]
        while promising != 0:
            item = start + lowest_one(promising)
            promising &= promising - np.uint64(1)
            score, slot = scores_I[item], last
            if score > score_K[last]:
                while slot > 0 and score_K[slot - 1] < score:
                    item_K[slot], score_K[slot] = item_K[slot - 1], score_K[slot - 1]
                    slot -= 1
            elif not (score == score_K[last] and _wins_tie(item, item_K[last], disfavour)):
                continue
            item_K[slot], score_K[slot] = item, score
            if slot > 0 and score_K[slot - 1] == score:
                _rise_among_equals(slot, disfavour, item_K, score_K)


@numba.njit(cache=True, nogil=True)
def _rank_serial(
    scores_BI: FloatArray, marks: _Marks, item_BK: IntArray, score_BK: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover
    excluded_W = marks.ineligible_W.copy()
    for b in range(start, stop):
        exclude = marks.exclude_indices[marks.exclude_indptr[b] : marks.exclude_indptr[b + 1]]
        disfavour = marks.disfavour_indices[marks.disfavour_indptr[b] : marks.disfavour_indptr[b + 1]]
        for item in exclude:
            excluded_W[item // LANES] |= np.uint64(1) << np.uint64(item % LANES)
        _rank_row(scores_BI[b], excluded_W, disfavour, item_BK[b], score_BK[b])
        for item in exclude:
            excluded_W[item // LANES] = marks.ineligible_W[item // LANES]


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
    twice as much, and all of them stay in a large last-level cache. So are 256 queries, unless their scores are less
    than 1 MiB. Of the memory that is free at the time they take at most a sixteenth, since a model needs several arrays
    of that size.
    """
    row_bytes = 4 * num_items
    wanted = max(_FEWEST_QUERIES, _FEW_BYTES // row_bytes, min(_ENOUGH_QUERIES, _SCORES_BYTES // row_bytes))
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
        disfavour_BI: items that rank last among equal scores: what an evaluation hopes to see; indices sorted within
            a row.

    Returns:
        item_BK and score_BK; slots that no eligible item could fill hold -1 and -inf.
    """
    num_queries, num_items = scores_BI.shape
    marks = _Marks(
        read_only(_words(np.zeros(num_items, dtype=bool) if eligible_I is None else ~eligible_I)),
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


def _words(flag_I: BoolArray) -> _WordArray:
    """The flags as bits, the first of LANES the lowest."""
    bits = np.packbits(flag_I, bitorder="little")
    word_W = np.zeros(-(-len(flag_I) // LANES), dtype="<u8")
    word_W.view(np.uint8)[: len(bits)] = bits
    return word_W.astype(np.uint64)


def _rows_of(matrix_BI: sparse.csr_array | None, num_queries: int) -> tuple[LongArray, IntArray]:
    if matrix_BI is None:
        return read_only(np.zeros(num_queries + 1, dtype=np.int64)), read_only(np.zeros(0, dtype=np.int32))
    rows = rows_of(matrix_BI)
    return rows.indptr, rows.indices
