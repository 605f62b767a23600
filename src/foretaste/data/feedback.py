"""What people do with what they are shown: the kinds of feedback."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_LOG = "sqlite:///artifacts/service/log.db"
"""Where a service writes its logs, unless it is told otherwise."""


@dataclass(frozen=True)
class FeedbackKind:
    """What an event of a kind says."""

    is_liking: bool
    """The item belongs to the user's taste; else it only counts as seen."""
    needs_value: bool = False
    """The event is nothing without its value, as a rating is."""


KINDS: Mapping[str, FeedbackKind] = {
    "click": FeedbackKind(is_liking=True),
    "purchase": FeedbackKind(is_liking=True),
    "rating": FeedbackKind(is_liking=True, needs_value=True),
    "skip": FeedbackKind(is_liking=False),
}
"""Every kind of event; a kind more is a line here."""
