"""Answers as JSON bytes. Items were encoded when the catalogue was loaded; here only what frames them is."""

from collections.abc import Mapping
from typing import Any

import orjson

from foretaste.serving.answers import Explanation, Items, PopularItems, Recommendations, SimilarItems
from foretaste.serving.cards import noun_id


def recommendations(answer: Recommendations, request_id: str, variant: str) -> bytes:
    """The answer of /recommend."""
    tail = {
        "model_version": answer.model_version,
        "is_fallback": answer.is_fallback,
        "fallback_reason": answer.fallback_reason,
        "policy": answer.policy,
        "variant": variant,
        "request_id": request_id,
    }
    return _framed({"user_id": answer.user_id}, "recommendations", answer.items, tail)


def batch(answers: list[bytes], request_id: str) -> bytes:
    """The answer of /recommend/batch, from those of its requests."""
    return b'{"answers":[%b],"request_id":"%b"}' % (b",".join(answers), request_id.encode())


def similar(answer: SimilarItems, request_id: str, item_noun: str) -> bytes:
    """The answer of /similar."""
    head = {"item_id": answer.item_id, noun_id(item_noun): answer.item_id, "title": answer.title}
    tail = {"model_version": answer.model_version, "request_id": request_id}
    return _framed(head, "similar_items", answer.items, tail)


def popular(answer: PopularItems, request_id: str) -> bytes:
    """The answer of /popular."""
    tail = {"source": answer.source, "model_version": answer.model_version, "request_id": request_id}
    return _framed({}, "recommendations", answer.items, tail)


def explanation(answer: Explanation, request_id: str, item_noun: str) -> bytes:
    """The answer of /explain."""
    noun = noun_id(item_noun)
    return orjson.dumps(
        {
            "user_id": answer.user_id,
            "item_id": answer.item_id,
            noun: answer.item_id,
            "title": answer.title,
            "score": answer.score,
            "because": [
                {
                    "item_id": reason.item_id,
                    noun: reason.item_id,
                    "title": reason.title,
                    "contribution": reason.contribution,
                }
                for reason in answer.because
            ],
            "model_version": answer.model_version,
            "request_id": request_id,
        }
    )


def item(card: dict[str, Any], model_version: str, request_id: str, item_noun: str) -> bytes:
    """The answer of /items."""
    ours = {"item_id": card["item_id"], noun_id(item_noun): card["item_id"]}
    return orjson.dumps({**ours, **card, **ours, "model_version": model_version, "request_id": request_id})


def _framed(head: Mapping[str, object], name: str, items: Items, tail: Mapping[str, object]) -> bytes:
    """One object: the fields of the head, the items, the fields of the tail."""
    comma = b"," if head else b""
    return b'%b%b"%b":%b,%b' % (orjson.dumps(head)[:-1], comma, name.encode(), items.json(), orjson.dumps(tail)[1:])
