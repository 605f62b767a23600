"""A bundle, a request, an answer: all of serving but the network.

A known user is scored by the same calls as in evaluation, so the served scores are the evaluated ones, to the bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import sparse

from foretaste.arrays import UNKNOWN, BoolArray, FloatArray, IntArray
from foretaste.artifacts.bundle import Bundle, Clock, utc_now
from foretaste.data.schemas import ITEM_ID, TITLE
from foretaste.errors import RequestError, UnknownItemError
from foretaste.models.cold_start import score_or_popularity
from foretaste.models.protocol import Embedder, Query
from foretaste.retrieval.exact import ExactCosine
from foretaste.serving.cards import ItemCards
from foretaste.serving.filters import CatalogueFilters, Filters
from foretaste.serving.slate import best_items

Source = Literal["model", "popularity"]
"""Who gave an item its score."""


@dataclass(frozen=True)
class RecommendRequest:
    """Who asks, and for what. Ids that the bundle does not hold are passed over."""

    user_id: str | None = None
    """None for somebody without an id."""
    k: int = 10
    exclude_seen: bool = True
    """Leave out what the user has met: the stored history and that of the request."""
    filters: Filters = field(default_factory=dict)
    include: Sequence[str] = ()
    """Only these items; none given means any."""
    exclude: Sequence[str] = ()
    """Not these items."""
    history: Sequence[str] = ()
    """Items that the user has met beside the stored history."""


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


@dataclass(frozen=True)
class Recommendations:
    """The answer to a RecommendRequest."""

    user_id: str | None
    items: Sequence[ScoredItem]
    """Best first; k of them wherever k are eligible."""
    model_version: str
    """The bundle id."""
    is_fallback: bool
    """True where nothing is known of the user, so that popularity answered."""
    fallback_reason: str | None


@dataclass(frozen=True)
class SimilarItems:
    """Items like one item."""

    item_id: str
    title: str
    items: Sequence[ScoredItem]
    """Most similar first, without the item itself."""
    model_version: str


@dataclass(frozen=True)
class PopularItems:
    """What is popular among everybody."""

    items: Sequence[ScoredItem]
    source: Source
    model_version: str


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


class Engine:
    """Answers requests from one bundle."""

    def __init__(self, bundle: Bundle, *, clock: Clock = utc_now) -> None:
        self.bundle = bundle
        self.cards = ItemCards(bundle.catalogue)
        self.filters = CatalogueFilters(bundle.catalogue)
        self._model = bundle.model()
        self._clock = clock
        self._loaded_at: datetime = clock()

    @property
    def model_version(self) -> str:
        """The bundle id."""
        return self.bundle.id

    @property
    def item_noun(self) -> str:
        """What an item is called in front of people."""
        return self.bundle.manifest.source.item_noun

    def recommend(self, request: RecommendRequest) -> Recommendations:
        """The best items for a user.

        Raises:
            RequestError: k is below 1, or a filter does not fit the catalogue.
        """
        user = UNKNOWN if request.user_id is None else self.bundle.users.index(request.user_id)
        query = self._query(user, request.history)
        eligible_I = self._eligible(request.filters, request.include, request.exclude)
        scores_1I, is_fallback_1 = score_or_popularity(self._model, query, self.bundle.popularity_I)
        is_fallback = bool(is_fallback_1[0])
        items = self._slate(
            scores_1I,
            request.k,
            "popularity" if is_fallback else "model",
            exclude_1I=query.history_BI if request.exclude_seen else None,
            eligible_I=eligible_I,
        )
        reason = _fallback_reason(request, is_known=user != UNKNOWN) if is_fallback else None
        return Recommendations(request.user_id, items, self.model_version, is_fallback, reason)

    def similar(self, item_id: str, k: int = 10, filters: Filters | None = None) -> SimilarItems:
        """The items most like one: by the cosine of their vectors where the model has any, else by the scores that a
        user gets who has met that item alone.

        Raises:
            UnknownItemError: the bundle does not hold the item.
            RequestError: k is below 1, or a filter does not fit the catalogue.
        """
        item = self.bundle.items.index(item_id)
        if item == UNKNOWN:
            raise UnknownItemError(
                f"unknown item '{item_id}'; the bundle '{self.model_version}' holds {len(self.bundle.items):,} items, "
                f"as '{self.bundle.items.id(0)}'."
            )
        itself_1I = self._history_row(np.array([item], dtype=np.int32))
        scores_1I = self._cosine.scores([item]) if self._cosine else self._model.score(Query.of_history(itself_1I))
        eligible_I = self._eligible(filters or {})
        items = self._slate(scores_1I, k, "model", exclude_1I=itself_1I, eligible_I=eligible_I)
        (card,) = self.cards.at(np.array([item]))
        return SimilarItems(item_id, card["title"], items, self.model_version)

    def popular(self, k: int = 10, filters: Filters | None = None) -> PopularItems:
        """The items with the most events in the training data.

        Raises:
            RequestError: k is below 1, or a filter does not fit the catalogue.
        """
        eligible_I = self._eligible(filters or {})
        items = self._slate(self.bundle.popularity_I[None, :], k, "popularity", eligible_I=eligible_I)
        return PopularItems(items, "popularity", self.model_version)

    def history(self, user_id: str, limit: int = 10) -> list[dict[str, Any]]:
        """Cards of what a user met in the training data: the latest first, or without timestamps the heaviest."""
        user = self.bundle.users.index(user_id)
        if user == UNKNOWN:
            return []
        start, stop = self._history_span(user)
        weights_UI, timestamp_N = self.bundle.history
        order = weights_UI.data if timestamp_N is None else timestamp_N
        latest = np.argsort(-order[start:stop], kind="stable")[:limit]
        return self.cards.at(weights_UI.indices[start:stop][latest])

    def health(self) -> Health:
        """What is served, and since when."""
        return Health(
            status="ok",
            model_version=self.model_version,
            model_loaded_at=self._loaded_at.isoformat(),
            uptime_seconds=(self._clock() - self._loaded_at).total_seconds(),
            n_users=len(self.bundle.users),
            n_items=len(self.bundle.items),
        )

    def warm_up(self) -> None:
        """Answer once in every way, so that the first real request does not wait for compilation."""
        first_item = self.bundle.items.id(0)
        for request in (
            RecommendRequest(),
            RecommendRequest(history=[first_item]),
            RecommendRequest(self.bundle.users.id(0)),
        ):
            self.recommend(request)
        self.similar(first_item)

    @cached_property
    def _cosine(self) -> ExactCosine | None:
        return ExactCosine(self._model.item_embeddings_ID) if isinstance(self._model, Embedder) else None

    def _query(self, user: int, history_ids: Sequence[str]) -> Query:
        """A known user with nothing new is asked for by index, as in evaluation; with news, by the whole history."""
        start, stop = self._history_span(user) if user != UNKNOWN else (0, 0)
        weights_UI = self.bundle.history.weights_UI
        stored_H = weights_UI.indices[start:stop]
        new_H = np.setdiff1d(self._known(history_ids), stored_H) if history_ids else stored_H[:0]
        if len(new_H) == 0:
            history_1I = self._history_row(stored_H, weights_UI.data[start:stop])
            return Query(np.array([user], dtype=np.int32), history_1I)
        item_H = np.concatenate([stored_H, new_H])
        weight_H = np.concatenate([weights_UI.data[start:stop], np.ones(len(new_H), dtype=np.float32)])
        order = np.argsort(item_H)
        return Query.of_history(self._history_row(item_H[order], weight_H[order]))

    def _history_span(self, user: int) -> tuple[int, int]:
        indptr = self.bundle.history.weights_UI.indptr
        return int(indptr[user]), int(indptr[user + 1])

    def _history_row(self, item_H: IntArray, weight_H: FloatArray | None = None) -> sparse.csr_array:
        weight_H = np.ones(len(item_H), dtype=np.float32) if weight_H is None else weight_H
        indptr = np.array([0, len(item_H)], dtype=item_H.dtype)
        return sparse.csr_array((weight_H, item_H, indptr), shape=(1, len(self.bundle.items)))

    def _known(self, item_ids: Sequence[str]) -> IntArray:
        indices = (self.bundle.items.index(item_id) for item_id in item_ids)
        return np.array([index for index in indices if index != UNKNOWN], dtype=np.int32)

    def _eligible(self, filters: Filters, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> BoolArray | None:
        eligible_I = self.filters.eligible(filters)
        if not include and not exclude:
            return eligible_I
        eligible_I = np.ones(len(self.bundle.items), dtype=bool) if eligible_I is None else eligible_I.copy()
        if include:
            is_included_I = np.zeros_like(eligible_I)
            is_included_I[self._known(include)] = True
            eligible_I &= is_included_I
        eligible_I[self._known(exclude)] = False
        return eligible_I

    def _slate(
        self,
        scores_1I: FloatArray,
        k: int,
        source: Source,
        *,
        exclude_1I: sparse.csr_array | None = None,
        eligible_I: BoolArray | None = None,
    ) -> list[ScoredItem]:
        if k < 1:
            raise RequestError(f"k is {k}; expected 1 or more.")
        item_K, score_K, num_scored = best_items(
            scores_1I,
            self.bundle.popularity_I,
            min(k, len(self.bundle.items)),
            exclude_1I=exclude_1I,
            eligible_I=eligible_I,
        )
        sources = [source] * num_scored + ["popularity"] * (len(item_K) - num_scored)
        return [
            ScoredItem(card.pop(ITEM_ID), card.pop(TITLE), score, each_source, card)
            for card, score, each_source in zip(self.cards.at(item_K), score_K.tolist(), sources, strict=True)
        ]


def _fallback_reason(request: RecommendRequest, *, is_known: bool) -> str:
    if is_known:
        who = f"user '{request.user_id}' has no history"
    elif request.user_id is None:
        who = "nothing is known of the user"
    else:
        who = f"unknown user '{request.user_id}'"
    unknown_history = " and the bundle holds none of the history's items" if request.history else ""
    return f"{who}{unknown_history}: popular items"
