"""What was decided on bundles, and why: the lines of `verdicts.jsonl` beside the bundles."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from foretaste.artifacts import atomic

_FILE = "verdicts.jsonl"


@dataclass(frozen=True)
class VerdictRecord:
    """A decision on one bundle. Moves of the live link are `Promotion`s; a verdict may well move nothing."""

    timestamp: str
    """ISO 8601, UTC."""
    by: Literal["guard", "watch"]
    """`guard`: before a promotion. `watch`: after one."""
    decision: Literal["promote", "keep", "refuse", "stay", "rollback"]
    """Of the guard the first three: make it live, leave what is live, never make it live. Of the watch the others."""
    bundle_id: str
    against: str | None
    """The bundle that it was compared with; None where there was none."""
    reasons: tuple[str, ...]
    """A sentence each, the decisive ones first."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The figures behind the reasons; plain JSON types."""

    def to_json(self) -> dict[str, Any]:
        """The line of the log."""
        return {**asdict(self), "reasons": list(self.reasons), "evidence": dict(self.evidence)}


def append_verdict(root: Path, record: VerdictRecord) -> None:
    """Write a line and force it to disk."""
    root.mkdir(parents=True, exist_ok=True)
    atomic.append_line(root / _FILE, json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False))


def read_verdicts(root: Path) -> Sequence[VerdictRecord]:
    """Every verdict, oldest first; a line that a crash cut short is passed over."""
    path = root / _FILE
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return [record for record in map(_record, lines) if record is not None]


def _record(line: str) -> VerdictRecord | None:
    try:
        fields = json.loads(line)
        return VerdictRecord(**{**fields, "reasons": tuple(fields["reasons"])})
    except (ValueError, KeyError, TypeError):
        return None
