import numpy as np
import pytest

from foretaste.arrays import EMPTY_SLOT
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.windows import average, by_user, mean
from foretaste.models.protocol import TopK


def judged(users=None, **values):
    size = len(next(iter(values.values())))
    user_B = np.arange(size, dtype=np.int32) if users is None else np.array(users, dtype=np.int32)
    top = TopK(np.full((size, 1), EMPTY_SLOT, dtype=np.int32), np.zeros((size, 1), dtype=np.float32))
    arrays = {name: np.array(value_B, dtype=float) for name, value_B in values.items()}
    nobody = np.zeros(size, dtype=bool)
    return Evaluation(user_B, arrays, np.ones(size, dtype=np.int32), nobody, top, "all")


def test_each_window_counts_alike_however_many_users_it_has():
    windows = [judged(ndcg=[1.0]), judged(ndcg=[0.0, 0.5, 0.0, 0.5])]
    assert mean(windows, "ndcg") == pytest.approx((1 + 0.25) / 2)
    told = average(windows)["ndcg"]
    assert told.mean == pytest.approx((1 + 0.25) / 2)
    # The first window has no spread, so that half of the second's is left.
    second = windows[1].estimates["ndcg"]
    assert told.high - told.low == pytest.approx((second.high - second.low) / 2)


def test_who_is_not_defined_is_left_out_and_so_is_a_metric_that_a_window_lacks():
    windows = [judged(ndcg=[1.0, 1.0], lift=[np.nan, 3.0], auc=[0.5, 0.5]), judged(ndcg=[0.0], lift=[1.0])]
    told = average(windows)
    assert list(told) == ["ndcg", "lift"]
    assert told["lift"].mean == pytest.approx(2)


def test_a_user_of_several_windows_counts_once():
    windows = [judged(users=[2, 7], ndcg=[1.0, 0.2]), judged(users=[0, 2], ndcg=[0.5, 0.0])]
    # User 0 in one window, user 2 in both, user 7 in one.
    assert by_user(windows, "ndcg") == pytest.approx([0.5, 0.5, 0.2])
