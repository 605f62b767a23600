import numpy as np

from foretaste.artifacts.history import last_times


def test_a_repeated_pair_keeps_its_last_time():
    # By user and item: (0, 1) at 5 and 9, (0, 2) at 3, (1, 1) at 4.
    user_N = np.array([1, 0, 0, 0], dtype=np.int32)
    item_N = np.array([1, 1, 2, 1], dtype=np.int32)
    assert last_times(user_N, item_N, np.array([4, 9, 3, 5])).tolist() == [9, 3, 4]


def test_no_events_have_no_times():
    nothing = np.zeros(0, dtype=np.int32)
    assert last_times(nothing, nothing, np.zeros(0, dtype=np.int64)).tolist() == []
