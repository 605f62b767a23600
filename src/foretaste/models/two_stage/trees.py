"""A sum of decision trees as arrays, so that what LightGBM has learnt is served without it.

A tree is not walked: every node strikes out the leaves that a row cannot come to, and of those that are left the first
is the row's (QuickScorer: Lucchese et al., SIGIR 2015). There is no branch to guess, and rows are done side by side.
"""

from typing import Any, NamedTuple, Self

import numba
import numpy as np
import numpy.typing as npt

from foretaste.arrays import DoubleArray, FloatArray, IntArray
from foretaste.models.lanes import lowest_one
from foretaste.models.protocol import State
from foretaste.models.read_only import read_only

MOST_LEAVES = 64
"""Leaves of a tree are bits of a word."""
_ROWS = 256
"""Rows at a time: their words stay in the first-level cache."""
_EVERY_LEAF = (1 << MOST_LEAVES) - 1


class Trees(NamedTuple):
    """T trees of X nodes and L leaves in all, each tree's side by side, leaves from left to right."""

    node_end_T: IntArray
    """Where the nodes of each tree end."""
    leaf_start_T: IntArray
    """Where the leaves of each tree begin."""
    feature_X: IntArray
    """The column that each node looks at."""
    threshold_X: FloatArray
    """A row with more goes to the right; one with as much, or less, to the left."""
    kept_X: npt.NDArray[np.uint64]
    """The leaves that are left to a row that goes to the right."""
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
        return cls(**{name: read_only(state[f"trees_{name}"]) for name in cls._fields})

    def evaluate(self, feature_NF: FloatArray, *, alone: bool = False) -> DoubleArray:
        """sum_N: for each row the sum of the leaves it comes to, added in the order of the trees.

        Args:
            feature_NF: float32, finite.
            alone: stay on the calling thread.
        """
        sum_N = np.empty(len(feature_NF))
        (_evaluate_rows if alone else _evaluate_parallel)(self, feature_NF, sum_N)
        return sum_N


def trees_of(model: dict[str, Any]) -> Trees:
    """The trees of a model of LightGBM, as its `Booster.dump_model()` tells them.

    Only what a ranker over finite numbers has: numerical splits, one value a leaf, and at most `MOST_LEAVES` leaves.
    """
    node_end, leaf_start, features, thresholds, kept = [], [], [], [], []
    values: list[float] = []
    lowest = 0.0

    def add(node: dict[str, Any], first: int) -> None:
        """Append what is below a node, where the leaves of its tree begin at `first`."""
        if "leaf_value" in node:
            values.append(float(node["leaf_value"]))
            return
        assert node["decision_type"] == "<="
        begin = len(values) - first
        add(node["left_child"], first)
        end = len(values) - first
        features.append(int(node["split_feature"]))
        thresholds.append(_at_most(float(node["threshold"])))
        kept.append(_EVERY_LEAF & ~((1 << end) - (1 << begin)))
        add(node["right_child"], first)

    for tree in model["tree_info"]:
        first = len(values)
        leaf_start.append(first)
        add(tree["tree_structure"], first)
        assert len(values) - first <= MOST_LEAVES
        node_end.append(len(features))
        lowest += min(values[first:])
    return Trees(
        read_only(np.array(node_end, dtype=np.int32)),
        read_only(np.array(leaf_start, dtype=np.int32)),
        read_only(np.array(features, dtype=np.int32)),
        read_only(np.array(thresholds, dtype=np.float32)),
        read_only(np.array(kept, dtype=np.uint64)),
        read_only(np.array(values, dtype=np.float64)),
        read_only(np.array([lowest])),
    )


def _at_most(threshold: float) -> np.float32:
    """The largest float32 that is no larger: a float32 is ≤ the one where it is ≤ the other."""
    nearest = np.float32(threshold)
    return nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-np.inf))


@numba.njit(cache=True, nogil=True)
def _evaluate_block(trees: Trees, feature_NF: FloatArray, sum_N: DoubleArray) -> None:  # pragma: no cover
    """At most _ROWS rows."""
    num_rows = len(sum_N)
    feature_FN = feature_NF.T.copy()
    leaves_N = np.empty(num_rows, dtype=np.uint64)
    sum_N[:] = 0.0
    node = 0
    for tree in range(len(trees.node_end_T)):
        leaves_N[:] = ~np.uint64(0)
        while node < trees.node_end_T[tree]:
            column_N, threshold = feature_FN[trees.feature_X[node]], trees.threshold_X[node]
            kept, every = trees.kept_X[node], ~np.uint64(0)
            for n in range(num_rows):
                leaves_N[n] &= kept if column_N[n] > threshold else every
            node += 1
        first = trees.leaf_start_T[tree]
        for n in range(num_rows):
            sum_N[n] += trees.value_L[first + lowest_one(leaves_N[n])]


@numba.njit(cache=True, nogil=True)
def _evaluate_rows(trees: Trees, feature_NF: FloatArray, sum_N: DoubleArray) -> None:  # pragma: no cover
    for start in range(0, len(sum_N), _ROWS):
        _evaluate_block(trees, feature_NF[start : start + _ROWS], sum_N[start : start + _ROWS])


@numba.njit(cache=True, parallel=True)
def _evaluate_parallel(trees: Trees, feature_NF: FloatArray, sum_N: DoubleArray) -> None:  # pragma: no cover
    for block in numba.prange((len(sum_N) + _ROWS - 1) // _ROWS):
        start = block * _ROWS
        _evaluate_block(trees, feature_NF[start : start + _ROWS], sum_N[start : start + _ROWS])
