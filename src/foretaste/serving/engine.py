"""A bundle, a request, an answer: all of serving but the network.

A known user is scored by the same calls as in evaluation, so the served scores are the evaluated ones, to the bit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from foretaste.arrays import UNKNOWN, BoolArray, IntArray
from foretaste.artifacts.bundle import Bundle, Clock, utc_now
from foretaste.artifacts.segments import Segment
from foretaste.data.schemas import AVAILABLE
from foretaste.errors import RequestError, UnknownItemError
from foretaste.models.explain import contributions
from foretaste.models.protocol import Query
from foretaste.serving.answers import (
    Explanation,
    Health,
    Items,
    PopularItems,
    Reason,
    Recommendations,
    RecommendRequest,
    ScoredItem,
    SimilarItems,
    Source,
)
from foretaste.serving.arrangement import Arranged, Arrangement
from foretaste.serving.audience import Asker, Audience
from foretaste.serving.cards import ItemCards
from foretaste.serving.filters import CatalogueFilters, Filters
from foretaste.serving.ranker import Ranker
from foretaste.serving.slate_settings import SlateConfig

__all__ = [
    "Engine",
    "Explanation",
    "Health",
    "Items",
    "PopularItems",
    "RecommendRequest",
    "Recommendations",
    "ScoredItem",
    "SimilarItems",
    "Source",
]


class Engine:
    """Answers requests from one bundle."""

    def __init__(self, bundle: Bundle, *, slate: SlateConfig | None = None, clock: Clock = utc_now) -> None:
        """An engine, ready to answer.

        Args:
            bundle: what to serve.
            slate: how the best items become an answer; by default by score alone.
            clock: tells the time.

        Raises:
            ArtifactError: this foretaste cannot restore the bundle's model.
            ConfigError: `slate` names an attribute that the catalogue does not have.
            ArtifactError: the index of the bundle cannot be read.
            RequestError: a boost has a filter that does not fit the catalogue.
        """
        self.bundle = bundle
        self.cards = ItemCards(bundle.catalogue, bundle.manifest.source.item_noun)
        self.filters = CatalogueFilters(bundle.catalogue)
        self._ranker = Ranker(bundle)
        self._sold_out_H = _sold_out(bundle)
        self._audience = Audience(bundle)
        self._arrangement = Arrangement(slate or SlateConfig(), bundle, self.filters)
        self._plain = Arrangement(SlateConfig(), bundle, self.filters)
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
        _check_k(request.k)
        asker, eligible_I = self._asker(request)
        is_known = len(asker.item_H) > 0
        segments = [] if is_known else self._segments(request)
        ranking = self._ranker.of_asker(asker) if is_known else self._ranker.popularity(segments)
        policy = request.policy or self._arrangement.config.policy
        arranged = self._arrangement.arrange(ranking, request.k, eligible_I, policy, request.seed)
        is_fallback = not is_known or asker.num_seeds > 0
        return Recommendations(
            request.user_id,
            self._items(arranged, "model" if is_known else "popularity"),
            self.model_version,
            is_fallback,
            self._fallback_reason(request, asker, segments) if is_fallback else None,
            policy.label,
        )

    def chances(self, request: RecommendRequest, item_ids: Sequence[str]) -> sparse.csr_array:
        """chance_KI: the probability with which this engine would have put each item into each slot of an answer, given
        the items that the slots above showed. An item that the bundle does not hold could not have come.

        Args:
            request: what was asked.
            item_ids: what was shown, best first.

        Raises:
            RequestError: a filter does not fit the catalogue.
        """
        asker, eligible_I = self._asker(request)
        is_known = len(asker.item_H) > 0
        ranking = self._ranker.of_asker(asker) if is_known else self._ranker.popularity(self._segments(request))
        shown_K = np.array([self.bundle.items.index(item_id) for item_id in item_ids], dtype=np.int32)
        return self._arrangement.chances(ranking, shown_K, eligible_I, request.policy)

    def similar(self, item_id: str, k: int = 10, filters: Filters | None = None) -> SimilarItems:
        """The items most like one; see `Ranker.likeness`.

        Raises:
            UnknownItemError: the bundle does not hold the item.
            RequestError: k is below 1, or a filter does not fit the catalogue.
        """
        _check_k(k)
        item = self._item(item_id)
        eligible_I = self._eligible(filters or {})
        eligible_I[item] = False
        arranged = self._plain.arrange(self._ranker.likeness(item), k, eligible_I)
        return SimilarItems(item_id, self.cards.title(item), self._items(arranged, "model"), self.model_version)

    def popular(self, k: int = 10, filters: Filters | None = None) -> PopularItems:
        """The items with the most events in the training data.

        Raises:
            RequestError: k is below 1, or a filter does not fit the catalogue.
        """
        _check_k(k)
        arranged = self._plain.arrange(self._ranker.popularity(), k, self._eligible(filters or {}))
        return PopularItems(self._items(arranged, "popularity"), "popularity", self.model_version)

    def explain(
        self, item_id: str, user_id: str | None = None, history: Sequence[str] = (), limit: int = 5
    ) -> Explanation:
        """What of the history an item's score rests on.

        Args:
            item_id: the item.
            user_id: whose stored history counts; None for nobody's.
            history: items beside the stored history.
            limit: how many items of the history to tell, at most.

        Raises:
            UnknownItemError: the bundle does not hold the item.
            RequestError: there is no history to explain by.
        """
        item = self._item(item_id)
        asker = self._audience.asker(RecommendRequest(user_id, history=history))
        if len(asker.item_H) == 0:
            raise RequestError(
                f"nothing is known that '{item_id}' could rest on: user {user_id!r} has no history in the bundle "
                f"'{self.model_version}'. Give a `user_id` that has one, or a `history`."
            )
        query = Query.of_history(asker.query(len(self.bundle.items)).history_BI)
        score, contribution_H = contributions(self._ranker.model, query, item)
        best_H = np.argsort(-contribution_H, kind="stable")[:limit]
        best_H = best_H[contribution_H[best_H] > 0]
        because = [
            Reason(self.bundle.items.id(met), self.cards.title(met), contribution)
            for met, contribution in zip(asker.item_H[best_H].tolist(), contribution_H[best_H].tolist(), strict=True)
        ]
        return Explanation(user_id, item_id, self.cards.title(item), score, because, self.model_version)

    def knows(self, user_id: str) -> bool:
        """Whether the model was trained with events of the user; ids without any may be in its vocabulary."""
        user, indptr = self.bundle.users.index(user_id), self.bundle.history.weights_UI.indptr
        return bool(user != UNKNOWN and indptr[user] < indptr[user + 1])

    def title(self, item_id: str) -> str:
        """The title of an item; the id itself where it has none or the bundle does not hold it."""
        item = self.bundle.items.index(item_id)
        return item_id if item == UNKNOWN else self.cards.title(item)

    def item(self, item_id: str) -> dict[str, Any]:
        """What the catalogue knows of an item.

        Raises:
            UnknownItemError: the bundle does not hold the item.
        """
        (card,) = self.cards.at(np.array([self._item(item_id)], dtype=np.int32))
        return card

    def history(self, user_id: str, limit: int = 10) -> list[dict[str, Any]]:
        """Cards of what a user met in the training data: the latest first, or without timestamps the heaviest."""
        user = self.bundle.users.index(user_id)
        if user == UNKNOWN:
            return []
        start, stop = self._audience.span(user)
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
        self.explain(first_item, history=[first_item])

    def _asker(self, request: RecommendRequest) -> tuple[Asker, BoolArray]:
        """Who asks, and which items may come."""
        asker = self._audience.asker(request)
        eligible_I = self._eligible(request.filters, request.include, request.exclude)
        eligible_I[asker.dismissed_H] = False
        if request.exclude_seen:
            eligible_I[asker.item_H] = False
        return asker, eligible_I

    def _segments(self, request: RecommendRequest) -> list[Segment]:
        return self.bundle.segments.of_user(request.attributes) if self.bundle.segments else []

    def _item(self, item_id: str) -> int:
        item = self.bundle.items.index(item_id)
        if item == UNKNOWN:
            raise UnknownItemError(
                f"unknown item '{item_id}'; the bundle '{self.model_version}' holds {len(self.bundle.items):,} items, "
                f"as '{self.bundle.items.id(0)}'."
            )
        return item

    def _eligible(self, filters: Filters, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> BoolArray:
        """True for each item that may come; may be written to."""
        eligible_I = self.filters.eligible(filters)
        if AVAILABLE not in filters and len(self._sold_out_H):
            eligible_I[self._sold_out_H] = False
        if include:
            eligible_I &= _mask(self._audience.known(include), len(eligible_I))
        if exclude:
            eligible_I[self._audience.known(exclude)] = False
        return eligible_I

    def _items(self, arranged: Arranged, source: Source) -> Items:
        sources: list[Source] = [source if scored else "popularity" for scored in arranged.is_scored_K.tolist()]
        return Items(self.cards, arranged.item_K, arranged.score_K, arranged.propensity_K, sources)

    def _fallback_reason(self, request: RecommendRequest, asker: Asker, segments: Sequence[Segment]) -> str:
        if request.user_id is None:
            who = "nothing is known of the user"
        elif self.bundle.users.index(request.user_id) != UNKNOWN:
            who = f"user '{request.user_id}' has no history"
        else:
            who = f"unknown user '{request.user_id}'"
        if asker.num_seeds:
            return f"{who}: by {asker.num_seeds} seed {'item' if asker.num_seeds == 1 else 'items'}"
        unknown_history = " and the bundle holds none of the history's items" if request.history else ""
        among = f" among {' and '.join(segment.name for segment in segments)}" if segments else " items"
        return f"{who}{unknown_history}: popular{among}"


def _sold_out(bundle: Bundle) -> IntArray:
    """Items of which the catalogue says that they are not available; what it says nothing of is."""
    if bundle.catalogue.schema.get(AVAILABLE) != pl.Boolean:
        return np.zeros(0, dtype=np.int32)
    return bundle.catalogue[AVAILABLE].eq(False).fill_null(False).arg_true().cast(pl.Int32).to_numpy()


def _check_k(k: int) -> None:
    if k < 1:
        raise RequestError(f"k is {k}; expected 1 or more.")


def _mask(items: IntArray, num_items: int) -> BoolArray:
    mask_I = np.zeros(num_items, dtype=bool)
    mask_I[items] = True
    return mask_I
