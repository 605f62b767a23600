"""The bundles of one place, and which of them is live."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foretaste.artifacts import atomic
from foretaste.artifacts.bundle import Bundle, BundleContents, Clock, utc_now
from foretaste.artifacts.manifest import MANIFEST_FILE, Manifest, MetricJson
from foretaste.artifacts.verdicts import VerdictRecord, append_verdict, read_verdicts
from foretaste.artifacts.writing import write_bundle
from foretaste.errors import ArtifactError

PRODUCTION = "production"
"""The link to the live bundle, and the name under which it can be opened."""

DEFAULT_ROOT = Path("artifacts/bundles")
_PROMOTIONS_FILE = "promotions.jsonl"


@dataclass(frozen=True)
class Listing:
    """A bundle as the store sees it, without having read its files."""

    bundle_id: str
    manifest: Manifest | None
    """None where it cannot be read."""
    problem: str = ""
    """Why the manifest cannot be read."""
    is_production: bool = False


@dataclass(frozen=True)
class Promotion:
    """One move of the production link."""

    timestamp: str
    """ISO 8601, UTC."""
    action: Literal["promote", "rollback"]
    before: str | None
    """The bundle that was live; None for the first."""
    after: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The line of the log."""
        return {
            "timestamp": self.timestamp,
            "action": self.action,
            "from": self.before,
            "to": self.after,
            "reason": self.reason,
        }


