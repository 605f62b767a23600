import numpy as np
import pytest

from foretaste.arrays import EMPTY_SLOT
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.windows import average, mean
from foretaste.models.protocol import TopK


def judged(**values):
    size = len(next(iter(values.values())))
    top = TopK(np.full((size, 1), EMPTY_SLOT, dtype=np.int32), np.zeros((size, 1), dtype=np.float32))
    arrays = {name: np.array(value_B, dtype=float) for name, value_B in values.items()}
    nobody = np.zeros(size, dtype=bool)
    return Evaluation(np.arange(size, dtype=np.int32), arrays, np.ones(size, dtype=np.int32), nobody, top, "all")


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
