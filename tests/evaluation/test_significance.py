import numpy as np
import pytest

from foretaste.evaluation.significance import bootstrap


def test_the_interval_is_that_of_the_mean():
    # 400 users, half 0 and half 1: the standard error is 0.5 / 20, the interval about 1.96 of them to each side.
    values = np.tile([0.0, 1.0], 200)[:, None]
    (estimate,) = bootstrap(values)
    assert estimate.mean == 0.5
    assert estimate.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.008)
    assert estimate.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.008)


def test_equal_seeds_give_equal_intervals_and_metrics_share_the_resamples():
    values = np.random.default_rng(0).random((50, 1))
    first, second = bootstrap(np.hstack([values, values]))
    assert first == second
    assert first.mean == values[:, 0].mean()
    assert bootstrap(values) == bootstrap(values) != bootstrap(values, seed=1)


def test_one_user_has_no_spread():
    (estimate,) = bootstrap(np.array([[0.25]]))
    assert (estimate.low, estimate.mean, estimate.high) == (0.25, 0.25, 0.25)
