"""Whether a newly trained bundle takes the place of the one that is live.

What cannot serve is found first: numbers that are none, data that has been lost, a holdout that has been learnt. Then
both are judged on the same fresh events, and the challenger must be no worse than a margin allows (non-inferiority: a
retraining also brings in new users and items, so it need not win every time), for all users and for each group of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Any, Literal

import numpy as np

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.manifest import MetricJson
from foretaste.artifacts.store import BundleStore
from foretaste.data.interactions import Interactions
from foretaste.data.log_database import LogDatabase
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ArtifactError
from foretaste.evaluation.significance import Estimate
from foretaste.pipelines.retraining.accuracy import (
    Trial,
    check_accuracy,
    check_holdout,
    check_lists,
    check_slices,
    fresh,
    judge,
)
from foretaste.pipelines.retraining.budgets import check_budgets
from foretaste.pipelines.retraining.data_quality import check_continuity, check_data
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.guard_settings import GuardConfig
from foretaste.pipelines.retraining.replayed import check_replay
from foretaste.pipelines.retraining.rollbacks import check_rollbacks
from foretaste.pipelines.retraining.soundness import check_soundness
from foretaste.pipelines.retraining.yardstick import beside
from foretaste.pipelines.run_json import metrics_json
from foretaste.serving.slate_settings import SlateConfig

__all__ = ["GuardConfig", "Verdict", "guard"]

Decision = Literal["promote", "keep", "refuse"]


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a challenger, and why."""

    decision: Decision
    """`promote`: make it live. `keep`: leave what is live; nothing is wrong with the challenger, but nothing speaks for
    it. `refuse`: it is sick or worse."""
    challenger: str
    """Bundle id."""
    champion: str | None
    """Bundle id; None where nothing was live."""
    reasons: tuple[str, ...]
    """A sentence each, the decisive ones first."""
    findings: tuple[Finding, ...]
    """Everything that was looked at, in order."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Accuracy on the holdout, and what it was measured on; plain JSON types."""
    metrics: Mapping[str, MetricJson] = field(default_factory=dict)
    """All that was measured of the challenger on the holdout; empty where it was not judged by it."""

    @property
    def evidence(self) -> dict[str, Any]:
        """The figures behind the reasons; plain JSON types."""
        return {**self.figures, "findings": [finding.to_json() for finding in self.findings]}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "decision": self.decision,
            "challenger": self.challenger,
            "champion": self.champion,
            "reasons": list(self.reasons),
            "evidence": self.evidence,
        }


def guard(
    champion: Bundle | None,
    challenger: Bundle,
    history: Interactions,
    holdout: Interactions,
    config: GuardConfig | None = None,
    database: LogDatabase | None = None,
    *,
    store: BundleStore | None = None,
    slate: SlateConfig | None = None,
    now: float | None = None,
) -> Verdict:
    """Judge a challenger beside the champion.

    Args:
        champion: the live bundle; None where there is none.
        challenger: trained on `history`.
        history: every event before the holdout.
        holdout: the newest events, over the vocabularies of `history`.
        config: when the challenger takes the champion's place.
        database: of the service's log, for the replay; None asks no log.
        store: whose roll-backs are remembered, and which model was live before; None remembers neither.
        slate: how the service makes an answer of the best items; by default by score alone.
        now: UTC seconds; the clock's by default.
    """
    config, now = config or GuardConfig(), time() if now is None else now
    findings = check_soundness(challenger)
    if champion is None:
        findings += check_data(history, None, config.data, now)
    else:

        def data_beside(live: Bundle) -> list[Finding]:
            lasts = check_continuity(history.joined(holdout), live, config.data)
            return [*check_data(history, live, config.data, now), *lasts, *_same_noun(live, challenger)]

        findings += beside(champion, store, data_beside)
    findings += check_holdout(challenger, history, holdout)
    if store is not None:
        findings += check_rollbacks(store, challenger, config.rest_hours_after_rollback, now)
    if _worst(findings) == "refuse":  # what is sick is not asked for recommendations
        return _verdict(challenger, champion, findings)
    findings += check_budgets(challenger, config.budgets)
    judged = _drawn(fresh(holdout, champion), config.max_users)
    num_users = len(np.unique(judged.user_N))
    findings += _enough(num_users, judged, holdout, config, champion)
    figures: dict[str, Any] = {"holdout": {"events": len(holdout), "judged": len(judged), "users": num_users}}
    metrics: Mapping[str, MetricJson] = {}
    if num_users >= 2 and _worst(findings) != "refuse":
        try:
            trial = judge(challenger, champion, history, judged, config)
        except ArtifactError as error:
            findings.append(Finding("sound", "champion", True, f"the champion cannot be judged beside it: {error}"))
            trial = judge(challenger, None, history, judged, config)
        is_popularity = challenger.manifest.model == "popularity"
        findings += check_accuracy(trial, config, _news(champion, challenger), is_popularity=is_popularity)
        if trial.champion is not None and champion is not None:

            def groups_beside(live: Bundle) -> list[Finding]:
                of = trial if live is champion else judge(challenger, live, history, judged, config)
                return [*check_slices(of, config), *check_lists(of, config, config.lists)]

            findings += beside(champion, store, groups_beside)
        figures |= _figures(trial, config)
        metrics = metrics_json(trial.challenger)
    if database is not None and config.replay is not None:
        findings.append(check_replay(challenger, database, config.replay, slate, now))
    return replace(_verdict(challenger, champion, findings), figures=figures, metrics=metrics)


