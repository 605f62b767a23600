"""Calls by which a front end finds users and items, and tells what it shows."""

from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import Query, Response

from foretaste.errors import RequestError
from foretaste.serving import answer_schemas, request_schemas
from foretaste.serving.cards import noun_id
from foretaste.serving.routes.calls import Calls, CurrentExchange
from foretaste.serving.service import Service

_TAG = "browsing"
_Limit = Annotated[int, Query(ge=1, le=100, description="How many, at most.")]


def add_browsing(calls: Calls, service: Service) -> None:
    """Add `/items`, `/users`, `/history` and `/about`."""
    logs = service.logs

    async def items(
        exchange: CurrentExchange,
        query: Annotated[str, Query(max_length=200, description="Part of a title, in any case.")] = "",
        limit: _Limit = 20,
    ) -> Response:
        """Items by title, the most popular first."""
        engine = service.serves(exchange, None).engine
        noun = noun_id(engine.item_noun)
        found = [{**card, noun: card["item_id"]} for card in engine.cards.titles_like(query, limit)]
        return calls.json(orjson.dumps({"items": found, "request_id": exchange.request_id}))

    async def users(
        exchange: CurrentExchange,
        query: Annotated[str, Query(max_length=200, description="How the id begins.")] = "",
        limit: _Limit = 20,
    ) -> Response:
        """Users that the model was trained on, by id."""
        engine = service.serves(exchange, None).engine
        found = engine.bundle.users.starting_with(query, limit)
        return calls.json(orjson.dumps({"user_ids": found, "request_id": exchange.request_id}))

    async def history(
        exchange: CurrentExchange,
        user_id: Annotated[request_schemas.Id | None, Query(description="May be left out with a token.")] = None,
        limit: _Limit = 10,
    ) -> Response:
        """What a user met last: since the training by feedback, and in the training data."""
        acting = exchange.acting_as(user_id)
        if acting is None:
            raise RequestError("no user_id: expected whose history is asked for, as in ?user_id=u7.")
        served = service.serves(exchange, acting)
        engine = served.engine
        recent = logs.recent.history(acting, served.trained_until, served.min_rating)
        told = {
            "user_id": acting,
            "is_known": engine.knows(acting),
            "history": engine.history(acting, limit),
            "recent": [{"item_id": item, "title": engine.title(item)} for item in recent.liked[:limit]],
            "request_id": exchange.request_id,
        }
        return calls.json(orjson.dumps(told))

    async def about(exchange: CurrentExchange) -> Response:
        """The model card: what answers, what it learnt from, how good it was, and by what one may filter."""
        loaded = service.models.current
        engine = service.serves(exchange, None).engine
        manifest = engine.bundle.manifest
        told = {
            "item_noun": engine.item_noun,
            "model_version": engine.model_version,
            "model": manifest.model,
            "config": manifest.config,
            "created_at": manifest.created_at,
            "data": asdict(manifest.source),
            "n_users": len(engine.bundle.users),
            "n_items": len(engine.bundle.items),
            "n_interactions": manifest.num_interactions,
            "training_window": manifest.training_window.model_dump() if manifest.training_window else None,
            "metrics": manifest.metrics,
            "run_id": manifest.run_id,
            "filters": engine.filters.choices(),
            "variants": [each.variant for each in loaded.served],
            "request_id": exchange.request_id,
        }
        return calls.json(orjson.dumps(told))

    calls.get("/items", items, answer_schemas.ItemsAnswer, _TAG)
    calls.get("/users", users, answer_schemas.UsersAnswer, _TAG)
    calls.get("/history", history, answer_schemas.HistoryAnswer, _TAG)
    calls.get("/about", about, answer_schemas.AboutAnswer, _TAG)
