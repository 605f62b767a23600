"""What retrainings came to: the lines of `retrainings.jsonl`, and who is at it now.

One retraining runs at a time. It holds the lock of a file, which ends with its process, and says in another file how
far it is: what is found there by the next one tells of a retraining that was killed, and where.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from foretaste.artifacts import atomic
from foretaste.errors import ArtifactError

FOLDER = "retraining"
"""In the folder of the artifacts."""
_RECORDS_FILE = "retrainings.jsonl"
_LOCK_FILE = "lock"
_RUNNING_FILE = "running.jsonl"

Outcome = Literal["promoted", "kept", "refused", "skipped", "planned", "failed", "interrupted"]
"""`promoted`: the new model is live. `kept`, `refused`: the live one stays, since nothing speaks for the new one or
something against it. `skipped`: there was too little to learn. `planned`: nothing was to be trained.
`failed`: an error ended it. `interrupted`: its process was killed."""


@dataclass(frozen=True)
class Retraining:
    """One retraining, in a line."""

    started_at: str
    """ISO 8601, UTC."""
    outcome: Outcome
    asked_by: str
    """What asked for it, in words."""
    reasons: tuple[str, ...]
    """A sentence each."""
    seconds: float | None = None
    """Wall time; None where nobody was left to tell."""
    log: str | None = None
    """Database of the log, without the password."""
    after: int | None = None
    """`seq` of the last row of the log that an earlier training had read."""
    up_to: int | None = None
    """`seq` of the last row of the log that this one read."""
    new_events: int | None = None
    """Events of the log between the two."""
    rows_read: int | None = None
    """Events of the data and the log, before they were prepared."""
    fingerprint: str | None = None
    """SHA-256 of the events that the challenger was trained on."""
    champion: str | None = None
    """Bundle that was live before."""
    challenger: str | None = None
    """Bundle that was trained; None where it did not come to that."""
    verdict: Mapping[str, Any] = field(default_factory=dict)
    """The guard's evidence."""

    def to_json(self) -> dict[str, Any]:
        """The line."""
        return {**asdict(self), "reasons": list(self.reasons), "verdict": dict(self.verdict)}

    @property
    def started_seconds(self) -> float:
        """UTC seconds."""
        return datetime.fromisoformat(self.started_at).timestamp()


class Attempt:
    """The retraining that this process is at."""

    def __init__(self, path: Path, started_at: str, asked_by: str) -> None:
        self.started_at, self.asked_by = started_at, asked_by
        self._path = path

    def at(self, step: str) -> None:
        """Say what is done next."""
        line = {"started_at": self.started_at, "asked_by": self.asked_by, "step": step}
        atomic.append_line(self._path, json.dumps(line, ensure_ascii=False))


@contextmanager
def attempt(artifacts: Path, asked_by: str, now: Callable[[], float]) -> Iterator[tuple[Attempt, Retraining | None]]:
    """A retraining begins, and ends with the block; none else runs meanwhile.

    Yields:
        the attempt, and the one before where that was killed; it has its line by then.

    Raises:
        ArtifactError: another process is at it.
    """
    folder = artifacts / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.alone(folder / _LOCK_FILE) as is_alone:
        running = folder / _RUNNING_FILE
        if not is_alone:
            told = _read_running(running) or {}
            since = f", since {told['started_at'][:19]} UTC" if "started_at" in told else ""
            raise ArtifactError(
                f"{folder}: another retraining is running{since}; wait for its end, or name another folder with "
                "--artifacts."
            )
        killed = _told_of_killed(artifacts, running)
        begun = Attempt(running, iso(now()), asked_by)
        try:
            yield begun, killed
        finally:
            running.unlink(missing_ok=True)


def append(artifacts: Path, record: Retraining) -> None:
    """Write a line and force it to disk."""
    line = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False)
    atomic.append_line(artifacts / FOLDER / _RECORDS_FILE, line)


def retrainings(artifacts: Path) -> Sequence[Retraining]:
    """Every retraining, oldest first; a line that a crash cut short is passed over."""
    path = artifacts / FOLDER / _RECORDS_FILE
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return [record for record in map(_record, lines) if record is not None]


def iso(utc_seconds: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(utc_seconds, UTC).isoformat()


def _told_of_killed(artifacts: Path, running: Path) -> Retraining | None:
    told, killed = _read_running(running), None
    if told is not None and told["started_at"] not in (record.started_at for record in retrainings(artifacts)[-1:]):
        reason = f"its process was killed at the step '{told['step']}'."
        killed = Retraining(told["started_at"], "interrupted", told["asked_by"], (reason,))
        append(artifacts, killed)
    running.unlink(missing_ok=True)
    return killed


def _read_running(path: Path) -> dict[str, str] | None:
    """The last line that is whole; None where there is none."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for line in reversed(lines):
        try:
            told: dict[str, str] = json.loads(line)
        except ValueError:
            continue
        return told
    return None


def _record(line: str) -> Retraining | None:
    try:
        fields = json.loads(line)
        return Retraining(**{**fields, "reasons": tuple(fields["reasons"])})
    except (ValueError, KeyError, TypeError):
        return None
