"""Where a run comes from, beside its config: written into its folder, so that it can be told later."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.manifest import library_versions
from foretaste.errors import ArtifactError

PROVENANCE_FILE = "provenance.json"
_GIT_SECONDS = 5
_TRAINERS = ("torch", "lightgbm")
"""Libraries that train models and do not serve them."""


def provenance(bundle: Bundle, started_at: datetime) -> dict[str, Any]:
    """Times, git commit, libraries, data and bundle of a run that is done; plain JSON types."""
    return {
        "started_at": started_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "git_commit": git_commit(Path.cwd()),
        "library_versions": versions(),
        "data_fingerprint": bundle.manifest.data_fingerprint,
        "bundle": {
            "bundle_id": bundle.id,
            "folder": str(bundle.folder.absolute()),
            "digest": bundle.manifest.digest,
        },
    }


def write_provenance(folder: Path, told: dict[str, Any]) -> None:
    """`provenance.json` in the folder of a run."""
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / PROVENANCE_FILE).write_text(text + "\n", encoding="utf-8")


def read_provenance(folder: Path) -> dict[str, Any]:
    """What `write_provenance` was given.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    path = folder / PROVENANCE_FILE
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}); run its config again: foretaste run {folder / 'config.yaml'}"
        ) from error
    return told


def git_commit(folder: Path) -> str | None:
    """The commit that a folder stands at, with `-dirty` where files have changed since; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() or None


def versions() -> dict[str, str]:
    """Those of the libraries that a bundle needs, and of those that may have trained it, where they are installed."""
    return library_versions() | dict(_installed())


def _installed() -> Iterator[tuple[str, str]]:
    for name in _TRAINERS:
        with suppress(PackageNotFoundError):
            yield name, version(name)
