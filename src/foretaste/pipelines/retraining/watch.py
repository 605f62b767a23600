"""The time after a promotion: one look at how the new model does, which rolls it back where a limit is crossed.

A look has no memory of its own. What is live, since when and instead of what is told by the store, how it does by the
log: a process that dies loses nothing, and two that look at once do no harm.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any, Literal

from foretaste.artifacts.store import PRODUCTION, BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.errors import ArtifactError
from foretaste.monitoring.release import Release, WatchConfig, judge_release
from foretaste.monitoring.windows import SECONDS_PER_HOUR
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.promotion import rollback, tell_verdict
from foretaste.pipelines.retraining.rollbacks import moment

__all__ = ["WatchConfig", "Watched", "watch"]

State = Literal["idle", "watching", "stay", "rolled back", "stuck"]


@dataclass(frozen=True)
class Watched:
    """What one look came to."""

    state: State
    """`idle`: there is nothing to watch. `watching`: so far nothing speaks for a roll-back. `stay`: the watch is over,
    and the model stays. `stuck`: a roll-back is needed and cannot be made."""
    bundle_id: str | None
    """What was live when the look began."""
    reasons: tuple[str, ...]
    until: str | None = None
    """End of the watch, ISO 8601, UTC; None where nothing is watched."""
    now_live: str | None = None
    """After a roll-back, what is live."""
    release: Release | None = None
    """The figures; None where they were not asked for."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        release = None if self.release is None else self.release.to_json()
        return {**vars(self), "reasons": list(self.reasons), "release": release}


@dataclass(frozen=True)
class _Promoted:
    """The last promotion."""

    bundle_id: str
    before: str | None
    since: float
    """UTC seconds."""


def watch(
    store: BundleStore,
    database: LogDatabase | None,
    config: WatchConfig,
    narrator: Narrator,
    *,
    now: float | None = None,
) -> Watched:
    """Look at the live model once, and roll it back where it no longer opens or a limit is crossed.

    What comes of a promotion, `rollback` or `stay`, is written to the store's history and to the registry.

    Args:
        store: of the bundles.
        database: of the service's log; None looks only at whether the live bundle opens.
        config: for how long, and the limits.
        narrator: told of what happens.
        now: UTC seconds; the clock's by default.
    """
    now = time() if now is None else now
    live = store.production_id()
    if live is None:
        return Watched("idle", None, ("nothing is live.",))
    try:
        store.check(live)
    except ArtifactError as error:
        return _back(store, live, (f"the live bundle no longer opens: {error}",), narrator)
    promoted = _promoted(store, live)
    if promoted is None:
        return Watched("idle", live, ("the last move was a roll-back.",))
    if promoted.before is None:
        return Watched("idle", live, ("nothing was live before it, to which it could be rolled back.",))
    end = promoted.since + config.hours * SECONDS_PER_HOUR
    until = datetime.fromtimestamp(end, UTC).isoformat()
    if _is_settled(store, promoted):
        return Watched("idle", live, ("its watch is over.",), until)
    if database is None or not database.exists():
        told = "there is no log to tell how it does."
        return Watched("watching" if now < end else "idle", live, (told,), until)
    release = judge_release(database, live, promoted.before, promoted.since, now, config)
    if release.crossed:
        return _back(store, live, tuple(each.sentence for each in release.crossed), narrator, until, release)
    if release.figures:
        reasons = tuple(each.sentence for each in release.figures)
    else:
        reasons = (f"{release.num_requests:,} requests so far; {config.min_requests:,} are needed to judge it.",)
    if now < end:
        return Watched("watching", live, reasons, until, release=release)
    evidence = release.to_json()
    record = store.record("watch", "stay", live, against=promoted.before, reasons=reasons, evidence=evidence)
    narrator.say("watch", f"{live} stays, {config.hours:g} hours after its promotion")
    tell_verdict(store, record, narrator)
    return Watched("stay", live, reasons, until, release=release)


def _promoted(store: BundleStore, live: str) -> _Promoted | None:
    """How what is live came to be so; None where it was rolled back to."""
    moves = store.history()
    if moves and moves[-1].after == live:
        last = moves[-1]
        return _Promoted(live, last.before, moment(last)) if last.action == "promote" else None
    # A process died between the move and its line. A bundle that was live before was rather rolled back to; of a new
    # one the link itself tells when it was promoted.
    if any(live in (move.before, move.after) for move in moves):
        return None
    since = (store.root / PRODUCTION).lstat().st_mtime
    return _Promoted(live, moves[-1].after if moves else None, since)


def _is_settled(store: BundleStore, promoted: _Promoted) -> bool:
    """Whether an earlier look has said that it stays."""
    return any(
        each.by == "watch" and each.decision == "stay" and each.bundle_id == promoted.bundle_id
        for each in store.verdicts()
        if datetime.fromisoformat(each.timestamp).timestamp() >= promoted.since
    )


def _back(
    store: BundleStore,
    live: str,
    reasons: tuple[str, ...],
    narrator: Narrator,
    until: str | None = None,
    release: Release | None = None,
) -> Watched:
    """Roll back first, write down afterwards: the move itself is logged with its reason."""
    try:
        now_live = rollback(store, f"watch: {' '.join(reasons)}", narrator, of=live)
    except ArtifactError as error:
        if store.production_id() != live:  # somebody moved it since the look began
            return Watched("idle", live, (str(error),), until, release=release)
        narrator.say("watch", f"{live} should be rolled back, and cannot be: {error}")
        return Watched("stuck", live, (*reasons, str(error)), until, release=release)
    narrator.say("watch", f"{live} rolled back to {now_live}")
    for reason in reasons:
        narrator.say("", reason)
    evidence = {} if release is None else release.to_json()
    record = store.record("watch", "rollback", live, against=now_live, reasons=reasons, evidence=evidence)
    tell_verdict(store, record, narrator)
    return Watched("rolled back", live, reasons, until, now_live, release)
