"""How sure a mean over users is."""

from dataclasses import dataclass

import numpy as np

from foretaste.arrays import DoubleArray

_RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean over users, and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float


def bootstrap(values_BM: DoubleArray, seed: int = 0) -> list[Estimate]:
    """Mean over users of each of M metrics, with its percentile bootstrap interval (Efron 1979, 1,000 resamples).

    All metrics share the resamples: users are drawn once, and a resample is a weight for each user.

    Args:
        values_BM: a row a user, at least one; a column a metric.
        seed: equal seeds give equal intervals.
    """
    rng = np.random.default_rng(seed)
    values_MB = np.ascontiguousarray(values_BM.T)
    num_metrics, num_users = values_MB.shape
    means_RM = np.empty((_RESAMPLES, num_metrics))
    for resample in range(_RESAMPLES):
        times_B = np.bincount(rng.integers(num_users, size=num_users), minlength=num_users)
        means_RM[resample] = values_MB @ times_B.astype(np.float64) / num_users  # BLAS takes no mixed types
    low_M, high_M = np.quantile(means_RM, [0.025, 0.975], axis=0)
    return [
        Estimate(float(value_B.mean()), float(low), float(high))
        for value_B, low, high in zip(values_MB, low_M, high_M, strict=True)
    ]
