"""When to train again: every period, when enough was done, or when things have drifted; and what serves is watched."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.errors import EstimationError, ForetasteError
from foretaste.monitoring.windows import Window
from foretaste.pipelines.drift import drift_of_bundle
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.retraining.plan import new_events
from foretaste.pipelines.retraining.records import Retraining, retrainings
from foretaste.pipelines.retraining.retrain import Clock, retrain
from foretaste.pipelines.retraining.settings import RetrainConfig, ScheduleConfig
from foretaste.pipelines.retraining.watch import watch

logger = logging.getLogger(__name__)

_SECONDS_PER_HOUR = 3600
_CLOCKS_DIFFER_HOURS = 1.0
"""At most; a training that started later than that from now was dated by a clock that was wrong."""


@dataclass(frozen=True)
class Asked:
    """Why a training is due."""

    by: str
    """In words, for the record."""
    missed: int = 0
    """Trainings that a period asked for before, and nobody was there to do."""


def due(
    config: ScheduleConfig,
    last_at: float | None,
    now: float,
    num_new: Callable[[], int],
    drifted: Callable[[], Sequence[str]],
) -> Asked | None:
    """What asks for a training now; None where nothing does.

    Args:
        config: the schedule.
        last_at: when the last training started, UTC seconds; None for never.
        now: UTC seconds.
        num_new: events in the log since the last training; asked only where it matters, as is the next one.
        drifted: names of what has drifted.
    """
    if last_at is None:
        return Asked("nothing was trained yet")
    waited_hours = (now - last_at) / _SECONDS_PER_HOUR
    if waited_hours < -_CLOCKS_DIFFER_HOURS:
        return Asked("the last training is said to have started in the future")
    if config.every_hours is not None and waited_hours >= config.every_hours:
        missed = int(waited_hours // config.every_hours) - 1
        return Asked(f"every {config.every_hours:g} hours", missed)
    if waited_hours < config.rest_hours:
        return None
    if config.new_events is not None and (number := num_new()) >= config.new_events:
        return Asked(f"{number:,} new events")
    if config.drift and (names := drifted()):
        return Asked(f"drift of {', '.join(names)}")
    return None


def keep_training(
    config: RetrainConfig,
    artifacts: Path,
    narrator: Narrator,
    *,
    on_end: Callable[[Retraining], None] | None = None,
    clock: Clock = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Train whenever it is due, until somebody interrupts. A training that fails is told, and tried when next due.

    Args:
        config: what, and when.
        artifacts: as for `retrain`.
        narrator: told of each step.
        on_end: told of each training that ended.
        clock: UTC seconds.
        sleep: waits so many seconds.
    """
    narrator.say("watch", _told(config.schedule))
    problem = ""
    while True:
        try:
            tick(config, artifacts, narrator, on_end=on_end, clock=clock)
            found = ""
        except ForetasteError as error:
            found = str(error)
        except Exception as error:
            logger.exception("the loop goes on")
            found = f"{error!r:.200}"
        if found and found != problem:  # what lasts is said once
            narrator.say("failed", f"{found} The loop goes on.")
        problem = found
        sleep(config.schedule.check_seconds)


def tick(
    config: RetrainConfig,
    artifacts: Path,
    narrator: Narrator,
    *,
    on_end: Callable[[Retraining], None] | None = None,
    clock: Clock = time.time,
) -> Retraining | None:
    """One look: at the live model, which is rolled back where it does badly, and then whether a training is due.

    Returns:
        the training; None where none is due.

    Raises:
        ForetasteError: as `retrain`, or where the log cannot be read.
    """
    now = clock()
    store = BundleStore(artifacts / "bundles", clock=lambda: datetime.fromtimestamp(now, UTC))
    _watch(config, store, narrator, now)
    champion = store.open(verify=False) if store.production_id() else None
    asked = due(
        config.schedule,
        _last_at(artifacts, champion),
        now,
        lambda: new_events(config, artifacts, champion),
        lambda: _drifted(config, store, now),
    )
    if asked is None:
        return None
    if asked.missed:
        narrator.say("missed", f"{asked.missed:,} trainings were due and not done; this one makes up for them")
    narrator.say("due", asked.by)
    record = retrain(config, artifacts, narrator, asked_by=asked.by, clock=clock)
    if on_end is not None:
        on_end(record)
    return record


def _last_at(artifacts: Path, champion: Bundle | None) -> float | None:
    """When the last training started, whatever came of it; else when the live bundle was made."""
    done = [record for record in retrainings(artifacts) if record.outcome != "interrupted"]
    if done:
        return done[-1].started_seconds
    return None if champion is None else datetime.fromisoformat(champion.manifest.created_at).timestamp()


def _watch(config: RetrainConfig, store: BundleStore, narrator: Narrator, now: float) -> None:
    database = LogDatabase(config.log.log)
    try:
        watch(store, database, config.watch, narrator, now=now)
    finally:
        database.close()


def _drifted(config: RetrainConfig, store: BundleStore, now: float) -> list[str]:
    database = LogDatabase(config.log.log)
    try:
        window = Window.latest(config.schedule.drift_window, now)
        return list(drift_of_bundle(database, store, "production", window).since)
    except EstimationError:  # nobody asked for anything in the window
        return []
    finally:
        database.close()


def _told(schedule: ScheduleConfig) -> str:
    when = [
        None if schedule.every_hours is None else f"every {schedule.every_hours:g} hours",
        None if schedule.new_events is None else f"after {schedule.new_events:,} new events",
        "when it drifts" if schedule.drift else None,
    ]
    asks = ", ".join(each for each in when if each) or "never by itself"
    return f"trains {asks}; looks every {schedule.check_seconds:g} s; Ctrl-C ends it"