class BundleStore:
    """A folder of bundles.

    `production` is a link in it, moved atomically; every move is a line of `promotions.jsonl`, and what was decided on
    a bundle, whether it moved the link or not, is one of `verdicts.jsonl`.
    """

    def __init__(self, root: Path | str = DEFAULT_ROOT, *, clock: Clock = utc_now) -> None:
        self.root = Path(root)
        self._clock = clock

    def publish(self, contents: BundleContents, *, promote: bool = True, reason: str = "published") -> Bundle:
        """Write a bundle and, unless told otherwise, make it the live one."""
        bundle = write_bundle(self.root, contents, clock=self._clock)
        if promote:
            self.promote(bundle.id, reason)
        return bundle

    def add_metrics(self, bundle_id: str, metrics: Mapping[str, MetricJson]) -> None:
        """Write into a bundle's manifest how good it was found to be, which nobody knows before it is written.

        The manifest is sealed anew and takes the place of the old one at once; no other file changes.

        Raises:
            ArtifactError: there is no such bundle, its manifest is damaged, or it is live and must not change any more.
        """
        folder = self.folder(bundle_id)
        with atomic.unfinished_folder(self.root) as draft:
            Manifest.read(folder).model_copy(update={"metrics": dict(metrics)}).sealed().write(draft)
            with atomic.locked(self.root):
                if self.production_id() == folder.name:
                    raise ArtifactError(f"{folder}: live, and what is live never changes; judge a bundle before.")
                atomic.replace_file(draft / MANIFEST_FILE, folder / MANIFEST_FILE)

    def list(self) -> list[Listing]:
        """Every bundle, oldest first; those whose manifest is damaged come first of all."""
        live = self.production_id()
        folders = [] if not self.root.is_dir() else [path for path in self.root.iterdir() if _is_bundle_folder(path)]
        listings = [_listing(folder, is_production=folder.name == live) for folder in folders]
        return sorted(listings, key=lambda each: (each.manifest.created_at if each.manifest else "", each.bundle_id))

    def open(self, bundle_id: str = PRODUCTION, *, verify: bool = True) -> Bundle:
        """Open a bundle by its id, or the live one.

        Raises:
            ArtifactError: there is no such bundle, or it is damaged.
        """
        return Bundle.open(self.folder(bundle_id), verify=verify)

    def check(self, bundle_id: str = PRODUCTION) -> str:
        """The id of a bundle that could be served now: every file is intact and the model can be restored.

        Raises:
            ArtifactError: there is no such bundle, or something is wrong with it.
        """
        bundle = self.open(bundle_id)
        bundle.model()
        return bundle.id

    def folder(self, bundle_id: str = PRODUCTION) -> Path:
        """The folder of a bundle; what it holds is not looked at.

        Raises:
            ArtifactError: there is no such bundle.
        """
        name = self.production_id() if bundle_id == PRODUCTION else bundle_id
        if name and Path(name).name == name and _is_bundle_folder(self.root / name):
            return self.root / name
        ids = [each.bundle_id for each in self.list()]
        if not ids:
            raise ArtifactError(
                f"{self.root}: no bundle yet; run `foretaste demo` or `foretaste run CONFIG` first, "
                f"or name another folder with --store."
            )
        if bundle_id == PRODUCTION:
            raise ArtifactError(
                f"{self.root}: no bundle is in production; promote one, as in `foretaste bundles promote {ids[-1]}`."
            )
        raise ArtifactError(f"{self.root}: no bundle '{bundle_id}'; there are {', '.join(ids)}.")

    def production_id(self) -> str | None:
        """The id of the live bundle; None where none was ever promoted."""
        link = self.root / PRODUCTION
        return link.readlink().name if link.is_symlink() else None

    def promote(self, bundle_id: str, reason: str = "", *, of: str | None = None) -> None:
        """Make a bundle the live one. Every file of it is verified and its model restored first.

        Args:
            bundle_id: to be live.
            reason: why, for the log.
            of: the bundle that must be the live one still; None for whichever is.

        Raises:
            ArtifactError: there is no such bundle, or it is damaged, or another than `of` is live; the live one stays.
        """
        checked_id = self.check(bundle_id)
        with atomic.locked(self.root):
            if of is not None and (live := self.production_id()) != of:
                raise ArtifactError(f"{self.root}: '{of}' is not live any more, '{live}' is; nothing was promoted.")
            self._move_production(checked_id, "promote", reason)

    def rollback(self, reason: str = "", *, of: str | None = None) -> str:
        """Make the bundle that was live before this one the live one again; its id is returned.

        Args:
            reason: why, for the log.
            of: the bundle that must be the live one still; None for whichever is.

        Raises:
            ArtifactError: there was none before, or it is gone or damaged, or another than `of` is live; the live one
                stays.
        """
        live = self.production_id() or self.folder().name
        with atomic.locked(self.root):
            if of is not None and (live := str(self.production_id())) != of:
                raise ArtifactError(f"{self.root}: '{of}' is not live any more, '{live}' is; nothing was rolled back.")
            before = self.predecessor()
            if before is None:
                raise ArtifactError(f"{self.root}: nothing to roll back to, no bundle was live before '{live}'.")
            self._move_production(self.check(before), "rollback", reason)
        return before

    def prune(self, keep: int) -> Sequence[str]:
        """Delete all bundles but the `keep` newest, and clear away what killed processes left; the deleted ids.

        The live bundle and the one before it always stay, and so do damaged ones: they are for people to look at.
        """
        if not self.root.is_dir():
            return []
        with atomic.locked(self.root):
            atomic.clear_abandoned(self.root)
            ids = [each.bundle_id for each in self.list() if each.manifest]
            spared = {self.production_id(), self.predecessor(), *ids[max(len(ids) - keep, 0) :]}
            doomed = [bundle_id for bundle_id in ids if bundle_id not in spared]
            for bundle_id in doomed:
                atomic.remove_folder(self.root / bundle_id)
        return doomed

    def history(self) -> Sequence[Promotion]:
        """Every move of the production link, oldest first; a line that a crash cut short is passed over."""
        path = self.root / _PROMOTIONS_FILE
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return [move for move in map(_promotion, lines) if move is not None]

    def predecessor(self) -> str | None:
        """The bundle that was live before this one, to which a rollback goes; None where there is none any more.

        A promotion is a step forward, a rollback takes one back. A move whose line was lost shows in where the next one
        began, or in the link: to a bundle that was live before it was a rollback.
        """
        steps: list[str] = []
        for move in self.history():
            _stand_at(steps, move.before)
            if move.action == "promote":
                steps.append(move.after)
            else:
                _stand_at(steps, move.after)
        live = self.production_id()
        _stand_at(steps, live)
        earlier = (step for step in reversed(steps) if step != live and _is_bundle_folder(self.root / step))
        return next(earlier, None)

    def record(
        self,
        by: Literal["guard", "watch"],
        decision: Literal["promote", "keep", "refuse", "stay", "rollback"],
        bundle_id: str,
        *,
        against: str | None,
        reasons: Sequence[str],
        evidence: Mapping[str, Any],
    ) -> VerdictRecord:
        """Write down what was decided on a bundle; the line is returned. Nothing is moved by it."""
        record = VerdictRecord(
            self._clock().isoformat(), by, decision, bundle_id, against, tuple(reasons), dict(evidence)
        )
        append_verdict(self.root, record)
        return record

    def verdicts(self) -> Sequence[VerdictRecord]:
        """What was decided on bundles, oldest first."""
        return read_verdicts(self.root)

    def _move_production(self, bundle_id: str, action: Literal["promote", "rollback"], reason: str) -> None:
        """Move the link, then log it: should the log line be lost, the link still tells what is live."""
        before = self.production_id()
        if before == bundle_id:
            return
        try:
            atomic.replace_link(self.root / PRODUCTION, bundle_id)
        except OSError as error:
            raise ArtifactError(
                f"{self.root}: cannot be written from here ({error.strerror}), and nothing was changed; "
                f"use `foretaste bundles {action}` where trainings write their bundles."
            ) from error
        move = Promotion(self._clock().isoformat(), action, before, bundle_id, reason)
        atomic.append_line(self.root / _PROMOTIONS_FILE, json.dumps(move.to_json(), ensure_ascii=False))


def _is_bundle_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _stand_at(steps: list[str], bundle_id: str | None) -> None:
    """Take steps back to where a bundle was live; forward, if it never was."""
    if bundle_id is None:
        return
    if bundle_id in steps:
        while steps[-1] != bundle_id:
            steps.pop()
    else:
        steps.append(bundle_id)


def _listing(folder: Path, *, is_production: bool) -> Listing:
    try:
        return Listing(folder.name, Manifest.read(folder), is_production=is_production)
    except ArtifactError as error:
        return Listing(folder.name, None, str(error), is_production)


def _promotion(line: str) -> Promotion | None:
    try:
        fields = json.loads(line)
        return Promotion(fields["timestamp"], fields["action"], fields["from"], fields["to"], fields["reason"])
    except (ValueError, KeyError, TypeError):
        return None
