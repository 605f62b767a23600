"""Whether training data is fit to learn from, beside that of the model that is live."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from scipy import stats

from foretaste.artifacts.bundle import Bundle
from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.guard_settings import DataLimits
from foretaste.pipelines.retraining.pairs import kept_pairs

_SECONDS_PER_HOUR = 3600
_FEWEST_EVENTS = 200
_FEWEST_ITEMS = 50
"""For a word on whether the items last."""


def check_data(history: Interactions, champion: Bundle | None, limits: DataLimits, now: float) -> list[Finding]:
    """What of the data is in order, and what is not. Cheap: to be asked before a training, too.

    Args:
        history: what is to be learnt from.
        champion: the live bundle, against which nothing should have been lost; None where there is none.
        limits: what may be.
        now: UTC seconds.
    """
    findings = [] if champion is None else list(_losses(history, champion, limits))
    if limits.max_user_share is not None:
        busiest = float(history.user_counts().max(initial=0) / max(len(history), 1))
        limit = limits.max_user_share
        told = f"the busiest user has {busiest:.1%} of the events; a person's are at most {limit:.0%}"
        told = f"{told} (data.max_user_share)."
        findings.append(Finding("data", "busiest user", busiest <= limit, told, busiest, limit))
    if history.timestamp_N is not None and len(history):
        newest = int(history.timestamp_N.max())
        if limits.max_hours_ahead is not None:
            ahead_hours = (newest - now) / _SECONDS_PER_HOUR
            passed = ahead_hours <= limits.max_hours_ahead
            told = f"the newest event is of {_day(newest)}{'' if passed else ', which is yet to come'}."
            findings.append(Finding("data", "newest event", passed, told, ahead_hours, limits.max_hours_ahead))
        if champion is not None and (known := last_learnt(champion)) is not None:
            passed = newest >= known
            than = "no older than" if passed else "older than"
            told = f"the data ends on {_day(newest)}, {than} what the champion learnt from, up to {_day(known)}."
            findings.append(Finding("data", "age", passed, told, float(newest), float(known)))
    return findings


def check_continuity(events: Interactions, champion: Bundle, limits: DataLimits) -> list[Finding]:
    """Whether the items of the events since the champion's training are those that were asked for before.

    The rank correlation (Spearman 1904) of an item's events in the champion's data and since, over the items that the
    champion learnt. Nothing is said of few events or items, or without timestamps.
    """
    known, times_N = last_learnt(champion), events.timestamp_N
    if limits.continuity_p is None or known is None or times_N is None:
        return []
    own_I = champion.items.indices(events.items.ids)
    own_N = own_I[events.item_N[times_N > known]]
    had_J = champion.popularity_I > 0
    since_J = np.bincount(own_N[own_N >= 0], minlength=len(had_J))[had_J]
    if since_J.sum() < _FEWEST_EVENTS or len(since_J) < _FEWEST_ITEMS or not (since_J != since_J[0]).any():
        return []
    found = stats.spearmanr(champion.popularity_I[had_J], since_J, alternative="greater")
    rho, p = float(found.statistic), float(found.pvalue)
    passed = p <= limits.continuity_p
    told = f"events an item before and since correlate by {rho:.2f} over {len(since_J):,} items"
    why = "" if passed else f" (p {p:.2g}): ids may have been dealt out anew (data.continuity_p)"
    return [Finding("data", "continuity", passed, f"{told}{why}.", p, limits.continuity_p)]


def last_learnt(bundle: Bundle) -> int | None:
    """The last event that a bundle was trained on, UTC seconds; None for data without timestamps."""
    window = bundle.manifest.training_window
    return None if window is None else int(datetime.fromisoformat(window.last).timestamp())


def _losses(history: Interactions, champion: Bundle, limits: DataLimits) -> Iterator[Finding]:
    num_pairs = int(history.to_csr().nnz)
    before = champion.manifest.num_interactions
    had_items = champion.items.ids.filter(champion.popularity_I > 0)
    had_users = champion.users.ids.filter(np.diff(champion.history.weights_UI.indptr) > 0)
    kept_items = _present(history.items, history.item_counts() > 0, Vocabulary(had_items))
    kept_users = _present(history.users, history.user_counts() > 0, Vocabulary(had_users))
    had_pairs, num_kept = kept_pairs(champion, history)
    rows = (
        ("event", num_pairs, before, limits.min_event_share, "events, where the champion had"),
        ("item", kept_items, len(had_items), limits.min_item_share, "items are left of the champion's"),
        ("user", kept_users, len(had_users), limits.min_user_share, "users are left of the champion's"),
        ("pair", num_kept, had_pairs, limits.min_pair_share, "pairs of user and item are left of the champion's"),
    )
    for name, now, then, limit, words in rows:
        if limit is not None:
            share = now / then if then else 1.0
            told = f"{now:,} {words} {then:,} ({share:.0%}); at least {limit:.0%} is expected (data.min_{name}_share)."
            yield Finding("data", f"{name}s", share >= limit, told, share, limit)


def _present(vocabulary: Vocabulary, has_events: np.ndarray, wanted: Vocabulary) -> int:
    found = vocabulary.indices(wanted.ids)
    return int(has_events[found[found >= 0]].sum())


def _day(utc_seconds: float) -> str:
    return datetime.fromtimestamp(utc_seconds, UTC).strftime("%Y-%m-%d %H:%M")
