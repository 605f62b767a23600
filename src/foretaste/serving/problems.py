"""Errors over HTTP: RFC 9457 problem details, whatever went wrong."""

from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from foretaste.errors import RequestError, UnknownItemError
from foretaste.serving.request_ids import request_id
from foretaste.serving.schemas import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"


def add_problem_handlers(app: FastAPI) -> None:
    """Let the app answer every error with a problem."""
    app.add_exception_handler(UnknownItemError, _unknown_item)
    app.add_exception_handler(RequestError, _bad_request)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """The OpenAPI entries of the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}


def _unknown_item(request: Request, error: Exception) -> JSONResponse:
    return _problem(request, HTTPStatus.NOT_FOUND, "unknown-item", "Unknown item", str(error))


def _bad_request(request: Request, error: Exception) -> JSONResponse:
    return _problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "bad-request", "Request cannot be met", str(error))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast(RequestValidationError, error).errors()
    fields = [FieldProblem(field=_path(each["loc"]), message=each["msg"]) for each in found]
    detail = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in fields)
    return _problem(
        request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "Request is not valid", detail, errors=fields
    )


def _http(request: Request, error: Exception) -> JSONResponse:
    found = cast(HTTPException, error)
    status = HTTPStatus(found.status_code)
    kind = status.phrase.lower().replace(" ", "-")
    return _problem(request, status, kind, status.phrase, str(found.detail), headers=found.headers)


def _unexpected(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    detail = "The service failed; its log tells why, under the request id."
    return _problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Internal error", detail)


def _problem(
    request: Request,
    status: HTTPStatus,
    kind: str,
    title: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: object = None,
) -> JSONResponse:
    problem = Problem(
        type=f"urn:foretaste:problem:{kind}",
        title=title,
        status=status.value,
        detail=detail,
        request_id=request_id(request),
        errors=errors or [],
    )
    return JSONResponse(
        problem.model_dump(), status.value, media_type=MEDIA_TYPE, headers=cast("dict[str, str] | None", headers)
    )


def _path(location: tuple[str | int, ...]) -> str:
    """The path within the body or the query, which the first element names."""
    return ".".join(str(step) for step in location[1:])
