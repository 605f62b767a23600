"""Errors over HTTP: RFC 9457 problem details, whatever went wrong.

`type` is `urn:foretaste:problem:v1:<kind>`. Kinds keep their meaning within a version; clients may rely on them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from foretaste.errors import ArtifactError, ForetasteError, LogFullError, RequestError, UnknownItemError
from foretaste.serving.admission import RETRY_AFTER_SECONDS, OverloadedError
from foretaste.serving.answer_schemas import Problem
from foretaste.serving.exchange import Exchange, exchange_of
from foretaste.serving.invalid_bodies import MAX_FIELDS, InvalidBodyError
from foretaste.serving.security.callers import ForbiddenError, UnauthorizedError
from foretaste.serving.security.guard import MisdirectedError, RateLimitedError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:foretaste:problem:v1:"


class BodyError(RequestError):
    """The body of a request cannot be taken."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Told:
    """A problem as it is sent."""

    status: HTTPStatus
    kind: str
    title: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        """As JSON."""
        fields = {
            "type": TYPE_PREFIX + self.kind,
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
            "request_id": request_id,
            "errors": self.errors,
        }
        return orjson.dumps(fields)


_KINDS: Mapping[type[ForetasteError], tuple[HTTPStatus, str, str]] = {
    OverloadedError: (HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too much to do"),
    LogFullError: (HTTPStatus.SERVICE_UNAVAILABLE, "log-full", "Cannot be written down"),
    RateLimitedError: (HTTPStatus.TOO_MANY_REQUESTS, "rate-limited", "Asked too often"),
    UnauthorizedError: (HTTPStatus.UNAUTHORIZED, "unauthorized", "Key or token needed"),
    ForbiddenError: (HTTPStatus.FORBIDDEN, "forbidden", "Not allowed"),
    MisdirectedError: (HTTPStatus.MISDIRECTED_REQUEST, "misdirected-request", "Not this host"),
    UnknownItemError: (HTTPStatus.NOT_FOUND, "unknown-item", "Unknown item"),
    ArtifactError: (HTTPStatus.CONFLICT, "bundle-refused", "Bundle cannot be served"),
    ForetasteError: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad-request", "Request cannot be met"),
}
"""The first that an error is an instance of tells how it is answered."""


_ROUTING: Mapping[HTTPStatus, str] = {
    HTTPStatus.NOT_FOUND: "no call has this path; /docs describes all there are.",
    HTTPStatus.METHOD_NOT_ALLOWED: "the call with this path has another method; /docs describes it.",
}


def told(error: BaseException) -> Told:
    """How an error is answered. What is none of ours says nothing of the inside."""
    match error:
        case InvalidBodyError():
            return _invalid(error.fields(), error.cause.error_count())
        case RequestValidationError():
            found = error.errors()  # FastAPI names body or query first
            return _invalid([_field(each["loc"][1:], each["msg"]) for each in found[:MAX_FIELDS]], len(found))
        case BodyError():
            return Told(error.status, _kind_of(error.status), error.status.phrase, str(error))
        case ForetasteError():
            status, kind, title = next(row for family, row in _KINDS.items() if isinstance(error, family))
            return Told(status, kind, title, str(error), headers=_headers(error))
        case HTTPException():
            status = HTTPStatus(error.status_code)
            detail = _ROUTING.get(status, error.detail) if error.detail == status.phrase else error.detail
            return Told(status, _kind_of(status), status.phrase, str(detail), headers=dict(error.headers or {}))
    detail = "The service failed; its log tells why, under the request id."
    return Told(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Internal error", detail)


def add_problem_handlers(app: FastAPI) -> None:
    """Let the routes of the app answer every error of ours and of FastAPI with a problem."""
    for kind in (ForetasteError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _respond)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}


def problem_of(error: BaseException, exchange: Exchange) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of the answer; the exchange learns the kind."""
    problem = told(error)
    exchange.error = problem.kind
    return problem.status.value, problem.body(exchange.request_id), dict(problem.headers)


def _respond(request: Request, error: Exception) -> Response:
    status, body, headers = problem_of(error, exchange_of(request.scope))
    return Response(body, status, headers, MEDIA_TYPE)


def _field(path: Sequence[Any], message: str) -> dict[str, str]:
    return {"field": ".".join(str(step) for step in path), "message": message}


def _invalid(fields: Sequence[Mapping[str, str]], count: int) -> Told:
    told = [f"{each['field']}: {each['message']}" if each["field"] else each["message"] for each in fields]
    if count > len(fields):
        told.append(f"and {count - len(fields):,} more")
    return Told(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "Request is not valid", "; ".join(told), fields)


def _headers(error: ForetasteError) -> dict[str, str]:
    match error:
        case OverloadedError() | LogFullError():
            return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case RateLimitedError():
            return {"Retry-After": str(math.ceil(error.retry_after_seconds))}
        case UnauthorizedError():
            return {"WWW-Authenticate": "Bearer"}
    return {}


def _kind_of(status: HTTPStatus) -> str:
    return status.phrase.lower().replace(" ", "-")
