"""The models of one or several runs, and what each came to for the same users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from foretaste.arrays import DoubleArray
from foretaste.data.schemas import USER_ID
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ArtifactError, ConfigError
from foretaste.evaluation.windows import mean_by_user
from foretaste.pipelines.run_record import TRUTH, RunRecord

NEWEST: Literal["newest"] = "newest"
"""Asks for the newest test window alone."""


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
        ArtifactError: says what differs, or what a run did not record.
    """
    for run in runs:
        run.refuse_incomparable()
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


def chosen_windows(runs: Sequence[RunRecord], wanted: int | Literal["newest"] | None) -> tuple[int, ...]:
    """The test windows to compare by, oldest first, each told by how many windows it is before the newest.

    Args:
        runs: judged on the same newest window.
        wanted: a number, the oldest being 1; `newest`; or None for all that there are.

    Raises:
        ConfigError: there is no window of that number.
        ArtifactError: earlier windows are wanted, and the runs do not share them.
    """
    if wanted == NEWEST:
        return (0,)
    first = runs[0]
    count = len(first.window_fingerprints)
    for run in runs[1:]:
        if run.window_fingerprints != first.window_fingerprints:
            raise ArtifactError(
                f"runs {first.run_id} and {run.run_id} {_how_windows_differ(first, run)}: over all windows their "
                f"figures do not compare. Compare the newest alone with --window {NEWEST}, or run both configs with "
                f"the same split."
            )
    if wanted is None:
        return tuple(reversed(range(count)))
    if not 1 <= wanted <= count:
        has = f"{count} test windows; expected 1 to {count}" if count > 1 else "one test window; expected 1"
        raise ConfigError(f"--window {wanted}: run {first.run_id} has {has}, or {NEWEST}.")
    return (count - wanted,)


def _how_windows_differ(first: RunRecord, run: RunRecord) -> str:
    mine, theirs = first.window_fingerprints, run.window_fingerprints
    if len(mine) != len(theirs):
        return f"have {len(mine)} and {len(theirs)} test windows"
    place = next(place for place, (one, other) in enumerate(zip(mine, theirs, strict=True), 1) if one != other)
    return f"differ in the events of window {place}"


def outcome_over_windows(
    candidates: Sequence[Candidate], metric: str, windows: Sequence[int]
) -> tuple[pl.Series, dict[str, DoubleArray]]:
    """As `outcome_per_user`; of several windows, each user's mean over those in which the user was judged.

    Two values of one user are not independent, so in a paired test each user counts once.

    Args:
        candidates: of runs that share the windows.
        metric: one that was measured per user.
        windows: how many before the newest each is.
    """
    found = [outcome_per_user(candidates, metric, before=before) for before in windows]
    if len(found) == 1:
        return found[0]
    ids_N = pl.concat([ids for ids, _ in found])
    users = Vocabulary.of(ids_N)
    user_N = users.indices(ids_N)
    values = {each.name: np.concatenate([one[each.name] for _, one in found]) for each in candidates}
    return users.ids, {name: mean_by_user(user_N, value_N) for name, value_N in values.items()}


def outcome_per_user(
    candidates: Sequence[Candidate], metric: str, *, before: int = 0, truth: bool = False
) -> tuple[pl.Series, dict[str, DoubleArray]]:
    """The ids of the users for whom the metric is defined under all models, and name → its value for each of them.

    Args:
        candidates: of runs that were judged on the same.
        metric: one that was measured per user.
        before: the test window, by how many windows it is before the newest.
        truth: of the test on randomly drawn items instead.

    Raises:
        ConfigError: a run did not measure the metric for each user, or it is defined for nobody.
        ArtifactError: the models were not judged on the same users.
    """
    values: dict[str, DoubleArray] = {}
    users = None
    for candidate in candidates:
        part = TRUTH if truth else candidate.run.window_part(before)
        outcome = candidate.run.per_user(candidate.label, part)
        if metric not in outcome.columns:
            measured = ", ".join(column for column in outcome.columns if column != USER_ID)
            raise ConfigError(
                f"run {candidate.run.run_id} has no '{metric}' for each user; it has {measured}. "
                f"Choose one, as in --metric {candidate.run.result['select_by']}."
            )
        if users is None:
            # In the order of the first run: resampled alike, its intervals and p are those of its report.
            users = outcome[USER_ID]
        if not users.sort().equals(outcome[USER_ID].sort()):
            raise ArtifactError(
                f"{candidate.name} was not judged on the same users as {candidates[0].name}; run both configs again."
            )
        outcome = users.to_frame().join(outcome, on=USER_ID, maintain_order="left")
        values[candidate.name] = outcome[metric].to_numpy().astype(np.float64)
    assert users is not None
    # A metric may be undefined for a user; a pair needs both halves.
    defined_B = np.all([np.isfinite(one) for one in values.values()], axis=0)
    if not defined_B.any():
        raise ConfigError(f"'{metric}' is defined for no user under all models; choose another metric.")
    return users.filter(pl.Series(defined_B)), {name: one[defined_B] for name, one in values.items()}
