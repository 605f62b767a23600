"""An id for every request, in its answer and in the `X-Request-ID` header."""

import secrets

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEY = "foretaste.request_id"


def request_id(request: Request) -> str:
    """The id of a request: 32 hexadecimal digits."""
    return str(request.scope[_KEY])


class RequestIds:
    """ASGI middleware that gives out the ids."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = scope[_KEY] = secrets.token_hex(16)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", given.encode())]
            await send(message)

        await self._app(scope, receive, send_with_id)
