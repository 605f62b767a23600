"""What people do with what they were shown: taken, and known to the next request."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from foretaste.data.feedback import KINDS
from foretaste.errors import LogFullError, RequestError
from foretaste.serving.logs.journal import Journal
from foretaste.serving.logs.rows import FEEDBACK, FeedbackRow, encoded


@dataclass(frozen=True)
class RecentHistory:
    """What a user did since the training, oldest first, each item once."""

    liked: Sequence[str] = ()
    """Items that tell the user's taste."""
    seen: Sequence[str] = ()
    """All items with an event, those of `liked` and those passed over."""


_NOTHING = RecentHistory()


class RecentEvents:
    """The latest feedback of each user, in memory, bounded. Safe to use from several threads."""

    def __init__(self, max_users: int, max_events_per_user: int) -> None:
        self._max_users = max_users
        self._max_events = max_events_per_user
        self._events: OrderedDict[str, list[FeedbackRow]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Users of whom there is anything."""
        return len(self._events)

    def add(self, event: FeedbackRow) -> None:
        """Remember an event of a named user; one with a known `event_id` changes nothing."""
        if event.user_id is None:
            return
        with self._lock:
            events = self._events.setdefault(event.user_id, [])
            if all(event.event_id != each.event_id for each in events):
                insort(events, event, key=_time)
                del events[: -self._max_events]
            self._events.move_to_end(event.user_id)
            if len(self._events) > self._max_users:
                self._events.popitem(last=False)

    def forget(self, user_id: str, until: float) -> None:
        """Drop what the user did until then, UTC seconds."""
        with self._lock:
            left = [event for event in self._events.pop(user_id, []) if event.received_at > until]
            if left:
                self._events[user_id] = left

    def user_ids(self) -> list[str]:
        """Those of whom there is anything."""
        with self._lock:
            return list(self._events)

    def events(self, user_id: str | None, since: float | None = None) -> list[FeedbackRow]:
        """What a user did after `since` (UTC seconds; None for all), oldest first."""
        if user_id is None or user_id not in self._events:  # almost every request ends here, without the lock
            return []
        with self._lock:
            events = self._events.get(user_id, [])
            if events:
                self._events.move_to_end(user_id)
            return [event for event in events if since is None or event.timestamp > since]

    def history(
        self, user_id: str | None, since: float | None = None, min_rating: float | None = None
    ) -> RecentHistory:
        """What a user did after `since`, as the engine takes it.

        Args:
            user_id: None for somebody without an id, who has none.
            since: the last moment that the model was trained on, UTC seconds; None for a model without times.
            min_rating: a lower rating does not tell the taste; as the model's training had it.
        """
        events = self.events(user_id, since)
        if not events:
            return _NOTHING
        liked: dict[str, bool] = {}
        for event in events:  # somebody's last word on an item counts
            liked.pop(event.item_id, None)
            liked[event.item_id] = _is_liking(event, min_rating)
        return RecentHistory([item for item, is_liked in liked.items() if is_liked], list(liked))


class Feedback:
    """Where events are taken."""

    def __init__(self, journal: Journal, recent: RecentEvents, *, wait_for_disk: bool = False) -> None:
        self.recent = recent
        self.num_taken = 0
        self.num_refused = 0
        """Events that the journal did not take; whoever sent them was told so."""
        self._journal = journal
        self._wait_for_disk = wait_for_disk

    def take(self, event: FeedbackRow) -> None:
        """Return when the event survives the end of the process and counts for the next request.

        An event may come twice, with the same `event_id`: it counts once.

        Raises:
            RequestError: the kind is unknown, its value is missing, or a text is not one.
            LogFullError: the journal did not take it; it may be sent again later.
        """
        check(event)
        try:
            self._journal.append(FEEDBACK, encoded(event), is_vital=True, wait_for_disk=self._wait_for_disk)
        except LogFullError:
            self.num_refused += 1
            raise
        self.num_taken += 1
        self.recent.add(event)


def check(event: FeedbackRow) -> None:
    """Refuse an event that says nothing.

    Raises:
        RequestError: the kind is unknown, or its value is missing.
    """
    kind = KINDS.get(event.kind)
    if kind is None:
        raise RequestError(f"unknown kind of feedback '{event.kind}'; expected one of {', '.join(KINDS)}.")
    if kind.needs_value and event.value is None:
        raise RequestError(f"a {event.kind} without a value; expected one, as in 'value': 4.")


def _time(event: FeedbackRow) -> float:
    return event.timestamp


def _is_liking(event: FeedbackRow, min_rating: float | None) -> bool:
    kind = KINDS.get(event.kind)
    if kind is None or not kind.is_liking:
        return False
    return not kind.needs_value or min_rating is None or (event.value or 0) >= min_rating
