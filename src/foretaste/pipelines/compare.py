"""Which differences between models are real: every model of one or several runs, user by user."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import polars as pl

from foretaste.arrays import DoubleArray
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ArtifactError, ConfigError
from foretaste.evaluation.metrics import METRICS, name_of
from foretaste.evaluation.significance import Comparison, Estimate, bootstrap, compare
from foretaste.evaluation.truth import Agreement, agreement
from foretaste.pipelines.recorded_outcomes import (
    Candidate,
    chosen_windows,
    named_candidates,
    outcome_over_windows,
    outcome_per_user,
    refuse_incomparable,
)
from foretaste.pipelines.run_record import RunRecord


@dataclass(frozen=True)
class ComparedModel:
    """A row of the table."""

    candidate: Candidate
    estimate: Estimate
    comparison: Comparison | None
    """Against the reference; None for the reference itself."""
    metrics: dict[str, Any]
    """The metric objects of the window that was compared; of several windows pooled, the compared metric alone."""

    def to_json(self) -> dict[str, Any]:
        """With the metric objects of the run."""
        against = self.comparison
        return {
            "model": self.candidate.name,
            "type": self.candidate.run.model(self.candidate.label)["type"],
            "run_id": self.candidate.run.run_id,
            "metrics": self.metrics,
            "against_reference": None if against is None else comparison_json(against),
        }


@dataclass(frozen=True)
class ComparisonTable:
    """Models on the same held-out events, by one metric, the best first."""

    metric: str
    num_users: int
    candidates: str
    """What was ranked, as the protocol has it: `all` is every item."""
    reference: str
    windows: Sequence[int]
    """Numbers of the test windows that were compared, the oldest that there is being 1. Of several, each user counts
    once, with the mean of those in which the user was judged."""
    num_windows: int
    """Test windows that there are: 1 unless the split rolls."""
    models: Sequence[ComparedModel]
    pairs: Sequence[Comparison]
    """Every pair, where that was asked for: the better one first, corrected over all of them."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "metric": self.metric,
            "users": self.num_users,
            "candidates": self.candidates,
            "windows": list(self.windows),
            "num_windows": self.num_windows,
            "reference": self.reference,
            "models": [model.to_json() for model in self.models],
            "pairs": [
                {"model": pair.model, "reference": pair.reference, **comparison_json(pair)} for pair in self.pairs
            ],
            "summary": self.summary(),
        }

    def summary(self) -> list[str]:
        """What the table says, in plain words."""
        against = [model.comparison for model in self.models if model.comparison is not None]
        higher = [one.model for one in against if one.is_real and one.difference.mean > 0]
        lower = [one.model for one in against if one.is_real and one.difference.mean < 0]
        open_ = [one.model for one in against if not one.is_real]
        high, low = _words(self.metric)
        told = []
        if higher:
            told.append(f"Really {high} than {self.reference}: {', '.join(higher)}.")
        if lower:
            told.append(f"Really {low} than {self.reference}: {', '.join(lower)}.")
        if open_:
            told.append(
                f"Not shown to differ from {self.reference}: {', '.join(open_)}. "
                f"That is no proof of being alike: {self.num_users:,} users cannot tell them apart."
            )
        real = [pair for pair in self.pairs if pair.is_real]
        if self.pairs:
            told.append(f"Of all {len(self.pairs)} pairs, {len(real)} differ really.")
        return told or [f"{self.reference} is the only model; there is nothing to compare."]


def lower_is_better(metric: str) -> bool:
    """True for a metric such as calibration, whose best value is the lowest."""
    name = name_of(metric)
    return name in METRICS and METRICS[name].better == "lower"


