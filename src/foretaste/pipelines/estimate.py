"""How long a run will take and how much memory: each model is begun on the real data, and soon stopped.

A pilot is a process of its own, so that its memory can be told apart and a fit that does not stop can be ended. The
pace of a fit while it is watched is taken as the pace of the rest; a fit that ends meanwhile is measured.
"""

import multiprocessing
import time
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from foretaste.config import ExperimentConfig
from foretaste.errors import ConfigError, ForetasteError
from foretaste.evaluation.protocol import evaluate
from foretaste.models.protocol import FitContext
from foretaste.models.registry import build, check_trainable
from foretaste.pipelines.experiment import divide, pinned
from foretaste.pipelines.narration import Narrator, Silence

_SECONDS_BETWEEN_LOOKS = 0.05
_PATIENCE = 3.0
"""A step may be longer than the time for which a fit is watched: after this many times as long it is ended."""


@dataclass(frozen=True)
class Estimate:
    """What is known of a model before the run."""

    label: str
    fit_seconds: float | None = None
    """Wall time of one fit, at most: early stopping may end it sooner. None where not one step was done in time."""
    is_measured: bool = False
    """True where the fit ended while it was watched."""
    judge_seconds: float | None = None
    """Wall time of judging it on test once; None where the fit did not end, or judging took too long."""
    num_fits: int = 1
    """How often the run fits and judges it."""
    peak_bytes: int = 0
    """Largest resident memory that was seen: libraries, data and model."""
    refusal: str = ""
    """Why it cannot be trained here; empty where it can."""

    @property
    def total_seconds(self) -> float | None:
        """What the run spends on it, at most; None where that is not known."""
        if self.fit_seconds is None:
            return None
        return self.num_fits * (self.fit_seconds + (self.judge_seconds or 0.0))

    def to_json(self) -> dict[str, Any]:
        """The fields, and the total."""
        return {**asdict(self), "total_seconds": self.total_seconds}


def estimate(config: ExperimentConfig, seconds: float, narrator: Narrator) -> list[Estimate]:
    """What to expect of each model of a run, in the order of its config; nothing is written.

    Args:
        config: of the run.
        seconds: how long each fit is watched.
        narrator: told of the data, and which model is being watched.

    Raises:
        ConfigError: `seconds` is not positive.
        ModelError: a model's library is not installed.
    """
    if not seconds > 0:
        raise ConfigError(f"a fit cannot be watched for {seconds:g} seconds; expected more than 0, as in --seconds 10.")
    for spec in config.models.values():
        check_trainable(spec.type, spec.hyperparameters)
    config = pinned(config)
    divided = divide(config, narrator)
    fits_a_window = 2 if config.refit and divided.split.valid is not None else 1
    num_fits = fits_a_window * (1 + len(divided.earlier))
    found = []
    for label in config.models:
        with narrator.progress(f"watch {label}"):
            found.append(replace(_watched(config, label, seconds), num_fits=num_fits))
    return found


def _watched(config: ExperimentConfig, label: str, seconds: float) -> Estimate:
    """Start a pilot and follow it; it is gone when this returns."""
    processes = multiprocessing.get_context("spawn")  # a fork of a process with threads may wait for ever
    reader, writer = processes.Pipe(duplex=False)
    pilot = processes.Process(target=_pilot, args=(config, label, seconds, writer), daemon=True)
    pilot.start()
    writer.close()
    try:
        return _followed(pilot, reader, Estimate(label), _PATIENCE * seconds)
    finally:
        pilot.kill()
        pilot.join()


def _followed(pilot: BaseProcess, reader: Connection, known: Estimate, patience_seconds: float) -> Estimate:
    """All that the pilot tells, and its largest memory, until it ends or says nothing for too long."""
    assert pilot.pid is not None
    process, peak_bytes, heard_at = psutil.Process(pilot.pid), 0, float("inf")
    while time.perf_counter() - heard_at < patience_seconds:
        try:
            peak_bytes = max(peak_bytes, process.memory_info().rss)
            if reader.poll(_SECONDS_BETWEEN_LOOKS):
                known, heard_at = replace(known, **reader.recv()), time.perf_counter()
        except (EOFError, psutil.NoSuchProcess):
            pilot.join()
            if pilot.exitcode:
                memory = f"{peak_bytes / 2**30:.1f} GiB of memory"
                known = replace(known, refusal=f"its process ended with exit code {pilot.exitcode} at {memory}")
            break
    return replace(known, peak_bytes=peak_bytes)


def _pilot(config: ExperimentConfig, label: str, seconds: float, told: Connection) -> None:
    """Fit a model for a while, judge it if it gets so far, and tell each as fields of its `Estimate`."""
    divided = divide(config, Silence())
    spec, parts = config.models[label], divided.split
    told.send({})  # the fit begins
    pace = _Pace(seconds)
    try:
        model = build(spec.type, spec.hyperparameters).fit(
            divided.dataset(parts.train), FitContext(config.seed, parts.valid, pace)
        )
    except _TimeIsUp:
        told.send({"fit_seconds": pace.seconds_in_all()})
        return
    except ForetasteError as error:
        told.send({"refusal": str(error)})
        return
    told.send({"fit_seconds": pace.elapsed_seconds(), "is_measured": True})
    started_at = time.perf_counter()
    genres_IG, _ = divided.prepared.dataset.genre_matrix()
    evaluate(model, divided.history, parts.test, config.evaluation, divided.prepared.negatives, genres_IG)
    told.send({"judge_seconds": time.perf_counter() - started_at})


class _TimeIsUp(Exception):  # noqa: N818 - it ends a fit and is no error
    """A fit was watched long enough."""


class _Pace:
    """Takes the progress of a fit, and ends it when its time is up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started_at = time.perf_counter()
        self._reports: list[tuple[float, int]] = []
        """(seconds since the start, steps done)."""
        self._num_steps = 0

    def __call__(self, done: int, total: int, figures: dict[str, float]) -> None:  # noqa: ARG002
        """Note a report.

        Raises:
            _TimeIsUp: the time is up.
        """
        elapsed = self.elapsed_seconds()
        self._reports.append((elapsed, done))
        self._num_steps = total
        if elapsed > self._seconds and done < total:
            raise _TimeIsUp

    def elapsed_seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self._started_at

    def seconds_in_all(self) -> float:
        """When the fit would have ended, at the pace of the later half: the first steps compile, and fill caches."""
        last_at, last = self._reports[-1]
        half_at, half = max(((at, done) for at, done in self._reports if at <= last_at / 2), default=(0.0, 0))
        return last_at + (self._num_steps - last) * (last_at - half_at) / (last - half)
