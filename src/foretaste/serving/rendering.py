"""Answers as JSON: the same over HTTP and from the command line.

An item is called by the noun of its data beside its plain name: `item_id` and, of a movie, `movie_id`.
"""

from collections.abc import Sequence
from typing import Any

from foretaste.serving.cards import noun_id
from foretaste.serving.engine import PopularItems, Recommendations, ScoredItem, SimilarItems

__all__ = ["Json", "noun_id", "popular_json", "recommendations_json", "similar_json"]

Json = dict[str, Any]


def recommendations_json(answer: Recommendations, item_noun: str) -> Json:
    """The answer to a request for recommendations."""
    return {
        "user_id": answer.user_id,
        "recommendations": _items(answer.items, item_noun),
        "model_version": answer.model_version,
        "is_fallback": answer.is_fallback,
        "fallback_reason": answer.fallback_reason,
    }


def similar_json(answer: SimilarItems, item_noun: str) -> Json:
    """The answer to a request for similar items."""
    return {
        "item_id": answer.item_id,
        noun_id(item_noun): answer.item_id,
        "title": answer.title,
        "similar_items": _items(answer.items, item_noun),
        "model_version": answer.model_version,
    }


def popular_json(answer: PopularItems, item_noun: str) -> Json:
    """The answer to a request for popular items."""
    return {
        "recommendations": _items(answer.items, item_noun),
        "source": answer.source,
        "model_version": answer.model_version,
    }


def _items(items: Sequence[ScoredItem], item_noun: str) -> list[Json]:
    return [_item(item, noun_id(item_noun)) for item in items]


def _item(item: ScoredItem, noun_key: str) -> Json:
    ours = {
        "item_id": item.item_id,
        noun_key: item.item_id,
        "title": item.title,
        "score": item.score,
        "source": item.source,
    }
    return {**ours, **item.attributes, **ours}  # an attribute that is called like one of ours gives way to it
