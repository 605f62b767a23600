"""A run's folder is sent to a tracker. All that is sent lies in the folder, so what fails now can be sent later."""

import json
import os
import shlex
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foretaste.artifacts import atomic
from foretaste.config import ExperimentConfig, TrackingConfig
from foretaste.errors import ConfigError, ForetasteError
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.run_record import RunRecord
from foretaste.pipelines.tracked_run import tracked_run
from foretaste.tracking.protocol import Registration, TrackedRun, Tracker
from foretaste.tracking.uri import without_password

URI_VARIABLE = "MLFLOW_TRACKING_URI"
TRACKING_FILE = "tracking.json"
"""In a run's folder: where it was sent, and under what it is known there; or why it was not."""
RUNS, BUNDLES_WITHOUT_RUN = "runs", "tracked"
"""Folders of such folders, in that of the artifacts."""


@dataclass(frozen=True)
class Destination:
    """Where runs are sent."""

    uri: str
    experiment: str
    model: str
    """Name in the registry of models."""


def destination(
    config: ExperimentConfig, artifacts: Path, *, uri: str | None, wanted: bool | None
) -> Destination | None:
    """Where a run is to be sent; None for nowhere.

    Args:
        config: its `tracking` section, where it has one, asks for tracking.
        artifacts: folder for the store, where nothing names another.
        uri: of the command line; goes over all else, and asks for tracking.
        wanted: of the command line; None leaves it to the config and to MLFLOW_TRACKING_URI.

    Raises:
        ConfigError: MLflow was asked for by config or command line, and is not installed.
    """
    section, variable = config.tracking, os.environ.get(URI_VARIABLE)
    asked = wanted if wanted is not None else uri is not None or (section is not None and section.enabled)
    silenced = wanted is False or (section is not None and not section.enabled)
    if not asked and (silenced or not variable):
        return None
    if not asked and find_spec("mlflow") is None:
        return None  # the variable may be there for something else
    check_installed()
    section = section or TrackingConfig()
    return Destination(
        uri or section.uri or variable or local_store(artifacts),
        section.experiment or config.name,
        section.model or config.name,
    )


def check_installed() -> None:
    """Refuse to track without MLflow.

    Raises:
        ConfigError: it is not installed; the message tells the command.
    """
    if find_spec("mlflow") is None:
        raise ConfigError(
            "tracking needs MLflow, which is not installed; `pip install 'foretaste[tracking]'` brings it."
        )


def local_store(artifacts: Path) -> str:
    """The store that needs no server."""
    return f"sqlite:///{(artifacts / 'mlflow.db').absolute()}"


def open_tracker(uri: str, artifacts: Path) -> Tracker:
    """A tracker.

    Raises:
        TrackingError: it cannot be reached.
    """
    from foretaste.tracking.mlflow_tracker import MLflowTracker

    return MLflowTracker(uri, artifacts / "mlartifacts")


def send(folder: Path, to: Destination, artifacts: Path) -> Registration:
    """Send a run that is done; `tracking.json` in its folder then says under what it is known.

    Raises:
        TrackingError: it could not be sent; `tracking.json` says why.
        ArtifactError: the folder is not that of a whole run.
    """
    return send_run(tracked_run(folder), folder, to, artifacts)


def send_run(run: TrackedRun, folder: Path, to: Destination, artifacts: Path) -> Registration:
    """Send what is known of a run; `tracking.json` in the folder then says under what it is known.

    Raises:
        TrackingError: it could not be sent; `tracking.json` says why.
    """
    kept = {"uri": without_password(to.uri), "experiment": to.experiment, "model": to.model}
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        registration = open_tracker(to.uri, artifacts).send(run, to.experiment, to.model)
    except ForetasteError as error:
        _write(folder, {**kept, "problem": str(error)})
        raise
    _write(folder, {**kept, **asdict(registration), "bundle_id": run.bundle.bundle_id})
    return registration


def send_or_tell(folder: Path, to: Destination, artifacts: Path, narrator: Narrator) -> bool:
    """Send a run; where that fails say so, and how to do it later. Returns whether it was sent."""
    try:
        registration = send(folder, to, artifacts)
    except (ForetasteError, OSError) as error:
        narrator.say("tracking", f"the run is whole, but was not tracked: {error}")
        narrator.say("", how_to_send_later(artifacts, folder.name))
        return False
    where = without_password(to.uri)
    narrator.say("tracking", f"{where}  {registration.model} version {registration.version}")
    return True


def how_to_send_later(artifacts: Path, *run_id: str) -> str:
    """The command that sends what could not be sent, wherever it lies."""
    return f"send it later with `{shlex.join(['foretaste', 'track', *run_id, '--artifacts', str(artifacts)])}`"


def kept_of_bundle(artifacts: Path, run_id: str, bundle_id: str) -> Path:
    """The folder whose `tracking.json` tells what a bundle is known as: that of its run, or one of its own."""
    return artifacts / RUNS / run_id if run_id else artifacts / BUNDLES_WITHOUT_RUN / bundle_id


def kept_destination(folder: Path) -> dict[str, Any]:
    """What `tracking.json` says; empty where the run was never to be tracked."""
    path = folder / TRACKING_FILE
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept


def unsent(root: Path) -> list[Path]:
    """The folders below that were to be sent and could not be, by name."""
    return [
        path.parent for path in sorted(root.glob(f"*/{TRACKING_FILE}")) if "problem" in kept_destination(path.parent)
    ]


def where_to(folder: Path, artifacts: Path, uri: str | None = None) -> Destination:
    """Where what is done is to be sent: to `uri`, where it was sent before, or to the store that is at hand.

    Raises:
        ArtifactError: it was never sent anywhere, and the folder is not that of a run.
    """
    kept = kept_destination(folder)
    name = "" if kept else RunRecord.read(folder).run_id.split("-", 2)[-1]
    place = uri or (with_password(kept["uri"]) if kept else os.environ.get(URI_VARIABLE)) or local_store(artifacts)
    return Destination(place, kept.get("experiment", name), kept.get("model", name))


def with_password(uri: str) -> str:
    """The address as MLFLOW_TRACKING_URI gives it, where that is the same but for the password that is not kept."""
    given = os.environ.get(URI_VARIABLE, "")
    return given if without_password(given) == uri else uri


def _write(folder: Path, told: dict[str, Any]) -> None:
    atomic.write_text(folder / TRACKING_FILE, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
