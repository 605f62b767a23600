"""The OpenAPI description: what FastAPI finds in the routes, with roles, problems that any call may meet, and examples.

Examples work with the data that is served, and follow it through a swap; they name none of its users.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from foretaste.data.schemas import GENRES
from foretaste.serving.cards import noun_id
from foretaste.serving.engine import Engine
from foretaste.serving.problems import documented
from foretaste.serving.security.roles import PERMISSIONS
from foretaste.serving.service import Service

_OF_ALL = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_OF_BODIES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, `ft_…`, or a token of a user (JWT)."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def describe(app: FastAPI, service: Service) -> None:
    """Let the app answer `/openapi.json` with the whole description."""
    app.openapi = lambda: _description(app, service)  # type: ignore[method-assign]


def _description(app: FastAPI, service: Service) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        for path, operations in found["paths"].items():
            for method, operation in operations.items():
                _complete(operation, method.upper(), path)
        found.setdefault("components", {})["securitySchemes"] = _SCHEMES
        app.openapi_schema = found
    _put_examples(app.openapi_schema["paths"], service.models.current.default.engine)
    return app.openapi_schema


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    statuses = [*_OF_ALL, *(_OF_BODIES if "requestBody" in operation else ())]
    if (method, path) not in PERMISSIONS:
        statuses = [HTTPStatus.MISDIRECTED_REQUEST]
    else:
        roles = ", ".join(sorted(PERMISSIONS[method, path]))
        operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}.".strip()
        operation["security"] = [{name: []} for name in _SCHEMES]
    responses = operation["responses"]
    for status, entry in documented(*statuses).items():
        if str(status) not in responses or status == HTTPStatus.UNPROCESSABLE_ENTITY:
            responses[str(status)] = entry


def _put_examples(paths: dict[str, Any], engine: Engine) -> None:
    for path, examples in request_examples(engine).items():
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    for parameter in paths["/items/{item_id}"]["get"]["parameters"]:
        parameter["example"] = engine.popular(1).items[0].item_id


def request_examples(engine: Engine) -> Mapping[str, Mapping[str, Any]]:
    """Path → name → body of a request that this engine can answer."""
    first = engine.popular(1).items[0]
    event = {"kind": "click", "item_id": first.item_id, "user_id": "somebody-new", "event_id": "made-up-by-the-sender"}
    genres = list(first.attributes.get(GENRES) or ())[:1]
    noun_key = noun_id(engine.item_noun)
    somebody = {"user_id": "somebody-new", "k": 5}
    by_history = {**somebody, "history": [first.item_id]}
    return {
        "/recommend": {
            "unknown user": somebody,
            "unknown user with a history": by_history,
            "filtered": by_history | ({"filters": {GENRES: genres}} if genres else {}),
        },
        "/recommend/batch": {"two users": {"requests": [somebody, by_history]}},
        "/similar": {
            "by item_id": {"item_id": first.item_id, "k": 5},
            f"by {noun_key}": {noun_key: first.item_id, "k": 5},
        },
        "/feedback": {"a click": {"events": [event]}},
        "/users": {"with attributes": {"user_id": "somebody-new", "attributes": {"country": "NO"}}},
        "/explain": {"by a history": {"item_id": first.item_id, "history": [engine.popular(2).items[-1].item_id]}},
    }
