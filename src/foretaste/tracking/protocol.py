"""What a tracker is told of a finished run, and of which version of a model is live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Point:
    """A metric at one time of a training."""

    name: str
    value: float
    epoch: int
    """The first is 1."""


@dataclass(frozen=True)
class TrackedModel:
    """One model of a run."""

    label: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    curve: Sequence[Point] = ()


@dataclass(frozen=True)
class TrackedBundle:
    """What a run published."""

    bundle_id: str
    folder: Path
    digest: str
    """SHA-256 of the manifest, and so of all files."""


@dataclass(frozen=True)
class TrackedRun:
    """A run as trackers take it."""

    run_id: str
    started_at_ms: int
    """UTC milliseconds since 1970."""
    finished_at_ms: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    """Those of the published model."""
    tags: Mapping[str, str]
    files: Sequence[Path]
    """Kept beside the run, under their names."""
    models: Sequence[TrackedModel]
    bundle: TrackedBundle


@dataclass(frozen=True)
class Registration:
    """Under what a tracker knows a run and its bundle."""

    run: str
    """The tracker's own id of the run."""
    model: str
    """Name in its registry of models."""
    version: str


class Tracker(Protocol):
    """Something that keeps runs and versions of models. Every method raises TrackingError where it cannot."""

    def send(self, run: TrackedRun, experiment: str, model: str) -> Registration:
        """Keep a run, and its bundle as a version of a model; a run that is there already is not kept twice."""
        ...

    def set_aliases(self, model: str, aliases: Mapping[str, str | None]) -> None:
        """Let each alias of a model name a version, or none."""
        ...

    def set_version_tags(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags on a version of a model; those of the same name are replaced."""
        ...
