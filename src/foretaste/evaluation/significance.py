"""How sure a mean over users is, and how sure the difference between two models.

Two models are compared user by user, on the same held-out events: what makes one user easier than another falls out.
Smucker, Allan and Carterette 2007 compared the tests on retrieval runs: permutation, bootstrap and t agree, while
Wilcoxon may find differences that are none of the mean, for it asks about ranks. So the verdict here is that of the
permutation test; Wilcoxon stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from foretaste.arrays import DoubleArray

_RESAMPLES = 1000
_FLIPS = 10_000
"""Random sign patterns of the permutation test: the smallest p is 1 / 10,001."""
_EXACT_UP_TO = 13
"""Differences other than zero up to which all sign patterns are tried: 2^13 are fewer than the random ones."""
_CELLS_A_BLOCK = 4_000_000
"""Signs that are held at a time: 32 MB as float64."""

SIGNIFICANCE_LEVEL = 0.05
"""A corrected p below it makes a difference real: of families of comparisons without any, one in twenty errs."""


@dataclass(frozen=True)
class Estimate:
    """A mean over users, and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float


def bootstrap(values_BM: DoubleArray, seed: int = 0) -> list[Estimate]:
    """Mean over users of each of M metrics, with its percentile bootstrap interval (Efron 1979, 1,000 resamples).

    All metrics share the resamples: users are drawn once, and a resample is a weight for each user. Given differences
    between two models, it is the paired bootstrap.

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


def estimates_of(values: Mapping[str, DoubleArray]) -> dict[str, Estimate]:
    """Mean and interval of each metric over the users for whom it is defined.

    Args:
        values: metric → a value per user, NaN where it is not defined; defined for at least one.
    """
    whole = [name for name, value_B in values.items() if not np.isnan(value_B).any()]
    found = dict(zip(whole, bootstrap(np.column_stack([values[name] for name in whole])), strict=True)) if whole else {}
    for name, value_B in values.items():
        if name not in found:
            found[name] = bootstrap(value_B[~np.isnan(value_B)][:, None])[0]
    return {name: found[name] for name in values}


def student(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Mean of a few independent values, with the interval of Student's t (1908): mean ± t · s / √n.

    For repetitions of a whole experiment, of which there are too few to resample: with five, t is 2.78.

    Args:
        values: two at least.
        confidence: of the interval.
    """
    mean = float(np.mean(values))
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - reach, mean + reach)


def permutation_p(differences_B: DoubleArray, seed: int = 0) -> float:
    """Two-sided p of the paired permutation test of the mean (Fisher 1935), by flipping signs.

    Were the two models alike, each difference could as well have the other sign. p is the share of sign patterns whose
    mean lies at least as far from zero as the one seen: of all patterns up to 13 differences other than zero, of 10,000
    random ones and the one seen beyond (Phipson and Smyth 2010), so that it is never 0.

    Args:
        differences_B: a user's value under one model minus that under the other.
        seed: equal seeds give equal p.
    """
    sizes = np.abs(differences_B[differences_B != 0])
    if not len(sizes):
        return 1.0
    # Sums of the same numbers in another order may differ in the last digits, and must still count as equal.
    observed = abs(float(differences_B.sum())) - 1e-9 * float(sizes.sum())
    if len(sizes) <= _EXACT_UP_TO:
        patterns = (np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes))) & 1
        return float(np.mean(np.abs((2.0 * patterns - 1.0) @ sizes) >= observed))
    rng = np.random.default_rng(seed)
    beyond, done, block = 0, 0, max(1, _CELLS_A_BLOCK // len(sizes))
    while done < _FLIPS:
        count = min(block, _FLIPS - done)
        negative = np.unpackbits(np.frombuffer(rng.bytes(count * (-(-len(sizes) // 8))), dtype=np.uint8))
        negative = negative.reshape(count, -1)[:, : len(sizes)].astype(np.float64)
        beyond += int(np.sum(np.abs(sizes.sum() - 2 * (negative @ sizes)) >= observed))
        done += count
    return (1 + beyond) / (1 + _FLIPS)


def wilcoxon_p(differences_B: DoubleArray) -> float:
    """Two-sided p of the signed-rank test (Wilcoxon 1945): are positive and negative differences alike in rank?

    Users for whom both models do alike are ranked, but count for neither side (Pratt 1959); left out before ranking, as
    Wilcoxon did, they could turn a result round. The p is exact for few users, else by the normal
    approximation with its correction for ties; 1 where no user differs.
    """
    if not np.any(differences_B):
        return 1.0
    return float(stats.wilcoxon(differences_B, zero_method="pratt").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for being many (Holm 1979), in the order given.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none may be below one before it, or above 1.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = largest
    return corrected


@dataclass(frozen=True)
class Comparison:
    """One model against another on one metric, user by user."""

    model: str
    reference: str
    difference: Estimate
    """Mean of model minus reference over users, with the interval of the paired bootstrap."""
    permutation_p: float
    wilcoxon_p: float
    corrected_p: float
    """The permutation p after Holm's correction over all comparisons that were made together."""

    @property
    def is_real(self) -> bool:
        """Whether the difference is shown, all comparisons considered."""
        return self.corrected_p < SIGNIFICANCE_LEVEL


def compare(pairs: Sequence[tuple[str, str]], values: dict[str, DoubleArray], seed: int = 0) -> list[Comparison]:
    """Each (model, reference) of `pairs`, corrected for being as many as they are.

    Args:
        pairs: names in `values`.
        values: model → its value for each of the same users, in the same order.
        seed: of resamples and flips.
    """
    differences = [values[model] - values[reference] for model, reference in pairs]
    if not differences:
        return []
    estimates = bootstrap(np.column_stack(differences), seed)
    permutation = [permutation_p(one, seed) for one in differences]
    return [
        Comparison(model, reference, estimate, p, wilcoxon_p(one), corrected)
        for (model, reference), one, estimate, p, corrected in zip(
            pairs, differences, estimates, permutation, holm(permutation), strict=True
        )
    ]
