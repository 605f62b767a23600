"""How calls are added: described to FastAPI, and, where they take a JSON body, answered beside it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from foretaste.serving.direct_calls import DirectCalls
from foretaste.serving.exchange import Exchange, exchange_of

Problems = dict[int | str, dict[str, Any]]


async def current_exchange(request: Request) -> Exchange:
    """The exchange of a request that FastAPI answers; a coroutine, as FastAPI calls anything else in a thread."""
    return exchange_of(request.scope)


CurrentExchange = Annotated[Exchange, Depends(current_exchange)]


class Calls:
    """Takes the calls of an app."""

    def __init__(self, app: FastAPI, direct: DirectCalls) -> None:
        self._app, self._direct = app, direct

    def post(
        self,
        path: str,
        handler: Callable[..., Awaitable[Any]],
        answer: type[BaseModel],
        tag: str,
        problems: Problems | None = None,
    ) -> None:
        """A call of one JSON body: a handler of `(exchange, body)` that gives JSON bytes."""
        self._app.post(path, response_model=answer, tags=[tag], responses=problems)(handler)
        self._direct.add(path, handler)

    def get(
        self,
        path: str,
        handler: Callable[..., Awaitable[Response]],
        answer: type[BaseModel] | None,
        tag: str,
        problems: Problems | None = None,
    ) -> None:
        """A call without a body, by FastAPI."""
        self._app.get(path, response_model=answer, tags=[tag], responses=problems)(handler)

    def command(
        self,
        path: str,
        handler: Callable[..., Awaitable[Response]],
        answer: type[BaseModel],
        tag: str,
        problems: Problems | None = None,
    ) -> None:
        """A POST without a body, by FastAPI."""
        self._app.post(path, response_model=answer, tags=[tag], responses=problems)(handler)

    @staticmethod
    def json(body: bytes, status: int = 200) -> Response:
        """A response from JSON bytes."""
        return Response(body, status, media_type="application/json")
