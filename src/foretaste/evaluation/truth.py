"""How far a biased test is from the truth: the order of models on what people chose, and on what was drawn for them.

A usual test holds out events that people chose from what they were shown. Where a source also brings ratings of items
that were drawn uniformly at random, a test on those has no such bias, and the two can be held against each other
(Marlin and Zemel 2009, Schnabel et al. 2016).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from foretaste.arrays import DoubleArray, IntArray
from foretaste.data.interactions import Interactions
from foretaste.evaluation.metrics import METRICS
from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.evaluation.significance import Estimate, bootstrap

_RESAMPLES = 1000


def truth_test(truth: Interactions, history: Interactions, min_rating: float) -> tuple[Interactions, Interactions]:
    """The test that the truth makes: what users liked of what was drawn for them, and all that was drawn.

    Pairs that the history holds are left out of both: a model knows them already.

    Args:
        truth: ratings as weights.
        history: what the models know.
        min_rating: an item with such a rating or a higher one is liked.

    Returns:
        liked, the held-out events, and drawn, the candidates that they are ranked among.
    """
    keys_N = truth.user_N.astype(np.int64) * truth.num_items + truth.item_N
    known_N = history.user_N.astype(np.int64) * history.num_items + history.item_N
    is_unmet_N = ~np.isin(keys_N, known_N)
    return truth.select(is_unmet_N & (truth.weight_N >= min_rating)), truth.select(is_unmet_N)


def truth_protocol(config: EvaluationConfig) -> EvaluationConfig:
    """The drawn items alone compete, for of no other is it known whether the user would like it."""
    measured = tuple(name for name in config.metrics if METRICS[name].kind in ("hits", "ranking"))
    return config.model_copy(update={"candidates": "given", "candidate_file": None, "metrics": measured})


@dataclass(frozen=True)
class Swap:
    """Two models that the tests put in opposite order."""

    better: str
    """The better one in truth."""
    worse: str
    biased: Estimate
    """Better minus worse on the biased test: not above zero."""
    unbiased: Estimate
    """Better minus worse on the unbiased test: above zero."""

    @property
    def is_shown(self) -> bool:
        """Whether neither difference may be zero, by its 95 % interval."""
        return self.biased.high < 0 < self.unbiased.low


@dataclass(frozen=True)
class Agreement:
    """The order of models on a biased and on an unbiased test."""

    metric: str
    biased: dict[str, Estimate]
    """Model → its figure on what people chose."""
    unbiased: dict[str, Estimate]
    """Model → its figure on what was drawn for them."""
    num_biased_users: int
    num_unbiased_users: int
    kendall_tau: Estimate
    """1: the same order; 0: as many pairs the one way as the other; -1: the reverse."""
    swaps: Sequence[Swap]
    """The pairs in opposite order, the largest difference in truth first."""
    candidates: str = "all"
    """What was ranked on the biased test, as the protocol has it: `all` is every item."""

    @property
    def num_pairs(self) -> int:
        """Pairs of models."""
        return len(self.biased) * (len(self.biased) - 1) // 2

    def summary(self) -> list[str]:
        """What it comes to, in plain words."""
        tau, shown = self.kendall_tau, [swap for swap in self.swaps if swap.is_shown]
        first = [max(figures, key=lambda name: figures[name].mean) for figures in (self.biased, self.unbiased)]
        told = [
            f"The biased test puts {self.num_pairs - len(self.swaps)} of {self.num_pairs} pairs of models in their "
            f"true order: Kendall's tau {tau.mean:.2f} [{tau.low:.2f} {tau.high:.2f}].",
            f"Both tests find {first[0]} best."
            if first[0] == first[1]
            else f"The biased test finds {first[0]} best; in truth {first[1]} is.",
        ]
        told += [
            f"{swap.better} is better than {swap.worse} in truth ({_signed(swap.unbiased)}), and worse on the biased "
            f"test ({_signed(swap.biased)}){'' if swap.is_shown else '; one of the two may be chance'}."
            for swap in self.swaps
        ]
        if self.swaps and not shown:
            told.append("No swap is certain: more users would be needed to say that the biased test misleads.")
        return told

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, with metric objects."""
        return {
            "metric": self.metric,
            "candidates": self.candidates,
            "kendall_tau": vars(self.kendall_tau),
            "pairs": self.num_pairs,
            "users": {"biased": self.num_biased_users, "unbiased": self.num_unbiased_users},
            "models": [
                {"model": name, "biased": vars(self.biased[name]), "unbiased": vars(self.unbiased[name])}
                for name in self.biased
            ],
            "swaps": [
                {
                    "better": swap.better,
                    "worse": swap.worse,
                    "biased": vars(swap.biased),
                    "unbiased": vars(swap.unbiased),
                    "is_shown": swap.is_shown,
                }
                for swap in self.swaps
            ],
            "summary": self.summary(),
        }


