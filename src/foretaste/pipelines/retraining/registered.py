"""A challenger as a version in the registry of models, whatever became of it."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.store import BundleStore
from foretaste.artifacts.verdicts import VerdictRecord
from foretaste.errors import ArtifactError, TrackingError
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.tracked_run import flat, metric_name
from foretaste.pipelines.tracking import (
    BUNDLES_WITHOUT_RUN,
    Destination,
    how_to_send_later,
    kept_of_bundle,
    send_run,
    unsent,
)
from foretaste.tracking.protocol import Registration, TrackedBundle, TrackedRun


def register(store: BundleStore, record: VerdictRecord, to: Destination, narrator: Narrator) -> None:
    """Send a challenger with the guard's figures. What cannot be sent is told, and stands in no one's way.

    Args:
        store: of the bundles.
        record: what was decided on the challenger.
        to: where it is sent.
        narrator: told what it is known as.

    Raises:
        ArtifactError: the challenger is gone or damaged.
    """
    artifacts, challenger = store.root.parent, store.open(record.bundle_id, verify=False)
    folder = kept_of_bundle(artifacts, challenger.manifest.run_id, challenger.id)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        known = send_run(_as_run(challenger, record), folder, to, artifacts)
    except TrackingError as error:
        narrator.say("tracking", f"the challenger was not tracked: {error}")
        narrator.say("", how_to_send_later(artifacts))
    else:
        narrator.say("tracking", f"{known.model} version {known.version}")


def unregistered(store: BundleStore) -> list[Path]:
    """The folders of challengers that were to be sent and could not be.

    What was kept for a bundle that has been deleted since is deleted, too: there is nothing left to send.
    """
    folders = []
    for folder in unsent(store.root.parent / BUNDLES_WITHOUT_RUN):
        if (store.root / folder.name).is_dir():
            folders.append(folder)
        else:
            shutil.rmtree(folder)
    return folders


def register_again(store: BundleStore, folder: Path, to: Destination) -> Registration:
    """Send a challenger that could not be sent, with what the guard decided on it.

    Args:
        store: of the bundles.
        folder: as `unregistered` finds it, named by the bundle.
        to: where it is sent.

    Raises:
        ArtifactError: the challenger is gone or damaged, or nothing was decided on it.
        TrackingError: it could not be sent.
    """
    challenger = store.open(folder.name, verify=False)
    decided = [one for one in store.verdicts() if one.by == "guard" and one.bundle_id == challenger.id]
    if not decided:
        raise ArtifactError(f"{challenger.id}: no verdict of the guard in {store.root}; train again.")
    return send_run(_as_run(challenger, decided[-1]), folder, to, store.root.parent)


def _as_run(challenger: Bundle, record: VerdictRecord) -> TrackedRun:
    manifest = challenger.manifest
    return TrackedRun(
        run_id=f"retrain-{challenger.id}",
        started_at_ms=_milliseconds(manifest.created_at),
        finished_at_ms=_milliseconds(record.timestamp),
        params=dict(flat(manifest.experiment)),
        metrics=_figures(record.evidence),
        tags={
            "foretaste.bundle_id": challenger.id,
            "foretaste.bundle": str(challenger.folder),
            "foretaste.bundle_digest": manifest.digest,
            "foretaste.data_fingerprint": manifest.data_fingerprint,
            "foretaste.guard": record.decision,
        },
        files=[],
        models=[],
        bundle=TrackedBundle(challenger.id, challenger.folder, manifest.digest),
    )


def _figures(evidence: Any) -> dict[str, float]:
    """Accuracy on the holdout, as in `guard/challenger/ndcg_at_10` and its `_low` and `_high`."""
    told = {}
    for who in ("challenger", "champion", "popularity"):
        for bound, value in evidence.get(who, {}).items():
            name = f"guard/{who}/{metric_name(evidence['metric'])}"
            told[name if bound == "mean" else f"{name}_{bound}"] = float(value)
    return told


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
