"""What may be asked of the engine, and what it answers: plain data, external ids, no HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import orjson

from foretaste.arrays import DoubleArray, FloatArray, IntArray
from foretaste.data.schemas import ITEM_ID, TITLE
from foretaste.serving.cards import ItemCards
from foretaste.serving.filters import Filters, FilterScalar
from foretaste.serving.policies import Policy

Source = Literal["model", "popularity"]
"""Who gave an item its score."""


@dataclass(frozen=True)
class RecommendRequest:
    """Who asks, and for what. Ids that the bundle does not hold are passed over."""

    user_id: str | None = None
    """None for somebody without an id."""
    k: int = 10
    exclude_seen: bool = True
    """Leave out what the user has met: the stored history, that of the request, and the seeds."""
    filters: Filters = field(default_factory=dict)
    include: Sequence[str] = ()
    """Only these items; none given means any."""
    exclude: Sequence[str] = ()
    """Not these items."""
    history: Sequence[str] = ()
    """Items that the user has met beside the stored history: of the request, or events since the training."""
    dismissed: Sequence[str] = ()
    """Items that the user has turned away: never shown, whatever `exclude_seen` says, and never taken for liking. An
    item that stands in the history, too, is taken out of it."""
    seeds: Sequence[str] = ()
    """Items that somebody likes of whom no history is known; of no effect where there is one."""
    attributes: Mapping[str, FilterScalar] = field(default_factory=dict)
    """What is known of the user, as `{"gender": "F"}`: popularity among such users answers where there is neither a
    history nor a seed."""
    policy: Policy | None = None
    """How slots are given to items; None for the engine's own policy."""
    seed: int | None = None
    """Of the draws of a stochastic policy: the same seed, the same answer. None draws afresh."""

    def asked(self) -> dict[str, Any]:
        """What was asked beside the user, but for what is as by default: plain values, for the log."""
        kept = {} if self.exclude_seen else {"exclude_seen": False}
        named = {name: value for name in _LOGGED if (value := getattr(self, name))}
        return {"k": self.k, **kept, **named}

    @classmethod
    def of_log(cls, user_id: str | None, asked: Mapping[str, Any]) -> "RecommendRequest":
        """The request of a row of the log."""
        return cls(user_id, **{name: asked[name] for name in ("k", "exclude_seen", *_LOGGED) if name in asked})


_LOGGED = ("filters", "include", "exclude", "history", "dismissed", "seeds", "attributes")


@dataclass(frozen=True)
class ScoredItem:
    """An item of an answer."""

    item_id: str
    title: str
    score: float
    source: Source
    """`popularity` where the model had no score to give; its scores are then counts of events."""
    attributes: Mapping[str, Any]
    """Whatever else the catalogue knows, as JSON types."""
    propensity: float = 1.0
    """Probability of this item in this slot, given the request and the items of the slots above."""


class Items(Sequence[ScoredItem]):
    """The items of an answer, best first: columns for a log, JSON for a response, or objects, made when asked for."""

    def __init__(
        self,
        cards: ItemCards,
        item_K: IntArray,
        score_K: FloatArray,
        propensity_K: DoubleArray | None = None,
        source_K: Sequence[Source] = (),
    ) -> None:
        self._cards = cards
        self.item_K = item_K
        """Indices of the catalogue."""
        self.scores: list[float] = score_K.tolist()
        """Float32, written with all their digits."""
        self.scores_json = orjson.dumps(self.scores)
        """The same as a JSON array, which response and log have in common."""
        self.propensities: list[float] = [1.0] * len(item_K) if propensity_K is None else propensity_K.tolist()
        """Probability of each item in its slot, given the request and the items of the slots above."""
        self.sources = list(source_K)
        """Who gave each its score."""
        assert len(self.item_K) == len(self.scores) == len(self.propensities) == len(self.sources)

    @property
    def item_ids(self) -> list[str]:
        """External ids."""
        return self._cards.ids(self.item_K)

    def json(self) -> bytes:
        """The items as a JSON array: id, also under the noun of the data, title, attributes, score and source.

        All but the last two was encoded when the catalogue was loaded.
        """
        scores = self.scores_json[1:-1].split(b",")
        return b"[" + b",".join(map(self._cards.with_score, self.item_K.tolist(), scores, self.sources)) + b"]"

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[ScoredItem]:
        columns = (self._cards.at(self.item_K), self.scores, self.sources, self.propensities)
        for card, score, source, propensity in zip(*columns, strict=True):
            yield ScoredItem(card.pop(ITEM_ID), card.pop(TITLE), score, source, card, propensity)

    @overload
    def __getitem__(self, slot: int) -> ScoredItem: ...
    @overload
    def __getitem__(self, slot: slice) -> list[ScoredItem]: ...
    def __getitem__(self, slot: int | slice) -> ScoredItem | list[ScoredItem]:
        return list(self)[slot]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


@dataclass(frozen=True)
class Recommendations:
    """The answer to a RecommendRequest."""

    user_id: str | None
    items: Items
    """Best first; k of them wherever k are eligible."""
    model_version: str
    """The bundle id."""
    is_fallback: bool
    """True where the user has no history, so that seeds or popularity answered."""
    fallback_reason: str | None
    policy: str = "greedy"
    """How slots were given to items, as `plackett_luce(temperature=0.1, candidates=100)`: the request log tells it."""


@dataclass(frozen=True)
class SimilarItems:
    """Items like one item."""

    item_id: str
    title: str
    items: Items
    """Most similar first, without the item itself."""
    model_version: str


@dataclass(frozen=True)
class PopularItems:
    """What is popular among everybody."""

    items: Items
    source: Source
    model_version: str


@dataclass(frozen=True)
class Explanation:
    """What of a history an item's score rests on."""

    user_id: str | None
    item_id: str
    title: str
    score: float
    """Of the item, from the whole history."""
    because: Sequence["Reason"]
    """Most important first; empty where no item of the history lifts the score."""
    model_version: str


@dataclass(frozen=True)
class Reason:
    """An item of a history that lifts a score."""

    item_id: str
    title: str
    contribution: float
    """How much lower the score would be without it, > 0."""


@dataclass(frozen=True)
class Health:
    """What is served, and since when."""

    status: Literal["ok"]
    model_version: str
    model_loaded_at: str
    """ISO 8601, UTC."""
    uptime_seconds: float
    """Since the bundle was loaded."""
    n_users: int
    n_items: int
