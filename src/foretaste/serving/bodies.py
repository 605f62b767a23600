"""Reading the body of a request: of a bounded size, within a bounded time."""

import asyncio
from http import HTTPStatus

from starlette.types import Message, Receive, Scope

from foretaste.serving.problems import BodyError
from foretaste.serving.settings import LimitSettings


async def read_json_body(scope: Scope, receive: Receive, limits: LimitSettings) -> bytes:
    """The whole body.

    Raises:
        BodyError: it is not declared as JSON, is too large, takes too long, or the client went away.
    """
    _check_headers(scope, limits)
    message = await receive()
    body: bytes = message.get("body", b"")
    _check_size(len(body), limits)
    if message.get("more_body"):
        try:
            async with asyncio.timeout(limits.body_seconds):
                return await _rest(body, receive, limits)
        except TimeoutError:
            raise BodyError(
                HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {limits.body_seconds:g} seconds."
            ) from None
    return body


async def _rest(body: bytes, receive: Receive, limits: LimitSettings) -> bytes:
    parts, size = [body], len(body)
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyError(HTTPStatus.BAD_REQUEST, "the body ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        _check_size(size, limits)
    return b"".join(parts)


def _check_headers(scope: Scope, limits: LimitSettings) -> None:
    media_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value
        elif name == b"content-length" and value.isdigit():
            _check_size(int(value), limits)
    # Declared as anything else it could come from any web page without the browser asking first.
    if media_type.partition(b";")[0].strip().lower() != b"application/json":
        raise BodyError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected Content-Type: application/json, found {media_type.decode('latin-1')[:100] or 'none'}.",
        )


def _check_size(size: int, limits: LimitSettings) -> None:
    if size > limits.body_bytes:
        raise BodyError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limits.body_bytes:,} bytes; ask for less."
        )