def _words(metric: str) -> tuple[str, str]:
    """What a higher and a lower value are called."""
    name = name_of(metric)
    if name in METRICS and METRICS[name].better is None:
        return "higher", "lower"
    return ("worse", "better") if lower_is_better(metric) else ("better", "worse")


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The difference as a metric object, the p values, and the verdict."""
    return {
        "difference": asdict(comparison.difference),
        "permutation_p": comparison.permutation_p,
        "wilcoxon_p": comparison.wilcoxon_p,
        "corrected_p": comparison.corrected_p,
        "verdict": verdict(comparison),
    }


def verdict(comparison: Comparison) -> str:
    """`real` or `not shown`."""
    return "real" if comparison.is_real else "not shown"


def compare_runs(
    runs: Sequence[RunRecord],
    metric: str | None = None,
    reference: str | None = None,
    *,
    all_pairs: bool = False,
    window: int | Literal["newest"] | None = None,
) -> ComparisonTable:
    """All models of the runs beside one of them.

    Args:
        runs: at least one; several must have been judged on the same held-out events by the same protocol.
        metric: one that was measured per user; None takes the one by which the first run chose.
        reference: the model that all others are compared with; None takes the best.
        all_pairs: compare each with each, too.
        window: number of a test window, the oldest being 1, or `newest`; None pools all where the split rolls.

    Raises:
        ConfigError: the metric, the reference or the window is not there.
        ArtifactError: the runs were not judged on the same.
    """
    refuse_incomparable(runs)
    candidates = named_candidates(runs)
    metric = metric or str(runs[0].result["select_by"])
    windows, num_windows = chosen_windows(runs, window), len(runs[0].window_fingerprints)
    _, values = outcome_over_windows(candidates, metric, windows)
    estimates = dict(zip(values, bootstrap(np.column_stack(list(values.values()))), strict=True))
    sign = 1 if lower_is_better(metric) else -1
    ordered = sorted(candidates, key=lambda candidate: sign * estimates[candidate.name].mean)
    reference = _reference(reference, ordered)
    pairs = [(one.name, reference) for one in ordered if one.name != reference]
    against = {one.model: one for one in compare(pairs, values)}
    protocol = _candidates(runs)

    def metrics(one: Candidate) -> dict[str, Any]:
        if len(windows) == 1:
            return one.run.window_metrics(one.label, windows[0])
        return {metric: asdict(estimates[one.name]) | ({} if protocol == "all" else {"candidates": protocol})}

    every_pair = [(one.name, other.name) for one, other in combinations(ordered, 2)] if all_pairs else []
    return ComparisonTable(
        metric=metric,
        num_users=len(next(iter(values.values()))),
        candidates=protocol,
        reference=reference,
        windows=tuple(num_windows - before for before in windows),
        num_windows=num_windows,
        models=[ComparedModel(one, estimates[one.name], against.get(one.name), metrics(one)) for one in ordered],
        pairs=compare(every_pair, values),
    )


def truth_of_runs(runs: Sequence[RunRecord], metric: str | None = None) -> Agreement:
    """How far the order of the models on the test is from that on randomly drawn items.

    Args:
        runs, metric: as for `compare_runs`.

    Raises:
        ArtifactError: the runs were not judged on the same, or their data has no such ratings.
        ConfigError: there is one model only, or the metric is not there.
    """
    refuse_incomparable(runs)
    candidates = named_candidates(runs)
    without = [one.run.run_id for one in candidates if one.run.model(one.label).get("truth") is None]
    if without:
        raise ArtifactError(
            f"run {without[0]} has no test on randomly drawn items: its data has no such ratings. The source coat has, "
            "and the synthetic one with data.truth_items=50."
        )
    if len(candidates) < 2:
        raise ConfigError(f"run {runs[0].run_id} judged one model; an order takes two or more.")
    metric = metric or str(runs[0].result["select_by"])
    (biased_ids, biased), (unbiased_ids, unbiased) = (
        outcome_per_user(candidates, metric, truth=truth) for truth in (False, True)
    )
    users = Vocabulary.of(pl.concat([biased_ids, unbiased_ids]))
    return agreement(
        metric,
        [one.name for one in candidates],
        _table(users, biased_ids, biased),
        _table(users, unbiased_ids, unbiased),
        candidates=_candidates(runs),
    )


def _candidates(runs: Sequence[RunRecord]) -> str:
    """What was ranked in all of them."""
    return str(runs[0].result["protocol"].get("candidates", "all"))


def _table(users: Vocabulary, ids: pl.Series, values: dict[str, DoubleArray]) -> DoubleArray:
    """values_UM: a row for each of `users`, NaN for one that is not among `ids`."""
    values_UM = np.full((len(users), len(values)), np.nan)
    values_UM[users.indices(ids)] = np.column_stack(list(values.values()))
    return values_UM


def _reference(wanted: str | None, ordered: Sequence[Candidate]) -> str:
    names = [candidate.name for candidate in ordered]
    if wanted is None:
        return names[0]
    if wanted in names:
        return wanted
    same_label = [candidate.name for candidate in ordered if candidate.label == wanted]
    told = f"'{wanted}' is in several runs: {', '.join(same_label)}" if same_label else f"no model '{wanted}'"
    raise ConfigError(f"--baseline: {told}; expected one of {', '.join(names)}.")
