"""A verdict is written down, told to the registry of models, and carried out."""

from foretaste.artifacts.store import BundleStore
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.promotion import promote, tell_verdict
from foretaste.pipelines.retraining.guard import Verdict
from foretaste.pipelines.retraining.registered import register
from foretaste.pipelines.tracking import Destination


def act(store: BundleStore, verdict: Verdict, narrator: Narrator, to: Destination | None = None) -> None:
    """Write a verdict to the challenger's manifest, the store's history and the registry, and promote where it says so.

    The line is written first: should the process die before the promotion, the history tells of a challenger that was
    never live, and the next run judges anew.

    Args:
        store: of the bundles.
        verdict: of the guard.
        narrator: told of it.
        to: where a challenger that no run has sent is registered; None registers none.

    Raises:
        ArtifactError: the challenger is to be promoted, and is gone or damaged, or was judged beside another than the
            live one; the live one stays.
    """
    if verdict.metrics:
        store.add_metrics(verdict.challenger, verdict.metrics)
    record = store.record(
        "guard",
        verdict.decision,
        verdict.challenger,
        against=verdict.champion,
        reasons=verdict.reasons,
        evidence=verdict.evidence,
    )
    narrator.say("guard", f"{verdict.decision}  {verdict.challenger}")
    for reason in verdict.reasons:
        narrator.say("", reason)
    if to is not None:
        register(store, record, to, narrator)
    if verdict.decision == "promote":
        promote(store, verdict.challenger, f"guard: {' '.join(verdict.reasons)}", narrator, of=verdict.champion)
    tell_verdict(store, record, narrator)
