"""A sum of decision trees as arrays, so that what LightGBM has learnt is served without it."""

from typing import Any, NamedTuple, Self

import numba
import numpy as np

from foretaste.arrays import DoubleArray, FloatArray, IntArray
from foretaste.models.protocol import State
from foretaste.models.read_only import read_only

_ROWS = 256
"""Rows that a thread evaluates at a time."""


class Trees(NamedTuple):
    """T trees. A node sends a row to the left where its feature is ≤ the threshold; a child below 0 is leaf ~child."""

    root_T: IntArray
    """The first node of each tree; below 0 for a tree that is the leaf ~root."""
    feature_X: IntArray
    """The column that each node looks at."""
    threshold_X: DoubleArray
    left_X: IntArray
    right_X: IntArray
    value_L: DoubleArray
    """Of each leaf."""
    lowest: DoubleArray
    """One number: the sum of the lowest leaf of each tree, below which no row can come."""

    def state(self) -> State:
        """All as arrays."""
        return {f"trees_{name}": array for name, array in self._asdict().items()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """What `state` was taken from."""
        return cls(**{name: state[f"trees_{name}"] for name in cls._fields})

    def evaluate(self, feature_NF: FloatArray, *, alone: bool = False) -> DoubleArray:
        """sum_N: for each row the sum of the leaves it comes to, added in the order of the trees.

        Args:
            feature_NF: float32, finite.
            alone: stay on the calling thread.
        """
        sum_N = np.empty(len(feature_NF))
        trees = self._replace(**{name: read_only(array) for name, array in self._asdict().items()})
        if alone:
            _evaluate_rows(trees, feature_NF, 0, len(feature_NF), sum_N)
        else:
            _evaluate_parallel(trees, feature_NF, sum_N)
        return sum_N


def trees_of(model: dict[str, Any]) -> Trees:
    """The trees of a model of LightGBM, as its `Booster.dump_model()` tells them.

    Only what a ranker over finite numbers has: numerical splits, and one leaf value for each leaf.
    """
    roots: list[int] = []
    nodes: list[list[Any]] = []
    values: list[float] = []
    lowest = 0.0

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            values.append(float(node["leaf_value"]))
            return ~(len(values) - 1)
        assert node["decision_type"] == "<="
        place = len(nodes)
        nodes.append([int(node["split_feature"]), float(node["threshold"])])
        nodes[place] += [add(node["left_child"]), add(node["right_child"])]
        return place

    for tree in model["tree_info"]:
        first = len(values)
        roots.append(add(tree["tree_structure"]))
        lowest += min(values[first:])
    feature, threshold, left, right = zip(*nodes, strict=True) if nodes else ((), (), (), ())
    return Trees(
        np.array(roots, dtype=np.int32),
        np.array(feature, dtype=np.int32),
        np.array(threshold, dtype=np.float64),
        np.array(left, dtype=np.int32),
        np.array(right, dtype=np.int32),
        np.array(values, dtype=np.float64),
        np.array([lowest]),
    )


@numba.njit(cache=True, nogil=True)
def _evaluate_rows(
    trees: Trees, feature_NF: FloatArray, start: int, stop: int, sum_N: DoubleArray
) -> None:  # pragma: no cover
    sum_N[start:stop] = 0.0
    for root in trees.root_T:
        for n in range(start, stop):
            node = root
            while node >= 0:
                goes_left = feature_NF[n, trees.feature_X[node]] <= trees.threshold_X[node]
                node = trees.left_X[node] if goes_left else trees.right_X[node]
            sum_N[n] += trees.value_L[~node]


@numba.njit(cache=True, parallel=True)
def _evaluate_parallel(trees: Trees, feature_NF: FloatArray, sum_N: DoubleArray) -> None:  # pragma: no cover
    for block in numba.prange((len(sum_N) + _ROWS - 1) // _ROWS):
        _evaluate_rows(trees, feature_NF, block * _ROWS, min((block + 1) * _ROWS, len(sum_N)), sum_N)
