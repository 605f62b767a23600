"""What another policy would have earned on the traffic of this one: estimates from a log with propensities.

A row of the log is an item in a slot: the policy that served gave the item that slot with probability `propensity`, and
a reward came of it. The other policy, the target, would have given it with another probability; their ratio is the
weight of the row. Rows of one cluster (a request, or a user) may depend on each other, clusters may not: intervals
treat a cluster as one draw.

- `replay`: rejection sampling. The rows that the target might have served are kept with probability in proportion to
  their weights, and their mean is taken (Li, Chu, Langford and Wang, WSDM 2011, for a log at random).
- `ips`: the mean of weight × reward (Horvitz and Thompson, 1952).
- `snips`: the same over the sum of the weights (Swaminathan and Joachims, NeurIPS 2015).
- `dr`: the value that a reward model gives the target, and the weighted mean of what it got wrong (Dudík, Langford and
  Li, ICML 2011). The model of a row has not seen its cluster.

In a slate an item's chance depends on the slots above. Where a reward depends on the slots above, too, and on none
below (a cascade), the weight of a row is the product of the ratios from the first slot down to its own, as in McInerney
et al. (KDD 2020) and, for `dr`, Kiyohara et al. (WSDM 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from pydantic import Field
from scipy import sparse, stats

from foretaste.arrays import DoubleArray, IntArray, LongArray
from foretaste.errors import EstimationError
from foretaste.evaluation.significance import Estimate
from foretaste.monitoring.reward_model import cross_fitted_rewards
from foretaste.settings import Settings

Estimator = Literal["replay", "ips", "snips", "dr"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)

_LEVEL = 0.95
_SUPPORT_LEVEL = 0.99
"""How sure it must be that weights do not average to one before an estimate is refused for it."""


class OffPolicyConfig(Settings):
    """How estimates are made, and when they are refused."""

    max_weight: float | None = Field(default=None, gt=0)
    """Larger weights are cut to it, so that a few rows do not decide alone. None cuts at √N for N rows, which keeps the
    bias below the noise (Ionides, 2008). `snips` and `dr` take it that what is cut off would do as the rest does;
    `ips` raises the upper end of its interval by all that it could have earned.
    """
    max_reward: float = Field(default=1.0, gt=0)
    """The largest reward that a row can have; the smallest is 0."""
    min_effective_rows: float = Field(default=50.0, ge=1)
    """Effective sample size, (Σ w)² / Σ w², below which an estimate is refused."""
    seed: int = Field(default=0, ge=0)
    """Of the draws of `replay`."""


@dataclass(frozen=True, eq=False)
class LoggedRows:
    """What was served, a row a slot."""

    item_N: IntArray
    """Index of the item."""
    propensity_N: DoubleArray
    """Probability with which the slot got it, given the slots above; in (0, 1]."""
    reward_N: DoubleArray
    """What came of it; in [0, max_reward]."""
    cluster_N: LongArray
    """Index of the request, or of the user where rows stand alone; from 0 on without a gap."""
    slot_N: IntArray | None = None
    """Place in the slate, from 0 on; None where each row stands alone."""

    def __len__(self) -> int:
        return len(self.item_N)


@dataclass(frozen=True)
class OffPolicyEstimate:
    """The value of the target, as the mean reward of a row."""

    estimator: Estimator
    mean: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""
    num_rows: int
    """Rows of the log."""
    effective_rows: float
    """As many rows served by the target itself would say as much: (Σ w)² / Σ w²; for `replay` the rows kept."""
    clipped_share: float
    """Share of the rows whose weight was cut."""


def estimate_value(
    rows: LoggedRows,
    target_NI: sparse.csr_array,
    estimator: Estimator = "snips",
    config: OffPolicyConfig | None = None,
) -> OffPolicyEstimate:
    """What the target would have earned on the log's traffic.

    Args:
        rows: the log.
        target_NI: probability with which the target would have given the slot of a row to each item, given the same
            slots above; rows sum to 1.
        estimator: one of `ESTIMATORS`.
        config: clipping, and when to refuse.

    Raises:
        EstimationError: the log cannot judge the target: a propensity is missing or impossible, the target would show
            what the log never could, the propensities are not those of the log, or too few rows remain.
    """
    config = config or OffPolicyConfig()
    _check_rows(rows, config)
    ratio_N = _chosen(target_NI, rows.item_N) / rows.propensity_N
    above_N = np.ones(len(rows)) if rows.slot_N is None else _product_above(ratio_N, rows.cluster_N, rows.slot_N)
    weight_N = above_N * ratio_N
    _check_support(weight_N, rows, config)
    weighted = _Weighted(rows, target_NI, weight_N, above_N, config)
    return _ESTIMATES[estimator](weighted)


def on_policy_value(rows: LoggedRows) -> Estimate:
    """The value of the policy that served: the mean reward of its rows."""
    return _ratio(rows.reward_N, np.ones(len(rows)), rows.cluster_N, _LEVEL)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """A log, and what it says of a target."""

    rows: LoggedRows
    target_NI: sparse.csr_array
    weight_N: DoubleArray
    above_N: DoubleArray
    """The part of the weight that the slots above have."""
    config: OffPolicyConfig

    def cut(self, weight_N: DoubleArray) -> DoubleArray:
        return np.minimum(weight_N, _largest_weight(self.config, len(weight_N)))

    def estimate(
        self, estimator: Estimator, gain_N: DoubleArray, size_N: DoubleArray, used_N: DoubleArray, hidden: float = 0.0
    ) -> OffPolicyEstimate:
        """Σ gain / Σ size; `hidden` is what cutting weights may have cost at most."""
        interval = _ratio(gain_N, size_N, self.rows.cluster_N, _LEVEL)
        return OffPolicyEstimate(
            estimator=estimator,
            mean=interval.mean,
            low=max(interval.low, 0.0),
            high=min(interval.high + hidden, self.config.max_reward),
            num_rows=len(self.rows),
            effective_rows=_effective_rows(used_N),
            clipped_share=float(np.mean(self.weight_N > self.cut(self.weight_N))),
        )


def _replay(log: _Weighted) -> OffPolicyEstimate:
    draw_N = np.random.default_rng(log.config.seed).random(len(log.rows))
    is_kept_N = draw_N * log.weight_N.max() < log.weight_N
    if is_kept_N.sum() < log.config.min_effective_rows:
        raise EstimationError(
            f"replay keeps {int(is_kept_N.sum())} of {len(log.rows):,} rows, fewer than "
            f"{log.config.min_effective_rows:g}; use snips, which wastes none, or a longer log."
        )
    kept_N = is_kept_N.astype(np.float64)
    return log.estimate("replay", kept_N * log.rows.reward_N, kept_N, kept_N)


def _ips(log: _Weighted) -> OffPolicyEstimate:
    cut_N = log.cut(log.weight_N)
    # Weights average to one over the log's chances: what the cut ones lack of it is what the cut hides.
    hidden = log.config.max_reward * max(0.0, 1.0 - float(cut_N.mean())) if (cut_N < log.weight_N).any() else 0.0
    return log.estimate("ips", cut_N * log.rows.reward_N, np.ones(len(log.rows)), cut_N, hidden)


def _snips(log: _Weighted) -> OffPolicyEstimate:
    cut_N = log.cut(log.weight_N)
    return log.estimate("snips", cut_N * log.rows.reward_N, cut_N, cut_N)


def _dr(log: _Weighted) -> OffPolicyEstimate:
    rows, cut_N = log.rows, log.cut(log.weight_N)
    slot_N = np.zeros_like(rows.item_N) if rows.slot_N is None else rows.slot_N
    own_N, target_N = cross_fitted_rewards(rows.item_N, slot_N, rows.reward_N, rows.cluster_N, log.target_NI)
    gain_N = log.cut(log.above_N) * target_N + cut_N * (rows.reward_N - own_N)
    return log.estimate("dr", gain_N, np.ones(len(rows)), cut_N)


_ESTIMATES: dict[Estimator, Callable[[_Weighted], OffPolicyEstimate]] = {
    "replay": _replay,
    "ips": _ips,
    "snips": _snips,
    "dr": _dr,
}


def _ratio(gain_N: DoubleArray, size_N: DoubleArray, cluster_N: LongArray, level: float) -> Estimate:
    """Σ gain / Σ size, with the delta method's interval over clusters, by Student's t."""
    gain_C, size_C = np.bincount(cluster_N, weights=gain_N), np.bincount(cluster_N, weights=size_N)
    num_clusters = len(gain_C)
    mean = float(gain_C.sum() / size_C.sum())
    influence_C = (gain_C - mean * size_C) / size_C.mean()
    others = max(num_clusters - 1, 1)
    error = float(np.sqrt(np.square(influence_C).sum() / others / num_clusters))
    margin = float(stats.t.ppf(0.5 + level / 2, others)) * error
    return Estimate(mean, mean - margin, mean + margin)


def _largest_weight(config: OffPolicyConfig, num_rows: int) -> float:
    return float(np.sqrt(num_rows)) if config.max_weight is None else config.max_weight


def _chosen(target_NI: sparse.csr_array, item_N: IntArray) -> DoubleArray:
    """The target's probability of the item that was served."""
    return np.asarray(target_NI[np.arange(len(item_N)), item_N], dtype=np.float64).ravel()


