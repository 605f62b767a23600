"""The two hot steps of preparation, on integer codes: the last event of each pair, and the k-core.

A hash table over 18 million string pairs takes 5 s and 4 GB; counting codes takes a few tenths of a second and a few
bytes a row.
"""

import numba
import numpy as np

from foretaste.arrays import BoolArray, IntArray, LongArray


@numba.njit(cache=True)
def _rows_by_group(group_N: IntArray, num_groups: int) -> tuple[LongArray, IntArray]:  # pragma: no cover
    """Counting sort: the rows of group g, in order, are rows[start[g]:start[g + 1]]."""
    start = np.zeros(num_groups + 1, np.int64)
    for group in group_N:
        start[group + 1] += 1
    start = np.cumsum(start)
    place = start[:-1].copy()
    rows = np.empty(len(group_N), np.int32)
    for n in range(len(group_N)):
        rows[place[group_N[n]]] = n
        place[group_N[n]] += 1
    return start, rows


@numba.njit(cache=True)
def last_of_each_pair(
    user_N: IntArray, item_N: IntArray, timestamp_N: LongArray, num_users: int, num_items: int
) -> tuple[BoolArray, IntArray]:  # pragma: no cover
    """Which events are the last of their (user, item) pair; of equal times, the later row.

    Returns:
        is_last_N, and count_N: the events of the row's pair, set where is_last_N.
    """
    start, rows = _rows_by_group(user_N, num_users)
    is_last_N = np.ones(len(user_N), np.bool_)
    count_N = np.ones(len(user_N), np.int32)
    last_row_I = np.full(num_items, -1, np.int32)
    for user in range(num_users):
        for row in rows[start[user] : start[user + 1]]:
            item = item_N[row]
            other = last_row_I[item]
            if other < 0:
                last_row_I[item] = row
                continue
            later, earlier = (row, other) if timestamp_N[row] >= timestamp_N[other] else (other, row)
            last_row_I[item] = later
            count_N[later] = count_N[row] + count_N[other]
            is_last_N[earlier] = False
        for row in rows[start[user] : start[user + 1]]:
            last_row_I[item_N[row]] = -1
    return is_last_N, count_N


@numba.njit(cache=True)
def in_core(
    user_N: IntArray, item_N: IntArray, num_users: int, num_items: int, min_per_user: int, min_per_item: int
) -> BoolArray:  # pragma: no cover
    """The largest set of events in which each user has `min_per_user` and each item `min_per_item` of them.

    The set is unique: the order in which users and items are dropped does not matter (Seidman 1983).
    """
    of_user = np.zeros(num_users, np.int64)
    of_item = np.zeros(num_items, np.int64)
    for n in range(len(user_N)):
        of_user[user_N[n]] += 1
        of_item[item_N[n]] += 1
    kept_N = np.ones(len(user_N), np.bool_)
    changed = True
    while changed:
        changed = False
        for n in range(len(user_N)):
            if kept_N[n] and (of_user[user_N[n]] < min_per_user or of_item[item_N[n]] < min_per_item):
                kept_N[n] = False
                of_user[user_N[n]] -= 1
                of_item[item_N[n]] -= 1
                changed = True
    return kept_N