def kendall_tau(first_RM: DoubleArray, second_RM: DoubleArray) -> DoubleArray:
    """Kendall's tau (1938) of M figures in two orders, for each of R rows.

    The mean over pairs of sign(difference in the first) × sign(difference in the second); an equal pair counts 0.
    """
    rows, columns = np.triu_indices(first_RM.shape[1], k=1)
    agree_RP = np.sign(first_RM[:, rows] - first_RM[:, columns]) * np.sign(second_RM[:, rows] - second_RM[:, columns])
    return np.asarray(agree_RP.mean(axis=1))


def agreement(
    metric: str,
    models: Sequence[str],
    biased_UM: DoubleArray,
    unbiased_UM: DoubleArray,
    seed: int = 0,
    *,
    candidates: str = "all",
) -> Agreement:
    """Hold the biased test against the unbiased one.

    The interval of tau is that of the bootstrap over users: a user is drawn with what both tests say of them. Resampled
    figures scatter more than the true ones, so that the interval leans towards 0.

    Args:
        metric: what the values are, as in ndcg@10.
        models: M names, at least two.
        biased_UM, unbiased_UM: a row a user, the same users in both; NaN for a user whom a test did not judge.
        seed: equal seeds give equal intervals.
        candidates: what was ranked on the biased test.
    """
    assert len(models) >= 2
    both_UM = np.hstack([biased_UM, unbiased_UM])
    is_judged_UM = np.isfinite(both_UM)
    sums_UM, num_users, rng = np.where(is_judged_UM, both_UM, 0.0), len(both_UM), np.random.default_rng(seed)
    means_RM = np.empty((_RESAMPLES, both_UM.shape[1]))
    for resample in range(_RESAMPLES):
        times_U = np.bincount(rng.integers(num_users, size=num_users), minlength=num_users).astype(np.float64)
        means_RM[resample] = (times_U @ sums_UM) / np.maximum(times_U @ is_judged_UM.astype(np.float64), 1.0)
    tau_R = kendall_tau(*np.hsplit(means_RM, 2))
    mean_M = np.nanmean(both_UM, axis=0)[None]
    low, high = np.quantile(tau_R, [0.025, 0.975])
    tau = Estimate(float(kendall_tau(*np.hsplit(mean_M, 2))[0]), float(low), float(high))
    rows_U: list[IntArray] = [np.flatnonzero(is_judged_UM[:, place]).astype(np.int32) for place in (0, len(models))]
    biased, unbiased = biased_UM[rows_U[0]], unbiased_UM[rows_U[1]]
    return Agreement(
        metric,
        dict(zip(models, bootstrap(biased, seed), strict=True)),
        dict(zip(models, bootstrap(unbiased, seed), strict=True)),
        len(biased),
        len(unbiased),
        tau,
        _swaps(models, biased, unbiased, seed),
        candidates,
    )


def _swaps(models: Sequence[str], biased_BM: DoubleArray, unbiased_BM: DoubleArray, seed: int) -> list[Swap]:
    found = []
    for one, other in combinations(range(len(models)), 2):
        in_truth = unbiased_BM[:, one] - unbiased_BM[:, other]
        better, worse = (one, other) if in_truth.mean() > 0 else (other, one)
        on_test = biased_BM[:, better] - biased_BM[:, worse]
        if in_truth.mean() == 0 or on_test.mean() > 0:
            continue
        (unbiased,) = bootstrap((unbiased_BM[:, better] - unbiased_BM[:, worse])[:, None], seed)
        (biased,) = bootstrap(on_test[:, None], seed)
        found.append(Swap(models[better], models[worse], biased, unbiased))
    return sorted(found, key=lambda swap: -swap.unbiased.mean)


def _signed(estimate: Estimate) -> str:
    return f"{estimate.mean:+.4f} [{estimate.low:+.4f} {estimate.high:+.4f}]"
