"""What an owner of the service asks of every answer beside its scores: variety, limits, lifts and fixed places."""

from typing import Annotated

from pydantic import Field, field_validator

from foretaste.serving.filters import FilterScalar
from foretaste.serving.policies import GreedyPolicy, Policy
from foretaste.settings import Settings


class DiversityConfig(Settings):
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    The merit of an item for a slot is λ · relevance − (1 − λ) · its similarity to the most similar item of the slots
    above. Relevance is the score, scaled so that the best candidate has 1 and the worst 0.
    """

    relevance_weight: float = Field(default=0.7, ge=0, le=1)
    """λ: 1 looks at relevance alone, 0 at variety alone."""
    attributes: tuple[str, ...] = Field(default=("genres",), min_length=1)
    """Two items are as similar as the values of these that they share, of all that either has (Jaccard)."""
    candidates: int = Field(default=100, ge=1, le=10_000)
    """How many of the best items compete; at least k do."""


class Boost(Settings):
    """A lift for items that a filter describes."""

    filters: dict[str, FilterScalar | tuple[FilterScalar, ...]]
    """Which items, as in a request: `{genres: [Documentary], year_min: 2020}`."""
    lift: float = Field(ge=-100, le=100)
    """Added to the score, in standard deviations of the user's scores of all items; below 0 it pushes down."""


class Pin(Settings):
    """An item with a fixed place. It comes only where the request's own conditions allow it."""

    item_id: str
    slot: int = Field(ge=1, le=1000)
    """1 is the first; in a shorter answer the item competes like any other."""


class SlateConfig(Settings):
    """How the best items become an answer."""

    policy: Policy = GreedyPolicy()
    """How slots are given to items."""
    diversity: DiversityConfig | None = None
    """Null: items are ordered by score alone."""
    caps: dict[str, Annotated[int, Field(ge=1)]] = Field(default={})
    """Attribute → how many items of an answer may share a value of it, as `{author: 2}`. A cap holds even where fewer
    than k items are then left."""
    boosts: tuple[Boost, ...] = ()
    """Lifts; those of several boosts add up."""
    pins: tuple[Pin, ...] = ()
    """Items with fixed places."""
    withheld: tuple[str, ...] = ()
    """Ids of items that are never shown."""

    @field_validator("pins")
    @classmethod
    def _one_item_a_place(cls, pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        if len({pin.slot for pin in pins}) < len(pins) or len({pin.item_id for pin in pins}) < len(pins):
            raise ValueError("two pins have the same slot or the same item; expected each once")
        return pins
