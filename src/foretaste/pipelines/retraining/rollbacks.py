"""What was rolled back once: it is not to be promoted again by the loop."""

from collections.abc import Iterator
from datetime import datetime

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.manifest import Manifest
from foretaste.artifacts.store import BundleStore, Promotion
from foretaste.errors import ArtifactError
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.yardstick import was_refused

_SECONDS_PER_HOUR = 3600


def check_rollbacks(store: BundleStore, challenger: Bundle, rest_hours: float, now: float) -> Iterator[Finding]:
    """Whether the challenger, or a training of the same data, model and seed, was rolled back before; and whether the
    last roll-back of what the guard had not refused is long enough ago.

    Args:
        store: its history tells.
        challenger: to be judged.
        rest_hours: after a roll-back in which nothing is promoted.
        now: UTC seconds.
    """
    moves = [move for move in store.history() if move.action == "rollback" and move.before is not None]
    for move in moves:
        if _is_alike(store, move, challenger):
            told = (
                f"{move.before}, trained on the same data in the same way, was rolled back: {move.reason or 'by hand'}"
            )
            yield Finding("history", "rolled back", False, f"{told.rstrip('.')}.")
            break
    # Of what the guard had let pass: that a model failed which it had refused is no reason to doubt it.
    of_the_guard = [move for move in moves if not was_refused(store, str(move.before))]
    if of_the_guard and rest_hours > 0:
        hours = (now - moment(of_the_guard[-1])) / _SECONDS_PER_HOUR
        told = (
            f"the last roll-back is {hours:.1f} hours ago; nothing is promoted for {rest_hours:g} hours after one but "
            f"by a person, as in `foretaste bundles promote {challenger.id}`."
        )
        yield Finding("history", "rest", hours >= rest_hours, told, hours, rest_hours, leads_to="keep")


def moment(move: Promotion) -> float:
    """When the live link was moved, UTC seconds."""
    return datetime.fromisoformat(move.timestamp).timestamp()


def _is_alike(store: BundleStore, move: Promotion, challenger: Bundle) -> bool:
    if move.before == challenger.id:
        return True
    try:
        other = Manifest.read(store.root / str(move.before))
    except ArtifactError:  # pruned since
        return False
    ours = challenger.manifest
    fields = ("data_fingerprint", "model", "config", "seed")
    return all(getattr(other, name) == getattr(ours, name) for name in fields)
