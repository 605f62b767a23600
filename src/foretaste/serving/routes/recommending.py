"""Calls that ask the engine.

Each takes its turn at the gate and computes on the event loop: an answer takes less time than to hand it to a thread
and back.
"""

import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Body, Path, Query, Response

from foretaste.data.schemas import GENRES, YEAR
from foretaste.serving import answer_schemas, encoding, request_schemas
from foretaste.serving.engine import RecommendRequest
from foretaste.serving.exchange import Exchange, new_request_id
from foretaste.serving.live_models import Served
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.problems import documented
from foretaste.serving.recording import record
from foretaste.serving.routes.calls import Calls, CurrentExchange
from foretaste.serving.service import Service

_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)
_TAG = "recommendations"


def add_recommending(calls: Calls, service: Service) -> None:
    """Add `/recommend`, `/recommend/batch`, `/similar`, `/popular`, `/items/{item_id}` and `/explain`."""
    noun = service.models.current.default.engine.item_noun
    similar_body = request_schemas.named_for(request_schemas.SimilarBody, noun)
    explain_body = request_schemas.named_for(request_schemas.ExplainBody, noun)
    gate, logs = service.gate, service.logs
    experiment = service.config.experiment.name if service.config.experiment else None

    async def answered(
        exchange: Exchange, body: request_schemas.RecommendBody, request_id: str, arrived: float
    ) -> bytes:
        user_id = exchange.acting_as(body.user_id)
        async with gate.turn(arrived):
            served = service.serves(exchange, user_id, exchange.choosing(body.variant))
            user_known = None if user_id is None else served.engine.knows(user_id)
            request = _request(logs, served, body, user_id, user_known)
            answer = served.engine.recommend(request)
            record(
                logs.requests,
                exchange,
                answer,
                at_seconds=service.clock(),
                request_id=request_id,
                experiment=None if body.variant else experiment,
                user_known=user_known,
                asked=request.asked(),
            )
            return encoding.recommendations(answer, request_id, exchange.variant)

    async def recommend(exchange: CurrentExchange, body: Annotated[request_schemas.RecommendBody, Body()]) -> bytes:
        """The best items for a user."""
        return await answered(exchange, body, exchange.request_id, exchange.started)

    async def recommend_batch(exchange: CurrentExchange, body: Annotated[request_schemas.BatchBody, Body()]) -> bytes:
        """The best items for several users, each as by /recommend; each answer has a request id of its own."""
        answers = [await answered(exchange, each, new_request_id(), time.perf_counter()) for each in body.requests]
        return encoding.batch(answers, exchange.request_id)

    async def similar(exchange: CurrentExchange, body: Annotated[similar_body, Body()]) -> bytes:  # type: ignore[valid-type]
        """The items most like one."""
        asked: request_schemas.SimilarBody = body
        async with gate.turn(exchange.started):
            answer = service.serves(exchange, None).engine.similar(asked.item_id, asked.k, asked.filters)
            named = {"item_id": asked.item_id, "k": asked.k, "filters": asked.filters}
            record(logs.requests, exchange, answer, at_seconds=service.clock(), asked=named)
            return encoding.similar(answer, exchange.request_id, noun)

    async def explain(exchange: CurrentExchange, body: Annotated[explain_body, Body()]) -> bytes:  # type: ignore[valid-type]
        """The items of a user's history on which an item's score rests most."""
        asked: request_schemas.ExplainBody = body
        user_id = exchange.acting_as(asked.user_id)
        async with gate.turn(exchange.started):
            served = service.serves(exchange, user_id)
            recent = logs.recent.history(user_id, served.trained_until, served.min_rating)
            history = [*asked.history, *recent.liked]
            answer = served.engine.explain(asked.item_id, user_id, history, asked.limit)
            return encoding.explanation(answer, exchange.request_id, noun)

    async def popular(
        exchange: CurrentExchange,
        genre: Annotated[
            list[request_schemas.Id],
            Query(default_factory=list, max_length=32, description="Only items of any of these."),
        ],
        k: request_schemas.K = 10,
        year_min: Annotated[int | None, Query(description="Only items of this year or later.")] = None,
        year_max: Annotated[int | None, Query(description="Only items of this year or earlier.")] = None,
    ) -> Response:
        """The items with the most events in the training data."""
        filters = {GENRES: genre, f"{YEAR}_min": year_min, f"{YEAR}_max": year_max}
        async with gate.turn(exchange.started):
            answer = service.serves(exchange, None).engine.popular(k, filters)
            record(logs.requests, exchange, answer, at_seconds=service.clock(), asked={"k": k, "filters": filters})
            return calls.json(encoding.popular(answer, exchange.request_id))

    async def item(exchange: CurrentExchange, item_id: Annotated[request_schemas.Id, Path()]) -> Response:
        """What the catalogue knows of an item."""
        engine = service.serves(exchange, None).engine
        return calls.json(encoding.item(engine.item(item_id), engine.model_version, exchange.request_id, noun))

    calls.post("/recommend", recommend, answer_schemas.RecommendAnswer, _TAG)
    calls.post("/recommend/batch", recommend_batch, answer_schemas.BatchAnswer, _TAG)
    calls.post("/similar", similar, answer_schemas.SimilarAnswer, _TAG, _NOT_FOUND)
    calls.post("/explain", explain, answer_schemas.ExplainAnswer, _TAG, _NOT_FOUND)
    calls.get("/popular", popular, answer_schemas.PopularAnswer, _TAG)
    calls.get("/items/{item_id}", item, answer_schemas.ItemDetails, _TAG, _NOT_FOUND)


def _request(
    logs: ServiceLogs, served: Served, body: request_schemas.RecommendBody, user_id: str | None, user_known: bool | None
) -> RecommendRequest:
    """What the engine is asked, with all that came to be known of the user since the training."""
    recent = logs.recent.history(user_id, served.trained_until, served.min_rating)
    liked = set(recent.liked)
    attributes: Any = body.attributes
    if user_id is not None and not (user_known or attributes or liked or body.history):
        attributes = logs.users.attributes(user_id) or {}
    return RecommendRequest(
        user_id=user_id,
        k=body.k,
        exclude_seen=body.exclude_seen,
        filters=body.filters,
        include=body.include,
        exclude=body.exclude,
        history=[*body.history, *recent.liked],
        dismissed=[item for item in recent.seen if item not in liked],
        seeds=body.seeds,
        attributes=attributes,
    )
