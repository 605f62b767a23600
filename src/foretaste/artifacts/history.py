"""What each user met, on disk: a sparse matrix and, where the data has timestamps, when it was."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from foretaste.arrays import IntArray, LongArray
from foretaste.artifacts.mapped import map_npy

_MATRIX_FILES = ("history_weights.npy", "history_indices.npy", "history_indptr.npy")
_TIMESTAMPS_FILE = "history_timestamps.npy"


class History(NamedTuple):
    """Events by user and item, repeated pairs as one."""

    weights_UI: sparse.csr_array
    """Summed weights, float32, indices sorted within a row."""
    timestamp_N: LongArray | None
    """Last event of each pair, UTC seconds, in the order of `weights_UI.indices`; None for data without timestamps."""


def last_times(user_N: IntArray, item_N: IntArray, timestamp_N: LongArray) -> LongArray:
    """The latest timestamp of each pair of a user and an item, by user and then by item."""
    order_N = np.lexsort((timestamp_N, item_N, user_N))
    pair_2N = np.stack((user_N, item_N))[:, order_N]
    is_last_N = np.ones(len(order_N), dtype=bool)
    is_last_N[:-1] = (pair_2N[:, 1:] != pair_2N[:, :-1]).any(axis=0)
    return timestamp_N[order_N][is_last_N]


def write_history(folder: Path, history: History) -> None:
    """Write the three arrays of the matrix and, where there are any, the timestamps."""
    weights_UI = history.weights_UI
    assert weights_UI.has_sorted_indices and weights_UI.dtype == np.float32
    for name, array in zip(_MATRIX_FILES, (weights_UI.data, weights_UI.indices, weights_UI.indptr), strict=True):
        np.save(folder / name, array, allow_pickle=False)
    if history.timestamp_N is not None:
        assert len(history.timestamp_N) == weights_UI.nnz
        np.save(folder / _TIMESTAMPS_FILE, history.timestamp_N, allow_pickle=False)


def read_history(folder: Path, shape: tuple[int, int], *, verify: bool) -> History:
    """The history, mapped.

    Args:
        folder: of the bundle.
        shape: users and items.
        verify: look at every index, which reads them all.

    Raises:
        ValueError: the arrays do not fit together or the shape.
    """
    weights_UI = sparse.csr_array(tuple(map_npy(folder / name) for name in _MATRIX_FILES), shape=shape)
    weights_UI.check_format(full_check=verify)
    timestamp_N = map_npy(folder / _TIMESTAMPS_FILE) if (folder / _TIMESTAMPS_FILE).exists() else None
    if timestamp_N is not None and len(timestamp_N) != weights_UI.nnz:
        raise ValueError(f"{_TIMESTAMPS_FILE}: {len(timestamp_N)} timestamps for {weights_UI.nnz} pairs")
    return History(weights_UI, timestamp_N)
