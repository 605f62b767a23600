"""Which pairs of a user and an item a bundle and other data share, found by their ids."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from foretaste.arrays import UNKNOWN, BoolArray, IntArray, LongArray
from foretaste.artifacts.bundle import Bundle
from foretaste.data.interactions import Interactions


def known_pairs(bundle: Bundle, events: Interactions) -> BoolArray:
    """True for the events whose user has met the item in the training of the bundle already."""
    own_user_N = bundle.users.indices(events.users.ids)[events.user_N]
    own_item_N = bundle.items.indices(events.items.ids)[events.item_N]
    return _are_in(bundle.history.weights_UI, own_user_N, own_item_N)


def kept_pairs(bundle: Bundle, events: Interactions) -> tuple[int, int]:
    """Pairs of the bundle whose last event is of the time that the events cover, and how many of them are among these.

    Without timestamps every pair is of that time.
    """
    stored, times_N = bundle.history.weights_UI.tocoo(), bundle.history.timestamp_N
    of_now_N = np.ones(len(stored.row), dtype=bool)
    if times_N is not None and events.timestamp_N is not None:
        of_now_N = times_N >= events.timestamp_N.min(initial=np.iinfo(np.int64).max)
    user_N = events.users.indices(bundle.users.ids)[stored.row[of_now_N]]
    item_N = events.items.indices(bundle.items.ids)[stored.col[of_now_N]]
    return len(user_N), int(_are_in(events.to_csr(), user_N, item_N).sum())


def _are_in(matrix_UI: sparse.csr_array, user_N: IntArray, item_N: IntArray) -> BoolArray:
    """True for the pairs that a matrix with sorted indices has an entry for; -1 is in none."""
    num_items = matrix_UI.shape[1]
    # In the order of rows and then of columns, so ascending: a look-up is a binary search.
    key_M = _keys(np.repeat(np.arange(matrix_UI.shape[0]), np.diff(matrix_UI.indptr)), matrix_UI.indices, num_items)
    if not len(key_M):
        return np.zeros(len(user_N), dtype=bool)
    key_N = _keys(user_N, item_N, num_items)
    place_N = np.minimum(np.searchsorted(key_M, key_N), len(key_M) - 1)
    return np.asarray((key_M[place_N] == key_N) & (user_N != UNKNOWN) & (item_N != UNKNOWN))


def _keys(user_N: npt.NDArray[np.integer], item_N: npt.NDArray[np.integer], num_items: int) -> LongArray:
    keys_N: LongArray = user_N.astype(np.int64) * num_items + item_N
    return keys_N
