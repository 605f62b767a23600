"""One turn of the loop: what people did joins the data, a challenger is trained, and it serves if the guard lets it.

Nothing of what serves is touched before the last step, and that is one atomic move: whenever the process is killed, the
live bundle is whole, and the next turn begins anew.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.store import BundleStore
from foretaste.data.feedback import without_password
from foretaste.data.log_database import LogDatabase
from foretaste.errors import ArtifactError
from foretaste.pipelines.experiment import prepare_data
from foretaste.pipelines.narration import Narrator, Silence
from foretaste.pipelines.retraining.data_quality import check_data, last_learnt
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.guard import guard
from foretaste.pipelines.retraining.merge_quality import check_merge
from foretaste.pipelines.retraining.plan import HeldOut, hold_out, model_label, read_log
from foretaste.pipelines.retraining.records import Outcome, Retraining, append, attempt, iso
from foretaste.pipelines.retraining.settings import RetrainConfig
from foretaste.pipelines.retraining.verdicts import act
from foretaste.pipelines.retraining.yardstick import beside, was_refused
from foretaste.pipelines.tracking import destination
from foretaste.pipelines.train import train
from foretaste.pipelines.warm_start import begin_at

Clock = Callable[[], float]
"""UTC seconds."""

_OUTCOMES: dict[str, Outcome] = {"promote": "promoted", "keep": "kept", "refuse": "refused"}
"""What a verdict leads to."""


def retrain(
    config: RetrainConfig,
    artifacts: Path,
    narrator: Narrator | None = None,
    *,
    asked_by: str = "hand",
    dry_run: bool = False,
    clock: Clock = time.time,
) -> Retraining:
    """Train anew, and promote what the guard lets pass.

    Args:
        config: what, from what, and when it takes the place of the live model.
        artifacts: folder of `bundles/`, and of `retraining/`, where the line is written that is returned.
        narrator: told of each step.
        asked_by: what asked for it, in words.
        dry_run: end before the training, and write nothing.
        clock: UTC seconds.

    Raises:
        ArtifactError: another retraining is running, or the live bundle is damaged.
        ConfigError: nobody can tell which model to train, or the experiment asks for tracking without MLflow.
        DataError: the log or the data cannot be read, or has no times.
    """
    narrator, started = narrator or Silence(), time.monotonic()
    if dry_run:
        turn = _Turn(config, artifacts, narrator, clock, Retraining(iso(clock()), "planned", asked_by, ()))
        turn.prepare()
        return replace(turn.record, seconds=round(time.monotonic() - started, 3))
    with attempt(artifacts, asked_by, clock) as (begun, killed):
        if killed is not None:
            narrator.say("before", f"the retraining of {killed.started_at[:16]} did not end: {killed.reasons[0]}")
        turn = _Turn(config, artifacts, narrator, clock, Retraining(begun.started_at, "failed", asked_by, ()), begun.at)
        try:
            held_out = turn.prepare()
            if held_out is not None:
                turn.train(held_out)
        except BaseException as error:
            turn.end("failed", [str(error) or type(error).__name__])
            raise
        finally:
            begun.at("record")
            turn.record = replace(turn.record, seconds=round(time.monotonic() - started, 3))
            append(artifacts, turn.record)
    return turn.record


def _untold(step: str) -> None:
    """Tell nobody of a step."""


class _Turn:
    """The steps, and the line that tells of them."""

    def __init__(
        self,
        config: RetrainConfig,
        artifacts: Path,
        narrator: Narrator,
        clock: Clock,
        record: Retraining,
        at: Callable[[str], None] = _untold,
    ) -> None:
        self.record = record
        self._config, self._artifacts, self._narrator, self._clock, self._at = config, artifacts, narrator, clock, at
        self._store = BundleStore(artifacts / "bundles", clock=lambda: datetime.fromtimestamp(clock(), UTC))
        self._to = destination(config.experiment, artifacts, uri=None, wanted=None)
        self._champion: Bundle | None = None
        self._label = ""

    def end(self, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Say what it came to."""
        self.record = replace(self.record, outcome=outcome, reasons=tuple(reasons))

    def prepare(self) -> HeldOut | None:
        """Merge, hold out and check; None where there is nothing to be trained, and the record says why."""
        config, say = self._config, self._narrator.say
        self._at("read")
        self._champion = self._store.open() if self._store.production_id() else None
        self._label = model_label(config, self._champion)
        reading = read_log(config, self._artifacts, self._champion)
        self.record = replace(
            self.record,
            log=without_password(config.log.log),
            after=reading.after,
            up_to=reading.up_to,
            new_events=reading.new_events,
            champion=None if self._champion is None else self._champion.id,
        )
        say(
            "log", f"{reading.new_events:,} events since the last training, rows {reading.after:,} to {reading.up_to:,}"
        )
        if self._champion is not None and reading.new_events < config.min_new_events:
            told = f"{reading.new_events:,} events since the last training; {config.min_new_events:,} are worth one"
            self.end("skipped", [f"{told} (min_new_events)."])
            return None

        self._at("prepare")
        prepared = prepare_data(reading.config, self._narrator)
        self.record = replace(self.record, rows_read=prepared.audit.rows_read)
        held_out = hold_out(
            prepared, reading.config, self._label, self._champion, config.holdout, config.guard.min_users
        )
        if held_out is None:
            self.end("skipped", [_nothing_fresh(self._champion, self._clock())])
            return None
        parts = held_out.divided
        users = len(np.unique(parts.split.test.user_N))
        told = f"the newest {len(parts.split.test):,} of {len(held_out.fresh):,} fresh events, by {users:,} users"
        say("hold out", told)
        if held_out.is_unprompted:
            say("", f"judged by the {len(held_out.judged):,} of them to which no list of the service led")

        self._at("check")
        now = self._clock()

        def data_beside(live: Bundle | None) -> list[Finding]:
            merged = check_merge(prepared.audit, held_out.fresh, live, reading.rows_before, config.merge)
            return [*merged, *check_data(parts.history, live, config.guard.data, now)]

        champion = self._champion
        findings = data_beside(None) if champion is None else beside(champion, self._store, data_beside)
        failed = [finding.sentence for finding in findings if not finding.passed]
        if failed:
            self.end("refused", failed)
            return None
        self.end(self.record.outcome, [f"'{self._label}' learns from {len(parts.history):,} events."])
        return held_out

    def train(self, held_out: HeldOut) -> None:
        """Train, publish, judge, and promote what passes."""
        config, parts = self._config, held_out.divided
        self._at("train")
        challenger = train(
            held_out.config,
            self._artifacts,
            self._narrator,
            label=self._label,
            divided=parts,
            warm_start=self._beginning(),
        )[self._label]
        self.record = replace(self.record, fingerprint=challenger.manifest.data_fingerprint, challenger=challenger.id)

        self._at("guard")
        database = LogDatabase(config.log.log)
        try:
            verdict = guard(
                self._champion,
                challenger,
                parts.history,
                held_out.judged,
                config.guard,
                database,
                store=self._store,
                slate=None if config.serving is None else config.serving.slate,
                now=self._clock(),
            )
        finally:
            database.close()
        evidence = {**verdict.evidence, "unprompted": held_out.is_unprompted}
        self.record = replace(self.record, verdict=evidence)

        self._at("promote")
        if self._is_overtaken():
            return
        try:
            act(self._store, verdict, self._narrator, self._to)
        except ArtifactError:  # a registry that was slow to answer leaves time for another promotion
            if not self._is_overtaken():
                raise
            return
        self.end(_OUTCOMES[verdict.decision], verdict.reasons)
        if config.keep_bundles is not None:
            self._at("prune")
            self._prune(config.keep_bundles)

    def _is_overtaken(self) -> bool:
        """Whether somebody made another bundle live since the turn began; then the record says so."""
        live = self._store.production_id()
        if live == self.record.champion:
            return False
        self.end("kept", [f"'{live}' was made live meanwhile, and the challenger was not judged beside it."])
        return True

    def _prune(self, keep: int) -> None:
        """Whatever hinders it, the verdict stands."""
        try:
            pruned = self._store.prune(keep)
        except OSError as error:
            self._narrator.say("prune", f"old bundles could not be deleted: {error}")
            return
        if pruned:
            self._narrator.say("prune", f"{len(pruned):,} bundles deleted, the newest of them {pruned[-1]}")

    def _beginning(self) -> str | None:
        """The bundle where the training begins; None for a cold start."""
        champion, config = self._champion, self._config
        if not config.warm_start or champion is None:
            return None
        found = begin_at(champion, config.experiment.models[self._label])
        if isinstance(found, str):
            self._narrator.say("train", f"begins cold: {found}")
            return None
        if was_refused(self._store, champion.id):
            self._narrator.say("train", "begins cold: the guard had refused what is live")
            return None
        if champion.manifest.warm_starts >= config.max_warm_starts:
            told = f"after {champion.manifest.warm_starts:,} warm starts in a row (max_warm_starts)"
            self._narrator.say("train", f"begins cold {told}")
            return None
        return champion.id


def _nothing_fresh(champion: Bundle | None, now: float) -> str:
    known = None if champion is None else last_learnt(champion)
    if champion is None or known is None:
        return "there is no event to learn from."
    until = iso(known)[:16].replace("T", " ")
    told = f"no event is newer than what the live model learnt from, up to {until}"
    if known <= now:
        return f"{told}."
    return (
        f"{told}, which is yet to come: if its data was wrong, `foretaste bundles rollback` takes {champion.id} back."
    )
