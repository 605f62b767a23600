"""The calls of the service. They translate between HTTP and the engine, and nothing else.

They run on the event loop: an answer takes less time to compute than to hand to a thread and back.
"""

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import JSONResponse

from foretaste.data.schemas import GENRES
from foretaste.serving import schemas
from foretaste.serving.engine import Engine
from foretaste.serving.problems import documented
from foretaste.serving.rendering import Json, noun_id, popular_json, recommendations_json, similar_json
from foretaste.serving.request_ids import request_id

_NOT_FOUND, _UNPROCESSABLE = HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY


def current_engine(request: Request) -> Engine:
    """The engine that answers now."""
    engine = request.app.state.engine
    assert isinstance(engine, Engine)
    return engine


CurrentEngine = Annotated[Engine, Depends(current_engine)]


def router_for(engine: Engine) -> APIRouter:
    """The routes, with field names and examples that fit the data of `engine`."""
    router = APIRouter()
    noun = engine.item_noun
    examples = _Examples(engine)
    similar_body = schemas.similar_body(noun)

    @router.get("/health", response_model=schemas.HealthAnswer, tags=["service"])
    async def health(request: Request, engine: CurrentEngine) -> JSONResponse:
        """What is served, and since when."""
        return _answer(request, asdict(engine.health()))

    @router.get("/live", tags=["service"])
    async def live() -> schemas.ProbeAnswer:
        """Whether the process answers at all."""
        return schemas.ProbeAnswer(status="alive")

    @router.get("/ready", tags=["service"])
    async def ready(engine: CurrentEngine) -> schemas.ProbeAnswer:  # noqa: ARG001
        """Whether a model is loaded."""
        return schemas.ProbeAnswer(status="ready")

    @router.post(
        "/recommend",
        response_model=schemas.RecommendAnswer,
        responses=documented(_UNPROCESSABLE),
        tags=["recommendations"],
    )
    async def recommend(
        request: Request,
        engine: CurrentEngine,
        body: Annotated[schemas.RecommendBody, Body(openapi_examples=examples.recommend())],
    ) -> JSONResponse:
        """The best items for a user."""
        return _answer(request, recommendations_json(engine.recommend(body.to_request()), noun))

    @router.post(
        "/similar",
        response_model=schemas.SimilarAnswer,
        responses=documented(_NOT_FOUND, _UNPROCESSABLE),
        tags=["recommendations"],
    )
    async def similar(
        request: Request,
        engine: CurrentEngine,
        body: Annotated[similar_body, Body(openapi_examples=examples.similar(noun_id(noun)))],  # type: ignore[valid-type]
    ) -> JSONResponse:
        """The items most like one."""
        asked: schemas.SimilarBody = body
        return _answer(request, similar_json(engine.similar(asked.item_id, asked.k, asked.filters), noun))

    @router.get(
        "/popular",
        response_model=schemas.PopularAnswer,
        responses=documented(_UNPROCESSABLE),
        tags=["recommendations"],
    )
    async def popular(
        request: Request,
        engine: CurrentEngine,
        k: schemas.K = 10,
        genre: Annotated[
            list[schemas.Id] | None, Query(max_length=32, description="Only items of any of these.")
        ] = None,
    ) -> JSONResponse:
        """The items with the most events in the training data."""
        return _answer(request, popular_json(engine.popular(k, {GENRES: genre}), noun))

    return router


def _answer(request: Request, fields: Json) -> JSONResponse:
    return JSONResponse({**fields, "request_id": request_id(request)})


class _Examples:
    """Request bodies that work with the data that is served, and name none of its users."""

    def __init__(self, engine: Engine) -> None:
        first = engine.popular(1).items[0]
        self._item_id = first.item_id
        self._genres = list(first.attributes.get(GENRES) or ())[:1]

    def recommend(self) -> Mapping[str, Any]:
        """For /recommend."""
        by_history = {"user_id": "somebody-new", "history": [self._item_id], "k": 5}
        filters = {"filters": {GENRES: self._genres}} if self._genres else {}
        return {
            "unknown user": {"value": {"user_id": "somebody-new", "k": 5}},
            "unknown user with a history": {"value": by_history},
            "filtered": {"value": by_history | filters},
        }

    def similar(self, noun_key: str) -> Mapping[str, Any]:
        """For /similar."""
        return {
            "by item_id": {"value": {"item_id": self._item_id, "k": 5}},
            f"by {noun_key}": {"value": {noun_key: self._item_id, "k": 5}},
        }
