"""A vector for a user known by a history alone, from gradient steps against frozen items.

The vector z = [x, a] is all that the items see of a user: x in the product of GMF, a in the first layer of the MLP.
From the mean user, Adam (Kingma and Ba 2015) lowers

    mean over the history of softplus(−(s + c)) + mean over background items of softplus(s + c) + λ/2 |z − mean|²

with s the score of an item and c a free offset, which makes the steps the same for scores that BPR has left without
a zero and for the logits of BCE. An event counts by its weight. The background is a fixed sample of the items, without
those of the history. Nothing is random, and each user is computed alone in a fixed order: the same history gives the
same vector, to the bit, in any batch.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray, IntArray
from foretaste.models.ncf_scoring import Layers
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of

_BETA1, _BETA2, _EPSILON = np.float32(0.9), np.float32(0.99), np.float32(1e-8)


class Items(NamedTuple):
    """The frozen side."""

    product_ID: FloatArray
    """GMF's vectors, the weights of the output folded in."""
    first_IH: FloatArray
    """What each item brings to the first layer of the MLP."""
    background_M: IntArray
    """Items that stand for all those which a user has not met."""


class Steps(NamedTuple):
    """How the gradient is followed."""

    num_steps: int
    learning_rate: np.float32
    regularization: np.float32


@numba.njit(cache=True, nogil=True)
def _score(
    user_Z: FloatArray, item: int, items: Items, layers: Layers, unit_LH: FloatArray
) -> np.float32:  # pragma: no cover
    """The score; leaves the units of each layer in unit_LH."""
    dim = items.product_ID.shape[1]
    score = np.float32(0.0)
    for d in range(dim):
        score += user_Z[d] * items.product_ID[item, d]
    for h in range(layers.width_L[0]):
        unit_LH[0, h] = max(user_Z[dim + h] + items.first_IH[item, h], np.float32(0.0))
    for layer in range(len(layers.width_L) - 1):
        num_above = layers.width_L[layer + 1]
        for h in range(num_above):
            unit_LH[layer + 1, h] = layers.bias_LH[layer, h]
        for j in range(layers.width_L[layer]):
            unit = unit_LH[layer, j]
            for h in range(num_above):
                unit_LH[layer + 1, h] += unit * layers.weight_LHH[layer, j, h]
        for h in range(num_above):
            unit_LH[layer + 1, h] = max(unit_LH[layer + 1, h], np.float32(0.0))
    for h in range(layers.width_L[-1]):
        score += layers.out_H[h] * unit_LH[-1, h]
    return score


@numba.njit(cache=True, nogil=True)
def _add_gradient(
    item: int,
    slope: np.float32,
    items: Items,
    layers: Layers,
    unit_LH: FloatArray,
    pull_LH: FloatArray,
    grad_Z: FloatArray,
) -> None:  # pragma: no cover
    """grad_Z += slope · ∂score/∂user_Z, from the units that `_score` left."""
    dim = items.product_ID.shape[1]
    for d in range(dim):
        grad_Z[d] += slope * items.product_ID[item, d]
    for h in range(layers.width_L[-1]):
        pull_LH[-1, h] = slope * layers.out_H[h] if unit_LH[-1, h] > 0 else np.float32(0.0)
    for layer in range(len(layers.width_L) - 2, -1, -1):
        for j in range(layers.width_L[layer]):
            total = np.float32(0.0)
            if unit_LH[layer, j] > 0:
                for h in range(layers.width_L[layer + 1]):
                    total += layers.weight_LHH[layer, j, h] * pull_LH[layer + 1, h]
            pull_LH[layer, j] = total
    for h in range(layers.width_L[0]):
        grad_Z[dim + h] += pull_LH[0, h]