def _product_above(ratio_N: DoubleArray, cluster_N: LongArray, slot_N: IntArray) -> DoubleArray:
    """The product of the ratios of the slots above, within a slate; 1 for the first slot."""
    order_N = np.lexsort((slot_N, cluster_N))
    ratio_N, cluster_N = ratio_N[order_N], cluster_N[order_N]
    row_N = np.arange(len(ratio_N))
    begins_N = np.r_[True, cluster_N[1:] != cluster_N[:-1]]
    depth_N = row_N - np.maximum.accumulate(np.where(begins_N, row_N, 0))
    product_N = np.ones(len(ratio_N))
    for depth in range(1, int(depth_N.max(initial=0)) + 1):  # over all slates at once: slates are short, logs long
        at = np.flatnonzero(depth_N == depth)
        product_N[at] = product_N[at - 1] * ratio_N[at - 1]
    above_N = np.empty_like(product_N)
    above_N[order_N] = product_N
    return above_N


def _effective_rows(weight_N: DoubleArray) -> float:
    square = float(np.square(weight_N).sum())
    return float(weight_N.sum()) ** 2 / square if square > 0 else 0.0


def _check_rows(rows: LoggedRows, config: OffPolicyConfig) -> None:
    if len(rows) == 0:
        raise EstimationError("the log holds no rows to judge a policy by; widen the window.")
    wrong_N = ~((rows.propensity_N > 0) & (rows.propensity_N <= 1))
    if wrong_N.any():
        first = int(np.flatnonzero(wrong_N)[0])
        raise EstimationError(
            f"{int(wrong_N.sum()):,} of {len(rows):,} rows have no propensity in (0, 1], row {first} has "
            f"{rows.propensity_N[first]}; only a log with the true chance of each item can judge another policy."
        )
    outside_N = ~((rows.reward_N >= 0) & (rows.reward_N <= config.max_reward))
    if outside_N.any():
        first = int(np.flatnonzero(outside_N)[0])
        raise EstimationError(
            f"{int(outside_N.sum()):,} of {len(rows):,} rewards are not in [0, {config.max_reward:g}], row {first} has "
            f"{rows.reward_N[first]}; set max_reward to the largest possible one."
        )


def _check_support(weight_N: DoubleArray, rows: LoggedRows, config: OffPolicyConfig) -> None:
    """Over the log's own chances weights average to one, as far as the log could show what the target would."""
    share = _ratio(weight_N, np.ones(len(rows)), rows.cluster_N, _SUPPORT_LEVEL)
    if share.high < 1:
        chance = "" if (rows.propensity_N < 1).any() else " (the log is greedy: every propensity is 1)"
        raise EstimationError(
            f"the log could have shown only about {share.mean:.0%} [{max(share.low, 0):.0%} {share.high:.0%}] of what "
            f"this policy would show{chance}; log with a policy that tries other items, such as epsilon_greedy."
        )
    if share.low > 1:
        raise EstimationError(
            f"weights average to {share.mean:.2f} where they must average to 1: the log's propensities are not the "
            f"chances that its items had. Check the policy that wrote them."
        )
    effective = _effective_rows(np.minimum(weight_N, _largest_weight(config, len(rows))))
    if effective < config.min_effective_rows:
        raise EstimationError(
            f"{len(rows):,} rows say as much about this policy as {effective:.0f} of its own, fewer than "
            f"{config.min_effective_rows:g}; take a longer window, or judge a policy closer to the one that served."
        )
