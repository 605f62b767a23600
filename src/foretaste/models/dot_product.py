"""Scores of embedding models: a matrix product in which a row never depends on the other rows.

BLAS adds in an order that changes with the shape of the batch and the number of threads, so a user scored alone would
differ in the last bit from the same user scored among 512. Here each score is summed over the embedding dimension in
order, with fused multiply-adds, and only items are vectorised: evaluation and serving agree to the bit on any machine.
On one thread the kernel reaches 0.6 to 0.9 of the rate of OpenBLAS (`benchmarks/dot_product.py`).
"""

import numba
import numpy as np

from foretaste.arrays import FloatArray

_TILE = 1024
"""Items scored at a time: the four item rows and two score rows of a tile stay in the first-level cache."""


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _score_tile(
    user_BD: FloatArray, item_DI: FloatArray, scores_BI: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover
    num_queries, dim = user_BD.shape
    size = stop - start
    whole = dim // 4 * 4
    for b in range(0, num_queries, 2):
        c = min(b + 1, num_queries - 1)
        first, second = scores_BI[b, start:stop], scores_BI[c, start:stop]
        first[:] = 0.0
        second[:] = 0.0
        if b == c:
            for d in range(dim):
                x = user_BD[b, d]
                row = item_DI[d, start:stop]
                for i in range(size):
                    first[i] = first[i] + x * row[i]
            continue
        for d in range(0, whole, 4):
            x0, x1, x2, x3 = user_BD[b, d], user_BD[b, d + 1], user_BD[b, d + 2], user_BD[b, d + 3]
            y0, y1, y2, y3 = user_BD[c, d], user_BD[c, d + 1], user_BD[c, d + 2], user_BD[c, d + 3]
            row0, row1 = item_DI[d, start:stop], item_DI[d + 1, start:stop]
            row2, row3 = item_DI[d + 2, start:stop], item_DI[d + 3, start:stop]
            for i in range(size):
                v0, v1, v2, v3 = row0[i], row1[i], row2[i], row3[i]
                first[i] = first[i] + x0 * v0 + x1 * v1 + x2 * v2 + x3 * v3
                second[i] = second[i] + y0 * v0 + y1 * v1 + y2 * v2 + y3 * v3
        for d in range(whole, dim):
            x, y = user_BD[b, d], user_BD[c, d]
            row = item_DI[d, start:stop]
            for i in range(size):
                first[i] = first[i] + x * row[i]
                second[i] = second[i] + y * row[i]


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