@numba.njit(cache=True, nogil=True)
def _fold_in_row(
    item_S: IntArray,
    weight_S: FloatArray,
    mean_Z: FloatArray,
    items: Items,
    layers: Layers,
    steps: Steps,
    user_Z: FloatArray,
) -> None:  # pragma: no cover
    user_Z[:] = mean_Z
    total = weight_S.sum()
    if total <= 0:
        return
    met_I = np.zeros(len(items.product_ID), dtype=np.bool_)
    met_I[item_S] = True
    background_X = items.background_M[~met_I[items.background_M]]
    num_examples, num_layers = len(item_S) + len(background_X), len(layers.width_L)
    unit_LH = np.zeros((num_layers, layers.width_L.max()), dtype=np.float32)
    pull_LH = np.zeros_like(unit_LH)
    # One more than the vector, for the offset.
    grad_Z = np.zeros(len(mean_Z) + 1, dtype=np.float32)
    moment_Z, square_Z = np.zeros_like(grad_Z), np.zeros_like(grad_Z)
    offset = np.float32(0.0)
    decay1 = decay2 = np.float32(1.0)
    for _ in range(steps.num_steps):
        for z in range(len(mean_Z)):
            grad_Z[z] = steps.regularization * (user_Z[z] - mean_Z[z])
        grad_Z[-1] = 0.0
        for n in range(num_examples):
            is_event = n < len(item_S)
            item = item_S[n] if is_event else background_X[n - len(item_S)]
            logit = _score(user_Z, item, items, layers, unit_LH) + offset
            if is_event:
                slope = np.float32(-weight_S[n] / total / (1.0 + math.exp(min(float(logit), 80.0))))
            else:
                slope = np.float32(1.0 / len(background_X) / (1.0 + math.exp(min(-float(logit), 80.0))))
            _add_gradient(item, slope, items, layers, unit_LH, pull_LH, grad_Z)
            grad_Z[-1] += slope
        decay1, decay2 = decay1 * _BETA1, decay2 * _BETA2
        for z in range(len(grad_Z)):
            moment_Z[z] += (np.float32(1.0) - _BETA1) * (grad_Z[z] - moment_Z[z])
            square_Z[z] += (np.float32(1.0) - _BETA2) * (grad_Z[z] * grad_Z[z] - square_Z[z])
            root = np.sqrt(square_Z[z] / (np.float32(1.0) - decay2)) + _EPSILON
            step = steps.learning_rate * moment_Z[z] / (np.float32(1.0) - decay1) / root
            if z < len(mean_Z):
                user_Z[z] -= step
            else:
                offset -= step


@numba.njit(cache=True, nogil=True)
def _fold_in_at(
    b: int, history: Rows, mean_Z: FloatArray, items: Items, layers: Layers, steps: Steps, user_BZ: FloatArray
) -> None:  # pragma: no cover
    start, stop = history.indptr[b], history.indptr[b + 1]
    _fold_in_row(history.indices[start:stop], history.data[start:stop], mean_Z, items, layers, steps, user_BZ[b])


@numba.njit(cache=True, parallel=True)
def _fold_in_rows(
    history: Rows, mean_Z: FloatArray, items: Items, layers: Layers, steps: Steps, user_BZ: FloatArray
) -> None:  # pragma: no cover
    for b in numba.prange(len(user_BZ)):
        _fold_in_at(b, history, mean_Z, items, layers, steps, user_BZ)


def fold_in(history_BI: sparse.csr_array, mean_Z: FloatArray, items: Items, layers: Layers, steps: Steps) -> FloatArray:
    """user_BZ: the vector of each history; that of the mean user where it is empty.

    Args:
        history_BI: weights of the items of each user, > 0.
        mean_Z: where every user starts.
        items: the frozen side.
        layers: in which the two sides meet.
        steps: how many steps, and how long.
    """
    user_BZ = np.empty((history_BI.shape[0], len(mean_Z)), dtype=np.float32)
    known = (rows_of(history_BI), read_only(mean_Z), items, layers, steps)
    # A single query stays on the calling thread, as in `dot_product.py`.
    if len(user_BZ) == 1:
        _fold_in_at(0, *known, user_BZ)
    else:
        _fold_in_rows(*known, user_BZ)
    return user_BZ
