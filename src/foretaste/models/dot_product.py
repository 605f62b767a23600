"""Scores of embedding models: a matrix product in which a row never depends on the other rows.

BLAS adds in an order that changes with the shape of the batch and the number of threads, so a user scored alone would
differ in the last bit from the same user scored among 512. Here each score is summed over the embedding dimension in
order, with fused multiply-adds, and only items are vectorised: evaluation and serving agree to the bit on any machine.
`benchmarks/dot_product.py` compares the rate with that of OpenBLAS.
"""

import numba
import numpy as np

from foretaste.arrays import FloatArray
from foretaste.models.lanes import ITEMS, USERS, multiply_block

_TILE = 1024
"""Items that a thread scores at a time; a row of their scores and one of a dimension stay in the first-level cache."""


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _score_row(
    user_D: FloatArray, item_DI: FloatArray, scores_I: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover
    row = scores_I[start:stop]
    row[:] = 0.0
    for d in range(len(user_D)):
        x, item_row = user_D[d], item_DI[d, start:stop]
        for i in range(stop - start):
            row[i] = row[i] + x * item_row[i]


@numba.njit(cache=True, nogil=True)
def _score_tile(
    user_BD: FloatArray, item_DI: FloatArray, scores_BI: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover
    """Blocks of users and items in registers, the other items and a few users row by row, with the same sums."""
    num_queries, dim = user_BD.shape
    num_items = item_DI.shape[1]
    blocks_stop = start + (stop - start) // ITEMS * ITEMS if num_queries >= USERS and dim else start
    for i in range(start, blocks_stop, ITEMS):
        for each in range(0, num_queries, USERS):
            b = min(each, num_queries - USERS)  # the last users share some with those before
            multiply_block(
                user_BD.ctypes.data + 4 * b * dim,
                dim,
                item_DI.ctypes.data + 4 * i,
                num_items,
                scores_BI.ctypes.data + 4 * (b * num_items + i),
                num_items,
            )
    if blocks_stop < stop:
        for b in range(num_queries):
            _score_row(user_BD[b], item_DI, scores_BI[b], blocks_stop, stop)


@numba.njit(cache=True, nogil=True)
def _score_serial(user_BD: FloatArray, item_DI: FloatArray, scores_BI: FloatArray) -> None:  # pragma: no cover
    num_items = item_DI.shape[1]
    for start in range(0, num_items, _TILE):
        _score_tile(user_BD, item_DI, scores_BI, start, min(start + _TILE, num_items))


@numba.njit(cache=True, parallel=True)
def _score_parallel(user_BD: FloatArray, item_DI: FloatArray, scores_BI: FloatArray) -> None:  # pragma: no cover
    num_items = item_DI.shape[1]
    for tile in numba.prange((num_items + _TILE - 1) // _TILE):
        start = tile * _TILE
        _score_tile(user_BD, item_DI, scores_BI, start, min(start + _TILE, num_items))


def dot_scores(user_BD: FloatArray, item_DI: FloatArray) -> FloatArray:
    """scores_BI = user_BD @ item_DI, equal to the bit for any batch size and number of threads.

    Args:
        user_BD: float32, one vector a query.
        item_DI: float32, C-contiguous: the item embeddings transposed, one row a dimension.
    """
    assert user_BD.dtype == item_DI.dtype == np.float32 and item_DI.flags.c_contiguous
    scores_BI = np.empty((len(user_BD), item_DI.shape[1]), dtype=np.float32)
    # A single query stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    (_score_serial if len(user_BD) == 1 else _score_parallel)(np.ascontiguousarray(user_BD), item_DI, scores_BI)
    return scores_BI
