"""Several test windows as one figure (rolling origin: Tashman 2000)."""

from collections.abc import Sequence
from math import hypot

import numpy as np

from foretaste.arrays import DoubleArray, IntArray
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.significance import Estimate


def mean(windows: Sequence[Evaluation], metric: str) -> float:
    """The mean over windows of one metric, each window alike however many users it has."""
    return float(np.mean([window.mean(metric) for window in windows]))


def by_user(windows: Sequence[Evaluation], metric: str) -> DoubleArray:
    """value_V: the mean of each of V users over the windows in which the user was judged, in the order of the indices.

    For a paired test over all windows: two values of one user are not independent, so each user counts once.

    Args:
        windows: over one vocabulary of users.
        metric: defined for every user.
    """
    return mean_by_user(
        np.concatenate([window.user_B for window in windows]),
        np.concatenate([window.values[metric] for window in windows]),
    )


def mean_by_user(user_N: IntArray, value_N: DoubleArray) -> DoubleArray:
    """value_V: the mean of each of the V users that occur in `user_N`, in the order of the indices."""
    _, row_N, times_V = np.unique(user_N, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(row_N, weights=value_N) / times_V)


def average(windows: Sequence[Evaluation]) -> dict[str, Estimate]:
    """The mean over windows of each metric, with its interval; a metric that one of them lacks is left out.

    Half an interval is √(Σ halves²) / windows, below and above apart: as if no user were in two windows.
    """
    metrics = [metric for metric in windows[0].values if all(metric in window.values for window in windows)]
    return {metric: _average([window.estimates[metric] for window in windows]) for metric in metrics}


def _average(estimates: Sequence[Estimate]) -> Estimate:
    middle = float(np.mean([one.mean for one in estimates]))
    below = hypot(*(one.mean - one.low for one in estimates)) / len(estimates)
    above = hypot(*(one.high - one.mean for one in estimates)) / len(estimates)
    return Estimate(middle, middle - below, middle + above)
