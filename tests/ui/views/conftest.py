"""A service that answers from memory, or fails in any way, and pages drawn on it."""

import json

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from foretaste.ui.client import ApiClient

ABOUT = {
    "item_noun": "movie",
    "model_version": "v1",
    "model": "als",
    "config": {"embedding_dim": 8},
    "created_at": "2026-01-02T03:04:05+00:00",
    "data": {"name": "small", "licence": "CC0-1.0"},
    "n_users": 60,
    "n_items": 1200,
    "n_interactions": 4800,
    "training_window": {"first": "2023-01-02T00:00:00+00:00", "last": "2024-01-02T00:00:00+00:00"},
    "metrics": {
        "ndcg@10": {"mean": 0.15, "low": 0.14, "high": 0.16},
        "coverage@10": {"mean": 0.34, "low": None, "high": None},
    },
    "run_id": "20260102-small",
    "filters": {
        "genres": {"kind": "text", "several": True, "values": ["Comedy", "War"]},
        "year": {"kind": "number", "several": False, "min": 1980.0, "max": 2020.0},
        "price": {"kind": "number", "several": False, "min": 0.5, "max": 9.5},
        "subtitled": {"kind": "flag", "several": False},
        "title": {"kind": "text", "several": False},
        "popularity": {"kind": "number", "several": False, "min": 0, "max": 9},
    },
    "variants": ["default"],
}
NASTY = "*<b>_:red[Big]_ $x$ & <script>alert(1)</script>"
"""A title that tries everything."""


class FakeService:
    """Recommends the items m0 … m19 by their numbers; m1 has a nasty title. Remembers what it was asked."""

    nasty = NASTY

    def __init__(self):
        self.card_of_model = dict(ABOUT)
        self.asked = []
        self.events = []
        self.registered = []
        self.refusals = {}
        """Path → the answer given instead."""

    def client(self, url="http://service"):
        return ApiClient(url, transport=httpx.MockTransport(self.answer), sleep=lambda seconds: None)

    def bodies(self, path):
        return [body for asked_path, body in self.asked if asked_path == path]

    def answer(self, request):
        path = request.url.path
        body = json.loads(request.content) if request.content else dict(request.url.params)
        self.asked.append((path, body))
        if path in self.refusals:
            refusal = self.refusals[path]
            if isinstance(refusal, Exception):
                raise refusal
            return httpx.Response(refusal, json={"detail": "told by the *service*", "request_id": "ab" * 16})
        handler = getattr(self, path.strip("/").split("/")[0])
        return httpx.Response(200, json=handler(body))

    def about(self, body):
        return self.card_of_model

    def health(self, body):
        return {
            "status": "ok",
            "model_version": self.card_of_model["model_version"],
            "model_loaded_at": "2026-01-02T03:04:05+00:00",
            "uptime_seconds": 93784.0,
        }

    def items(self, body):
        if "query" not in body:
            return self.card(3)
        return {"items": [self.card(number) for number in range(20) if body["query"] in f"Movie {number}"]}

    def users(self, body):
        if "attributes" in body:
            self.registered.append(body["user_id"])
            return {"user_id": body["user_id"], "attributes": {}, "registered_at": 1.0}
        return {"user_ids": [f"u{number}" for number in range(20) if f"u{number}".startswith(body["query"])]}

    def history(self, body):
        met = [event for event in self.events if event["user_id"] == body["user_id"] and event["kind"] == "click"]
        return {
            "user_id": body["user_id"],
            "is_known": body["user_id"].startswith("u"),
            "history": [{"item_id": "m90", "title": "Movie 90"}] if body["user_id"].startswith("u") else [],
            "recent": [{"item_id": event["item_id"], "title": f"Movie {event['item_id'][1:]}"} for event in met],
        }

    def recommend(self, body):
        gone = {event["item_id"] for event in self.events} | set(body.get("exclude", ()))
        left = [number for number in range(20) if f"m{number}" not in gone]
        if body.get("variant") == "b":
            left = left[1:] + left[:1]
        if body.get("filters"):
            left = [] if "War" in body["filters"].get("genres", ()) else left[::2]
        is_fallback = not (str(body.get("user_id") or "").startswith("u") or body.get("seeds"))
        cards = [self.card(number) | {"score": 1 - place / 20, "source": "model"} for place, number in enumerate(left)]
        return {
            "user_id": body.get("user_id"),
            "recommendations": cards[: body["k"]],
            "model_version": f"v-{body.get('variant') or '1'}",
            "is_fallback": is_fallback,
            "fallback_reason": "unknown" if is_fallback else None,
            "variant": body.get("variant") or "default",
            "request_id": "cd" * 16,
        }

    def similar(self, body):
        cards = [self.card(number) | {"score": 0.5, "source": "model"} for number in range(5, 5 + body["k"])]
        return {"title": "Movie 3", "similar_items": [] if "genres" in body["filters"] else cards}

    def popular(self, body):
        cards = [self.card(number) | {"score": 100.0 - number, "source": "popularity"} for number in range(20)]
        return {"recommendations": cards[: int(body["k"])], "source": "popularity"}

    def explain(self, body):
        return {
            "because": [
                {"item_id": "m90", "title": "Movie 90", "contribution": 0.3},
                {"item_id": "m91", "title": "Movie 91", "contribution": -0.1},
            ]
        }

    def feedback(self, body):
        self.events += body["events"]
        return {"event_ids": [event["event_id"] for event in body["events"]]}

    @staticmethod
    def card(number):
        title = NASTY if number == 1 else f"Movie {number}"
        return {"item_id": f"m{number}", "title": title, "year": 1980 + number, "genres": ["Comedy"]}


@pytest.fixture
def service():
    return FakeService()


@pytest.fixture
def draw(service):
    """Draws a page on the service, with what the session knows before."""

    def drawn(show, *more, **session):
        test = AppTest.from_function(_script, args=(show, service.client(), service.card_of_model, *more))
        for name, value in session.items():
            test.session_state[name] = value
        test.run(timeout=20)
        assert not test.exception, test.exception
        return test

    return drawn


def _script(show, client, about, *more):
    show(client, about, *more)


@pytest.fixture
def said():
    """All that a page says, HTML included, as one text."""

    def _said(test):
        kinds = ("title", "subheader", "caption", "markdown", "error", "warning", "info")
        texts = [each.value for kind in kinds for each in test.get(kind)]
        return "\n".join([*texts, *(each.proto.body for each in test.get("html"))])

    return _said
