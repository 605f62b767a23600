"""What may go wrong between the web app and the service, in plain words: what happened, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from foretaste.errors import ForetasteError

_MAX_DETAIL = 300
"""Characters of what the service said that are passed on."""


@dataclass(frozen=True)
class Failure:
    """A failed call, as a person is told of it."""

    kind: str
    """`unreachable`, `slow`, `unreadable`, or the status, as in `status-401`."""
    title: str
    remedy: str
    detail: str = ""
    """What the service itself said; text, not markup."""
    request_id: str = ""
    """By which the log of the service finds the call."""


class ApiError(ForetasteError):
    """A call to the service did not give an answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.title} {failure.remedy}")
        self.failure = failure


def unreachable(url: str) -> Failure:
    """Nobody listens there."""
    return Failure(
        "unreachable",
        "The service cannot be reached.",
        f"Start it with 'foretaste serve', or name another address with 'foretaste ui --api'. Asked: {url}.",
    )


def slow(timeout_seconds: float) -> Failure:
    """No answer within the time given."""
    return Failure(
        "slow",
        "The service takes too long.",
        f"It gave no answer in {timeout_seconds:g} seconds. Try again in a moment; if it stays so, see how busy it is "
        "in its dashboard, or allow more time with 'foretaste ui --timeout'.",
    )


def unreadable(url: str) -> Failure:
    """Something answers, and it is not the service."""
    return Failure(
        "unreadable",
        "The answer is not from foretaste.",
        f"Something else may listen at {url}, or a proxy stands before it. Check the address given with "
        "'foretaste ui --api'.",
    )


_BY_STATUS: Mapping[HTTPStatus, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "The service wants a valid API key.",
        "Make one with 'foretaste keys create --name web-app --role write', put it into FORETASTE_API_KEY and start "
        "'foretaste ui' again.",
    ),
    HTTPStatus.FORBIDDEN: (
        "The API key does not allow this.",
        "Ratings and registration need a key of role 'write': 'foretaste keys create --name web-app --role write'.",
    ),
    HTTPStatus.NOT_FOUND: (
        "The service does not know this.",
        "It may have been replaced by a newer model. Search for it again or choose another.",
    ),
    HTTPStatus.MISDIRECTED_REQUEST: (
        "The service does not answer under this name.",
        "Without API keys it answers to 127.0.0.1 and localhost alone; use one of them with 'foretaste ui --api'.",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "The service cannot meet this request.",
        "Change what is asked for – fewer filters, another choice – and try again.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "Too many requests at once.",
        "Wait a moment and try again; a key with a higher '--rate' allows more.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The service is too busy or about to stop.",
        "Wait a few seconds and try again; if it stays so, see its log and its dashboard.",
    ),
}


def refused(status: int, body: Any, retry_after: str | None = None) -> Failure:
    """An answer with an error status.

    Args:
        status: of HTTP, 300 or more.
        body: what came as JSON, a problem of RFC 9457 where the service made it; anything else is passed over.
        retry_after: seconds, as the header has them.
    """
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    default = ("The service failed.", "Try again; if it stays so, its log tells why, under the request id.")
    title, remedy = _BY_STATUS.get(HTTPStatus(status), default) if status in _STATUSES else default
    if retry_after and retry_after.isdecimal() and status in _WAITING:
        remedy += f" It asks to wait {retry_after} s."
    return Failure(
        f"status-{status}",
        title,
        remedy,
        str(said.get("detail") or "")[:_MAX_DETAIL],
        str(said.get("request_id") or ""),
    )


_STATUSES = frozenset(status.value for status in HTTPStatus)
_WAITING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
