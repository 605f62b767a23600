"""Refusing at the socket: where the queue is full, a request is answered 503 before anything is made of it.

In an overload most requests are refused, and what a refusal costs is missing for those that are answered. Through the
whole stack it costs about a tenth of an answer; here, a third of that. It is a short cut and no more: `Gate` refuses
whatever gets past it.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from foretaste.serving.admission import RETRY_AFTER_SECONDS, Gate, OverloadedError
from foretaste.serving.exchange import new_request_id
from foretaste.serving.problems import MEDIA_TYPE, told

_GATED = (b"/recommend", b"/similar", b"/popular", b"/explain")
_DONE: Any = SimpleNamespace(
    response_complete=True, disconnected=False, keep_alive=True, message_event=SimpleNamespace(set=lambda: None)
)
"""Stands for a request that was answered while its body was still to come; what comes is passed over."""


def refusing_protocol(gate: Gate, count: Callable[[str], None]) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, with the short cut.

    Args:
        gate: tells whether the queue is full.
        count: called with the path of each request that is refused here.
    """
    problem = told(OverloadedError("too many requests are waiting already; try again later."))
    before_id, _, after_id = problem.body("REQUEST-ID").partition(b"REQUEST-ID")

    class RefusingProtocol(HttpToolsProtocol):
        """Refuses what would be refused anyway."""

        def on_headers_complete(self) -> None:
            """Answer at once, or go the usual way."""
            is_free = self.cycle is None or self.cycle.response_complete
            if not (is_free and self.url.startswith(_GATED)):
                super().on_headers_complete()
            elif gate.is_full:
                self._refuse()
            else:
                super().on_headers_complete()
                gate.announce()

        def _refuse(self) -> None:
            request_id = new_request_id().encode()
            body = before_id + request_id + after_id
            keeps_alive = self.parser.should_keep_alive()
            self.transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: %b\r\ncontent-length: %d\r\nretry-after: %d\r\n"
                b"x-request-id: %b\r\n%b\r\n%b"
                % (
                    MEDIA_TYPE.encode(),
                    len(body),
                    RETRY_AFTER_SECONDS,
                    request_id,
                    b"" if keeps_alive else b"connection: close\r\n",
                    body,
                )
            )
            gate.num_refused += 1
            count(self.url.partition(b"?")[0].decode("latin-1"))
            self.cycle = _DONE
            if not keeps_alive:
                self.transport.close()
            self.on_response_complete()

    return RefusingProtocol
