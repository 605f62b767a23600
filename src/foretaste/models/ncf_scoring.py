"""Scores of a small MLP for every pair of some users and all items, without ever holding the pairs.

The first layer of NCF's MLP sees a user's and an item's vector side by side, so that it is a sum of what each brings:
W[p; q] + b = (W_p p + b) + W_q q. Both are computed once, and a pair costs an addition there. The other layers are
walked for one user and a tile of items at a time, which stay in the first-level cache. Each score is summed over units
in order and only items are vectorised: a row does not depend on the other rows, to the bit (see `dot_product.py`).
"""

from typing import NamedTuple

import numba
import numpy as np

from foretaste.arrays import FloatArray, LongArray
from foretaste.models.read_only import read_only

_TILE = 64
"""Items at a time."""


class Layers(NamedTuple):
    """What follows the first layer: L further layers with ReLU, and the weights of the last units in the score."""

    width_L: LongArray
    """Units of each layer, the first one included."""
    weight_LHH: FloatArray
    """[layer, unit below, unit], zero where a layer is narrower."""
    bias_LH: FloatArray
    out_H: FloatArray


def layers_of(width_L: LongArray, weight_LHH: FloatArray, bias_LH: FloatArray, out_H: FloatArray) -> Layers:
    """The layers as kernels take them."""
    return Layers(read_only(width_L), read_only(weight_LHH), read_only(bias_LH), read_only(out_H))


@numba.njit(cache=True, fastmath={"contract"}, nogil=True)
def _add_tile(
    first_H: FloatArray, item_HI: FloatArray, layers: Layers, unit_2HT: FloatArray, start: int, scores_I: FloatArray
) -> None:  # pragma: no cover
    size = min(_TILE, item_HI.shape[1] - start)
    below_HT, above_HT = unit_2HT[0], unit_2HT[1]
    for h in range(layers.width_L[0]):
        of_user, row = first_H[h], item_HI[h, start : start + size]
        for t in range(size):
            below_HT[h, t] = max(of_user + row[t], np.float32(0.0))
    for layer in range(len(layers.width_L) - 1):
        num_below = layers.width_L[layer]
        whole = num_below // 4 * 4
        weight_HH = layers.weight_LHH[layer]
        for h in range(layers.width_L[layer + 1]):
            above_T = above_HT[h]
            above_T[:] = layers.bias_LH[layer, h]
            for j in range(0, whole, 4):
                w0, w1, w2, w3 = weight_HH[j, h], weight_HH[j + 1, h], weight_HH[j + 2, h], weight_HH[j + 3, h]
                x0, x1, x2, x3 = below_HT[j], below_HT[j + 1], below_HT[j + 2], below_HT[j + 3]
                for t in range(_TILE):
                    above_T[t] = above_T[t] + w0 * x0[t] + w1 * x1[t] + w2 * x2[t] + w3 * x3[t]
            for j in range(whole, num_below):
                weight, x = weight_HH[j, h], below_HT[j]
                for t in range(_TILE):
                    above_T[t] = above_T[t] + weight * x[t]
            for t in range(_TILE):
                above_T[t] = max(above_T[t], np.float32(0.0))
        below_HT, above_HT = above_HT, below_HT
    for h in range(layers.width_L[-1]):
        weight = layers.out_H[h]
        for t in range(size):
            scores_I[start + t] = scores_I[start + t] + weight * below_HT[h, t]


@numba.njit(cache=True, nogil=True)
def _add_row(
    first_H: FloatArray, item_HI: FloatArray, layers: Layers, scores_I: FloatArray
) -> None:  # pragma: no cover
    unit_2HT = np.zeros((2, layers.width_L.max(), _TILE), dtype=np.float32)
    for start in range(0, item_HI.shape[1], _TILE):
        _add_tile(first_H, item_HI, layers, unit_2HT, start, scores_I)


@numba.njit(cache=True, parallel=True)
def _add_rows(
    first_BH: FloatArray, item_HI: FloatArray, layers: Layers, scores_BI: FloatArray
) -> None:  # pragma: no cover
    for b in numba.prange(len(first_BH)):
        _add_row(first_BH[b], item_HI, layers, scores_BI[b])


def add_mlp_scores(first_BH: FloatArray, item_HI: FloatArray, layers: Layers, scores_BI: FloatArray) -> None:
    """Add to scores_BI what the MLP thinks of each pair.

    Args:
        first_BH: what each user brings to the first layer, its bias included.
        item_HI: what each item brings, one row a unit, C-contiguous.
        layers: the rest.
        scores_BI: float32, changed in place.
    """
    known = (read_only(np.ascontiguousarray(first_BH)), read_only(item_HI), layers)
    # A single query stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    if len(first_BH) == 1:
        _add_row(known[0][0], *known[1:], scores_BI[0])
    else:
        _add_rows(*known, scores_BI)
