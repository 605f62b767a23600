"""The outermost layer: every request gets an id, an answer, a place in the metrics and a line in the log."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foretaste.serving.exchange import Exchange, attach, log_fields, send_body
from foretaste.serving.json_log import JsonLog
from foretaste.serving.metrics import Metrics
from foretaste.serving.problems import MEDIA_TYPE, problem_of


class Observing:
    """ASGI middleware. Whatever fails within becomes a problem.

    Args:
        app: what answers.
        metrics: counts every request.
        log: of the process.
        logs_requests: whether it gets a line a request.
        on_failure: told of each request that a model was chosen for and that failed, but for 503: that is no fault of
            the model.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        log: JsonLog,
        *,
        logs_requests: bool,
        on_failure: Callable[[Exchange], None],
    ) -> None:
        self._app, self._metrics, self._log, self._logs_requests = app, metrics, log, logs_requests
        self._on_failure = on_failure

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
        failed = exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if failed and exchange.status != HTTPStatus.SERVICE_UNAVAILABLE and exchange.model_version:
            self._on_failure(exchange)
        if self._logs_requests:
            self._log.write("info", "request", log_fields(exchange))
