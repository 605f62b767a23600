"""The rows that the service writes, as they stand in the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

import orjson

from foretaste.arrays import FloatArray
from foretaste.errors import RequestError

REQUEST = b"r"
FEEDBACK = b"f"
REGISTRATION = b"u"
"""The kind of a row, in its line of the journal. A request is an array of its columns, which takes
half the time of an object with their names; the others are objects."""


@dataclass(slots=True, kw_only=True)
class RequestRow:
    """A request that was answered; the fields are those of `schemas.REQUEST_COLUMNS`."""

    request_id: str
    timestamp: float
    """UTC seconds, with fractions."""
    endpoint: str
    status: int
    latency_ms: float
    user_id: str | None = None
    user_known: bool | None = None
    """Whether the model was trained on the user; None where nobody was named."""
    model_version: str | None = None
    experiment: str | None = None
    variant: str | None = None
    policy: str | None = None
    is_fallback: bool | None = None
    fallback_reason: str | None = None
    recommendations: Sequence[str] = ()
    """Item of each slot."""
    scores: Sequence[float] | FloatArray = ()
    propensities: Sequence[float] | FloatArray = ()
    asked: Mapping[str, Any] | None = None
    """What the request named beside the user."""


@dataclass(slots=True, kw_only=True)
class FeedbackRow:
    """What somebody did with an item; the fields are those of `schemas.FEEDBACK_COLUMNS`."""

    event_id: str
    timestamp: float
    """When it happened, UTC seconds with fractions."""
    received_at: float
    """When it was acknowledged, likewise."""
    kind: str
    item_id: str
    user_id: str | None = None
    request_id: str | None = None
    value: float | None = None


@dataclass(slots=True, kw_only=True)
class RegistrationRow:
    """A user that was registered, or registered anew."""

    registration_id: str
    user_id: str
    registered_at: float
    """UTC seconds, with fractions."""
    attributes: Mapping[str, Any] = field(default_factory=dict)


_NUL = rb"\u0000"
"""As JSON has it. PostgreSQL cannot store it."""


def encoded(row: RequestRow | FeedbackRow | RegistrationRow) -> bytes:
    """A row as one line of JSON, without its end.

    Raises:
        RequestError: a text that no database can hold, with a NUL character or half of a surrogate pair.
    """
    try:
        told = _columns(row) if isinstance(row, RequestRow) else row
        body = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        raise RequestError(f"cannot be written down: {error}.") from error
    if _NUL in body:
        raise RequestError("cannot be written down: a text holds a NUL character; leave it out.")
    return body


_columns = attrgetter(*(each.name for each in fields(RequestRow)))
