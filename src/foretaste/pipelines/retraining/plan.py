"""What a retraining learns from, what it is judged by, and which model it trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foretaste.artifacts.bundle import Bundle
from foretaste.config import ExperimentConfig
from foretaste.data.feedback import FeedbackConfig, without_password
from foretaste.data.feedback_events import num_events
from foretaste.data.interactions import Interactions
from foretaste.data.prepare import Prepared
from foretaste.data.splits import GlobalTimeSplit, split
from foretaste.errors import ConfigError, DataError
from foretaste.pipelines.experiment import Divided, may_stop_early, pinned
from foretaste.pipelines.retraining.data_quality import last_learnt
from foretaste.pipelines.retraining.records import Retraining, retrainings
from foretaste.pipelines.retraining.settings import RetrainConfig

_VALID_SHARE = 0.1
"""Of all events, to find the length of a training, where the experiment does not say."""


@dataclass(frozen=True)
class Reading:
    """The stretch of the log that is new."""

    config: ExperimentConfig
    """The experiment with the log, which it reads up to the row that is the last one now."""
    after: int
    """`seq` of the last row that an earlier training had read; 0 for none."""
    up_to: int
    new_events: int
    rows_before: int | None
    """Rows that the last training read, of the data and the log; None where nobody knows. One that was refused for its
    data is no measure."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Everything before the newest of the fresh events, and these."""

    config: ExperimentConfig
    """With the split that makes `divided`: the same config gives the same challenger again."""
    divided: Divided
    """Its test part is the holdout."""
    judged: Interactions
    """The events of the holdout by which both models are judged: those that no list of the service led to, where enough
    people have some, and else all."""
    is_unprompted: bool
    """Whether those are the former."""
    fresh: Interactions
    """Events after the champion's training; all of them where nothing is live."""


def read_log(config: RetrainConfig, artifacts: Path, champion: Bundle | None) -> Reading:
    """Look where the log stands, beside where it stood at the last training.

    Raises:
        ConfigError: the URL of the log is not one, or its driver is not installed.
        DataError: there are no logs, or their database does not answer.
    """
    experiment = pinned(config.with_log())
    log = experiment.feedback
    assert log is not None and log.up_to is not None
    judged = _judged(artifacts, log.log)
    after = _last_read(judged, champion, log.log)
    trained = (record.rows_read for record in judged if record.challenger is not None)
    return Reading(experiment, after, log.up_to, num_events(log, after), next(trained, None))


def _judged(artifacts: Path, log: str) -> list[Retraining]:
    """The retrainings that came to a verdict on what they had read, newest first."""
    outcomes = ("promoted", "kept", "refused")
    told = without_password(log)
    return [one for one in reversed(retrainings(artifacts)) if one.outcome in outcomes and one.log == told]


def _last_read(judged: Sequence[Retraining], champion: Bundle | None, log: str) -> int:
    """The last row of the log that an earlier training read, by its `seq`: the last retraining that came to a verdict,
    and else the one that made the live bundle."""
    if judged:
        return judged[0].up_to or 0
    told = {} if champion is None else champion.manifest.experiment.get("feedback") or {}
    return told.get("up_to") or 0 if told.get("log") == without_password(log) else 0


def new_events(config: RetrainConfig, artifacts: Path, champion: Bundle | None) -> int:
    """Events that came to the log since the last training.

    Raises:
        ConfigError, DataError: as `read_log`.
    """
    log: FeedbackConfig = config.log
    return num_events(log, _last_read(_judged(artifacts, log.log), champion, log.log))


def model_label(config: RetrainConfig, champion: Bundle | None) -> str:
    """Which model of the experiment is trained.

    Raises:
        ConfigError: nobody can tell.
    """
    models = config.experiment.models
    if config.model is not None:
        return config.model
    if champion is not None:
        alike = [label for label, spec in models.items() if spec.type == champion.manifest.model]
        same = [label for label in alike if models[label].hyperparameters.resolved() == champion.manifest.config]
        if alike:
            return (same or alike)[0]
    if len(models) == 1:
        return next(iter(models))
    why = "nothing is live whose type would tell" if champion is None else f"'{champion.manifest.model}' is live"
    raise ConfigError(f"model: expected one of {', '.join(models)}, as in model: {next(iter(models))}; {why}.")


def hold_out(
    prepared: Prepared,
    experiment: ExperimentConfig,
    label: str,
    champion: Bundle | None,
    share: float,
    min_users: int,
) -> HeldOut | None:
    """Set the newest of the fresh events aside; None where there are none.

    A click on what the champion showed is an event that the champion foresaw, whatever else people would have liked:
    judged by such clicks, no other model would ever be as good. So they count only where there is too little else.

    Args:
        prepared: data and log.
        experiment: that it comes from.
        label: of the model that will be trained; one that stops early needs events to validate on, too.
        champion: the live bundle; what came after its training is fresh. Without one everything is.
        share: of the fresh events.
        min_users: who are enough to be judged by.

    Raises:
        DataError: the data has no times, or all of it would be held out.
    """
    events = prepared.dataset.interactions
    if events.timestamp_N is None:
        raise DataError(
            "a retraining is judged by the newest events, and the data has no timestamps; name their column, as in "
            "columns.timestamp."
        )
    known = None if champion is None else last_learnt(champion)
    fresh = events if known is None else events.select(events.timestamp_N > known)
    held_out = int(np.ceil(share * len(fresh)))
    if not len(fresh) or held_out >= len(events):
        return None
    test, valid = held_out / len(events), 0.0
    if may_stop_early(experiment.models[label]):
        given = experiment.split.valid if isinstance(experiment.split, GlobalTimeSplit) else _VALID_SHARE
        valid = min(given, (1 - test) / 2)
    cut = GlobalTimeSplit(valid=valid, test=test)
    config = experiment.model_copy(update={"split": cut})
    divided = Divided(prepared, split(prepared, cut))
    unprompted = _unprompted(prepared, divided.split.test)
    is_enough = champion is not None and len(np.unique(unprompted.user_N)) >= min_users
    return HeldOut(config, divided, unprompted if is_enough else divided.split.test, is_enough, fresh)


def _unprompted(prepared: Prepared, holdout: Interactions) -> Interactions:
    """The events of the holdout, which are the newest of all, to which no list led."""
    if prepared.is_prompted_N is None:
        return holdout
    return holdout.select(~prepared.is_prompted_N[-len(holdout) :])
