"""The layer that lets a request in or not."""

from starlette.types import ASGIApp, Receive, Scope, Send

from foretaste.serving.exchange import exchange_of
from foretaste.serving.security.guard import Guard
from foretaste.serving.security.roles import PERMISSIONS, PUBLIC, call_of


class Door:
    """ASGI middleware; what it refuses it raises."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            exchange = exchange_of(scope)
            call = call_of(scope["method"], scope["path"])
            if call in PERMISSIONS or call in PUBLIC:
                exchange.endpoint = call[1]
            exchange.caller = self._guard.check(call, scope["headers"])
        await self._app(scope, receive, send)
