"""The outermost layer: every request gets an id, an answer, a place in the metrics and a line in the log."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foretaste.serving.exchange import Exchange, attach, log_fields, send_body
from foretaste.serving.json_log import JsonLog
from foretaste.serving.metrics import Metrics
from foretaste.serving.problems import MEDIA_TYPE, problem_of


class Observing:
    """ASGI middleware. Whatever fails within becomes a problem."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: JsonLog, *, logs_requests: bool) -> None:
        self._app, self._metrics, self._log, self._logs_requests = app, metrics, log, logs_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope["method"], scope["path"])
        attach(scope, exchange)
        header = (b"x-request-id", exchange.request_id.encode())
        has_begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            await self._answer(error, exchange, None if has_begun else send_with_id)
        finally:
            self._count(exchange)

    async def _answer(self, error: Exception, exchange: Exchange, send: Send | None) -> None:
        status, body, headers = problem_of(error, exchange)
        if status >= 500 and exchange.error == "internal-error":
            self._log.failure("failure", error, log_fields(exchange))
        if send is None:
            raise error
        encoded = tuple((name.lower().encode(), value.encode()) for name, value in headers.items())
        await send_body(send, status, body, encoded, MEDIA_TYPE.encode())

    def _count(self, exchange: Exchange) -> None:
        self._metrics.observe(
            exchange.endpoint, exchange.model_version, exchange.variant, exchange.status, exchange.seconds()
        )
        if self._logs_requests:
            self._log.write("info", "request", log_fields(exchange))
