"""Calls of one JSON body that are answered without FastAPI's machinery for parameters and responses.

FastAPI describes them in the documentation from the same handlers and models; at request time the body is read, checked
by its model and handed over, and the bytes that come back are sent. This is half the work of a FastAPI route.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from foretaste.serving.bodies import read_json_body
from foretaste.serving.exchange import Exchange, exchange_of, send_body
from foretaste.serving.invalid_bodies import InvalidBodyError
from foretaste.serving.settings import LimitSettings

Handler: TypeAlias = Callable[[Exchange, Any], Awaitable[bytes]]
"""From an exchange and the body of a call to its answer, as JSON."""


@dataclass(frozen=True)
class _Call:
    body: type[BaseModel]
    handler: Handler
    status: int


class DirectCalls:
    """ASGI middleware in front of a FastAPI app: it answers the calls that it knows and passes on the others."""

    def __init__(self, app: ASGIApp, limits: LimitSettings) -> None:
        self._app, self._limits = app, limits
        self._calls: dict[str, _Call] = {}

    def add(self, path: str, handler: Callable[..., Awaitable[Any]], status: int = 200) -> None:
        """Answer POST to a path by a handler of `(exchange, body)` whose annotations name the body's model."""
        annotation = signature(handler).parameters["body"].annotation
        model = (get_args(annotation) or (annotation,))[0]
        self._calls[path] = _Call(model, handler, status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        call = self._calls.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if call is None:
            await self._app(scope, receive, send)
            return
        raw = await read_json_body(scope, receive, self._limits)
        try:
            body = call.body.model_validate_json(raw)
        except ValidationError as error:
            raise InvalidBodyError(error, call.body) from error
        await send_body(send, call.status, await call.handler(exchange_of(scope), body))
