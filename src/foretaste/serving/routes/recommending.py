"""Calls that ask the engine.

Each takes its turn at the gate and computes on the event loop: an answer takes less time than to hand it to a thread
and back.
"""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import Body, Path, Query, Response

from foretaste.data.schemas import GENRES
from foretaste.serving import encoding, schemas
from foretaste.serving.exchange import Exchange
from foretaste.serving.problems import documented
from foretaste.serving.routes.calls import Calls, CurrentExchange
from foretaste.serving.service import Service

_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)
_TAG = "recommendations"


def add_recommending(calls: Calls, service: Service) -> None:
    """Add `/recommend`, `/recommend/batch`, `/similar`, `/popular`, `/items/{item_id}` and `/explain`."""
    noun = service.models.current.default.engine.item_noun
    similar_body = schemas.named_for(schemas.SimilarBody, noun)
    explain_body = schemas.named_for(schemas.ExplainBody, noun)
    gate = service.gate

    async def answered(exchange: Exchange, body: schemas.RecommendBody, request_id: str) -> bytes:
        user_id = exchange.acting_as(body.user_id)
        async with gate.turn(exchange.started):
            engine = service.serves(exchange, user_id)
            answer = engine.recommend(body.to_request(user_id))
            return encoding.recommendations(answer, request_id, exchange.variant)

    async def recommend(exchange: CurrentExchange, body: Annotated[schemas.RecommendBody, Body()]) -> bytes:
        """The best items for a user."""
        return await answered(exchange, body, exchange.request_id)

    async def recommend_batch(exchange: CurrentExchange, body: Annotated[schemas.BatchBody, Body()]) -> bytes:
        """The best items for several users, each as by /recommend; each answer has a request id of its own."""
        answers = [await answered(exchange, each, secrets.token_hex(16)) for each in body.requests]
        return encoding.batch(answers, exchange.request_id)

    async def similar(exchange: CurrentExchange, body: Annotated[similar_body, Body()]) -> bytes:  # type: ignore[valid-type]
        """The items most like one."""
        asked: schemas.SimilarBody = body
        async with gate.turn(exchange.started):
            engine = service.serves(exchange, None)
            answer = engine.similar(asked.item_id, asked.k, asked.filters)
            return encoding.similar(answer, exchange.request_id, noun)

    async def explain(exchange: CurrentExchange, body: Annotated[explain_body, Body()]) -> bytes:  # type: ignore[valid-type]
        """The items of a user's history on which an item's score rests most."""
        asked: schemas.ExplainBody = body
        user_id = exchange.acting_as(asked.user_id)
        async with gate.turn(exchange.started):
            engine = service.serves(exchange, user_id)
            answer = engine.explain(asked.item_id, user_id, asked.history, asked.limit)
            return encoding.explanation(answer, exchange.request_id, noun)

    async def popular(
        exchange: CurrentExchange,
        k: schemas.K = 10,
        genre: Annotated[
            list[schemas.Id] | None, Query(max_length=32, description="Only items of any of these.")
        ] = None,
    ) -> Response:
        """The items with the most events in the training data."""
        async with gate.turn(exchange.started):
            answer = service.serves(exchange, None).popular(k, {GENRES: genre})
            return calls.json(encoding.popular(answer, exchange.request_id))

    async def item(exchange: CurrentExchange, item_id: Annotated[schemas.Id, Path()]) -> Response:
        """What the catalogue knows of an item."""
        engine = service.serves(exchange, None)
        return calls.json(encoding.item(engine.item(item_id), engine.model_version, exchange.request_id, noun))

    calls.post("/recommend", recommend, schemas.RecommendAnswer, _TAG)
    calls.post("/recommend/batch", recommend_batch, schemas.BatchAnswer, _TAG)
    calls.post("/similar", similar, schemas.SimilarAnswer, _TAG, _NOT_FOUND)
    calls.post("/explain", explain, schemas.ExplainAnswer, _TAG, _NOT_FOUND)
    calls.get("/popular", popular, schemas.PopularAnswer, _TAG)
    calls.get("/items/{item_id}", item, schemas.ItemDetails, _TAG, _NOT_FOUND)
