"""The rows that the service writes, as they stand in the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import orjson

from foretaste.arrays import FloatArray
from foretaste.data.schemas import ASKED, PROPENSITIES, RECOMMENDATIONS, REQUEST_COLUMNS, SCORES
from foretaste.errors import RequestError

REQUEST = b"r"
FEEDBACK = b"f"
REGISTRATION = b"u"
"""The kind of a row, in its line of the journal."""

AS_JSON = (RECOMMENDATIONS, SCORES, PROPENSITIES, ASKED)
"""Columns of a request that the database has as JSON: its last ones."""
BESIDE_JSON = tuple(each.name for each in REQUEST_COLUMNS if each.name not in AS_JSON)
"""The columns of a request before those."""


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
    scores: Sequence[float] | FloatArray | orjson.Fragment = ()
    """A fragment is JSON already."""
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


_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_NUL = rb"\u0000"
"""As JSON has it. PostgreSQL cannot store it."""


def encoded(row: RequestRow | FeedbackRow | RegistrationRow) -> bytes:
    """A row as it stands in its line: feedback and registrations as a JSON object.

    A request is a JSON array of its columns and of the number of its items, but without what the database has as JSON.
    That follows, each column after a tab, which JSON never has within, and is moved as it is.

    Raises:
        RequestError: a text that no database can hold, with a NUL character or half of a surrogate pair.
    """
    try:
        body = _request(row) if isinstance(row, RequestRow) else orjson.dumps(row, option=_NUMPY)
    except orjson.JSONEncodeError as error:
        raise RequestError(f"cannot be written down: {error}.") from error
    if b"\\" in body and _NUL in body:  # hardly any has the first, and one byte is found sooner than six
        raise RequestError("cannot be written down: a text holds a NUL character; leave it out.")
    return body


def _request(row: RequestRow) -> bytes:
    recommendations, scores, propensities, asked = _as_json(row)
    columns = (
        orjson.dumps((*_beside_json(row), len(recommendations))),
        orjson.dumps(recommendations),
        orjson.dumps(scores, option=_NUMPY),
        orjson.dumps(propensities, option=_NUMPY),
        orjson.dumps(asked),
    )
    return b"\t".join(columns)


_beside_json, _as_json = attrgetter(*BESIDE_JSON), attrgetter(*AS_JSON)
