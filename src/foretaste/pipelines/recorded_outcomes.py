"""The models of one or several runs, and what each came to for the same users."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from foretaste.arrays import DoubleArray
from foretaste.data.schemas import USER_ID
from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.run_record import PER_USER, RunRecord


@dataclass(frozen=True)
class Candidate:
    """One model of one run."""

    name: str
    """The model's label, with the run's id before it where two runs share the label."""
    run: RunRecord
    label: str


def refuse_incomparable(runs: Sequence[RunRecord]) -> None:
    """Raise unless all runs were judged on the same held-out events by the same protocol.

    Raises:
        ArtifactError: says what differs.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.result["test_fingerprint"] != first.result["test_fingerprint"]:
            events = [one.result["split"]["test"]["events"] for one in (first, run)]
            raise ArtifactError(
                f"runs {first.run_id} and {run.run_id} were judged on different held-out events ({events[0]:,} and "
                f"{events[1]:,}): their figures do not compare. Run both configs with the same data, prepare and split."
            )
        mine, theirs = first.result["protocol"], run.result["protocol"]
        differing = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
        if differing:
            told = ", ".join(f"{key}: {mine.get(key)} and {theirs.get(key)}" for key in differing)
            raise ArtifactError(
                f"runs {first.run_id} and {run.run_id} were judged by different protocols ({told}): their figures do "
                f"not compare. Give both configs the same evaluation section."
            )


def named_candidates(runs: Sequence[RunRecord]) -> list[Candidate]:
    """Every model of every run under a name of its own."""
    labels = [label for run in runs for label in run.labels]
    return [
        Candidate(label if labels.count(label) == 1 else f"{run.run_id}/{label}", run, label)
        for run in runs
        for label in run.labels
    ]


def outcome_per_user(
    candidates: Sequence[Candidate], metric: str, part: str = PER_USER
) -> tuple[pl.Series, dict[str, DoubleArray]]:
    """The ids of the users for whom the metric is defined under all models, and name → its value for each of them.

    Raises:
        ConfigError: a run did not measure the metric for each user, or it is defined for nobody.
        ArtifactError: the models were not judged on the same users.
    """
    values: dict[str, DoubleArray] = {}
    users = None
    for candidate in candidates:
        outcome = candidate.run.per_user(candidate.label, part).sort(USER_ID)
        if metric not in outcome.columns:
            measured = ", ".join(column for column in outcome.columns if column != USER_ID)
            raise ConfigError(
                f"run {candidate.run.run_id} has no '{metric}' for each user; it has {measured}. "
                f"Choose one, as in --metric {candidate.run.result['select_by']}."
            )
        users = outcome[USER_ID] if users is None else users
        if not users.equals(outcome[USER_ID]):
            raise ArtifactError(
                f"{candidate.name} was not judged on the same users as {candidates[0].name}; run both configs again."
            )
        values[candidate.name] = outcome[metric].to_numpy().astype(np.float64)
    assert users is not None
    # A metric may be undefined for a user; a pair needs both halves.
    defined_B = np.all([np.isfinite(one) for one in values.values()], axis=0)
    if not defined_B.any():
        raise ConfigError(f"'{metric}' is defined for no user under all models; choose another metric.")
    return users.filter(pl.Series(defined_B)), {name: one[defined_B] for name, one in values.items()}