def _verdict(challenger: Bundle, champion: Bundle | None, findings: Sequence[Finding]) -> Verdict:
    """What fails decides, a refusal before all else; without a failure, what was measured against the champion."""
    decision = _worst(findings)
    if decision == "promote":
        told = [each.sentence for each in findings if each.check in ("accuracy", "yardstick")]
    else:
        failed = [each for each in findings if not each.passed]
        told = [each.sentence for each in sorted(failed, key=lambda each: each.leads_to != "refuse")]
    if champion is None and decision == "promote":
        told.insert(0, "nothing was live.")
    return Verdict(decision, challenger.id, champion.id if champion else None, tuple(told), tuple(findings))


def _worst(findings: Sequence[Finding]) -> Decision:
    failed = {each.leads_to for each in findings if not each.passed}
    return "refuse" if "refuse" in failed else "keep" if "keep" in failed else "promote"


def _drawn(holdout: Interactions, max_users: int) -> Interactions:
    """The events of at most so many users, always the same ones."""
    user_B = np.unique(holdout.user_N)
    if len(user_B) <= max_users:
        return holdout
    return holdout.select(np.isin(holdout.user_N, np.random.default_rng(0).permutation(user_B)[:max_users]))


def _same_noun(champion: Bundle, challenger: Bundle) -> list[Finding]:
    ours, theirs = challenger.manifest.source.item_noun, champion.manifest.source.item_noun
    if ours == theirs:
        return []
    told = f"its items are called '{ours}', those that are served '{theirs}': answers would change their field names."
    return [Finding("sound", "item noun", False, told)]


def _enough(
    num_users: int, judged: Interactions, holdout: Interactions, config: GuardConfig, champion: Bundle | None
) -> list[Finding]:
    """Few users decide nothing, unless nothing is live."""
    passed = num_users >= config.min_users or champion is None
    of = "" if len(judged) == len(holdout) else f" of {len(holdout):,}"
    told = f"{len(judged):,}{of} events by {num_users:,} users to judge by; it takes {config.min_users:,} (min_users)."
    return [Finding("holdout", "users", passed, told, float(num_users), float(config.min_users), leads_to="keep")]


def _news(champion: Bundle | None, challenger: Bundle) -> str:
    """The users and items with events that only the challenger knows, in words; empty for none."""
    if champion is None:
        return ""
    users = _not_in(champion.users, challenger.users, np.diff(challenger.history.weights_UI.indptr) > 0)
    items = _not_in(champion.items, challenger.items, challenger.popularity_I > 0)
    return f"{users:,} users and {items:,} items are new" if users or items else ""


def _not_in(known: Vocabulary, vocabulary: Vocabulary, has_events: np.ndarray) -> int:
    return int((has_events & (known.indices(vocabulary.ids) < 0)).sum())


def _figures(trial: Trial, config: GuardConfig) -> dict[str, Any]:
    def told(estimate: Estimate) -> dict[str, float]:
        return vars(estimate)

    found = {"challenger": trial.challenger, "champion": trial.champion, "popularity": trial.popularity}
    return {
        "metric": config.metric,
        **{name: told(each.estimates[config.metric]) for name, each in found.items() if each is not None},
    }
