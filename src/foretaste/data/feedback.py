"""What people do with what they are shown: the kinds of feedback, and what each counts for in a training."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, field_serializer, field_validator

from foretaste.settings import Settings

DEFAULT_LOG = "sqlite:///artifacts/service/log.db"
"""Where a service writes its logs, unless it is told otherwise."""


@dataclass(frozen=True)
class FeedbackKind:
    """What an event of a kind says."""

    is_liking: bool
    """The item belongs to the user's taste; else it only counts as seen."""
    needs_value: bool = False
    """The event is nothing without its value, as a rating is."""
    weight: float = 1.0
    """How many plain events it counts for in a training, unless the config says otherwise."""


KINDS: Mapping[str, FeedbackKind] = {
    "click": FeedbackKind(is_liking=True),
    "purchase": FeedbackKind(is_liking=True, weight=3.0),
    "rating": FeedbackKind(is_liking=True, needs_value=True),
    "skip": FeedbackKind(is_liking=False, weight=0.0),
}
"""Every kind of event; a kind more is a line here."""


def without_password(url: str) -> str:
    """The URL of a log as it is kept in bundles and records; PostgreSQL takes the password from PGPASSWORD, too."""
    return re.sub(r"(://[^:/@]*):[^/]*@", r"\1@", url)


class FeedbackConfig(Settings):
    """Which events of a service's log join the data, and how much they count."""

    log: str = DEFAULT_LOG
    """Database of the service's log, as its `log.url`."""
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default={name: kind.weight for name, kind in KINDS.items()}, validate_default=True
    )
    """Kind of event → how many plain events one counts for; 0 leaves the kind out. Kinds that are not named keep their
    default. A rating goes through `prepare` as the ratings of the data do; a skip takes back what came before."""
    window_days: float | None = Field(default=None, gt=0)
    """Days before the log's newest event; what is older is left out. None takes all."""
    up_to: int | None = Field(default=None, ge=0)
    """`seq` of the last row of feedback that counts; None takes all there are. A run writes into its config which it
    was, so that the config alone tells what was read."""

    @field_serializer("log", when_used="json")
    def _without_password(self, log: str) -> str:
        return without_password(log)

    @field_validator("weights", mode="before")
    @classmethod
    def _of_known_kinds(cls, weights: Any) -> Any:
        if not isinstance(weights, Mapping):
            raise ValueError("expected a weight for a kind of event, as in 'weights: {purchase: 3}'")
        unknown = [str(name) for name in weights if name not in KINDS]
        if unknown:
            raise ValueError(f"unknown kind of event '{', '.join(unknown)}'; expected any of {', '.join(KINDS)}")
        return {name: kind.weight for name, kind in KINDS.items()} | dict(weights)

    @field_validator("weights")
    @classmethod
    def _what_is_not_liked_counts_nothing(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if weight and not KINDS[name].is_liking:
                raise ValueError(
                    f"a {name} says that an item was passed over and cannot count as {weight:g} events; leave it at 0"
                )
        return weights
