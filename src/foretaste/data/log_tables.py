"""The tables of the service's database: SQLite and PostgreSQL have the same.

Each log table has a `seq` beside its columns: it grows in the order in which rows were committed, so that a reader who
asks for what is above the last `seq` it has seen misses nothing.
"""

import hashlib
import math
from typing import Any

import polars as pl
import sqlalchemy as sa

from foretaste.data.schemas import (
    ENDPOINT,
    EVENT_ID,
    FALLBACK_REASON,
    FEEDBACK_COLUMNS,
    HOUR,
    LATENCY_BUCKET,
    MODEL_VERSION,
    NUM_ITEMS,
    NUM_REQUESTS,
    REGISTRATION_COLUMNS,
    REGISTRATION_ID,
    REQUEST_COLUMNS,
    REQUEST_ID,
    SLOT,
    STATUS,
    TIMESTAMP,
    USER_ID,
    USER_KNOWN,
    VARIANT,
    Column,
)

SCHEMA_VERSION = 1
"""Of these tables; a database of a newer one is refused."""

BUCKETS_PER_DECADE = 32

SEQ = "seq"
REQUEST_KNOWN = "request_known"
"""Column of feedback: whether the request it names is in the log; null where it names none."""

FROM_REQUEST = (ENDPOINT, MODEL_VERSION, VARIANT, USER_KNOWN)
"""Columns of feedback that are those of its request, written once the request is known. Beside them `slot`, the place
at which the request showed the item, from 0 on; null where it did not."""

METADATA = sa.MetaData()

_SQL_TYPES: dict[type[pl.DataType], sa.types.TypeEngine[Any]] = {
    pl.String: sa.Text(),
    pl.Float64: sa.Double(),
    pl.Int32: sa.Integer(),
    pl.Boolean: sa.Boolean(),
    pl.List: sa.Text(),
}
"""A list is a JSON array. Measured in benchmarks/serving/logs.py, a table with a row for each slot takes three times
the processor time to write and as much space, and counts what was shown only a tenth quicker."""


def _columns(columns: tuple[Column, ...], unique: str) -> list[sa.Column[Any]]:
    return [
        sa.Column(each.name, _SQL_TYPES[each.dtype.base_type()], nullable=not each.required, unique=each.name == unique)
        for each in columns
    ]


def _seq() -> sa.Column[int]:
    # SQLite numbers rows by itself only where the column is INTEGER.
    return sa.Column(SEQ, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)


REQUESTS = sa.Table(
    "requests",
    METADATA,
    _seq(),
    *_columns(REQUEST_COLUMNS, unique=REQUEST_ID),
    sa.Column(NUM_ITEMS, sa.Integer(), nullable=False),
    sa.Column(LATENCY_BUCKET, sa.Integer(), nullable=False),
    sa.Index("requests_by_time", TIMESTAMP),
    sqlite_autoincrement=True,
)
_TRAFFIC_KEY: tuple[sa.Column[Any], ...] = (
    sa.Column(HOUR, sa.Integer(), nullable=False),
    *(sa.Column(name, sa.Text(), nullable=False) for name in (ENDPOINT, MODEL_VERSION, VARIANT, FALLBACK_REASON)),
    *(sa.Column(name, sa.Integer(), nullable=False) for name in (STATUS, USER_KNOWN, NUM_ITEMS, LATENCY_BUCKET)),
)
TRAFFIC = sa.Table(
    "traffic",
    METADATA,
    *_TRAFFIC_KEY,
    sa.Column(NUM_REQUESTS, sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint(*(column.name for column in _TRAFFIC_KEY)),
    sqlite_with_rowid=False,
)
"""How many requests of each kind an hour had, counted as they come in, so that figures over a month read a few hundred
thousand rows and not all requests. `hour` counts from 1970, UTC; what a request lacks is '' here, or -1 for
`user_known`, else 0 or 1. It stays when requests are deleted, and names nobody."""

FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    _seq(),
    *_columns(FEEDBACK_COLUMNS, unique=EVENT_ID),
    sa.Column(REQUEST_KNOWN, sa.Boolean()),
    *(sa.Column(name, REQUESTS.c[name].type) for name in FROM_REQUEST),
    sa.Column(SLOT, sa.Integer()),
    sa.Index("feedback_by_time", TIMESTAMP),
    sa.Index("feedback_by_user", USER_ID),
    sa.Index("feedback_by_request", REQUEST_ID),
    sqlite_autoincrement=True,
)
sa.Index(
    "feedback_of_unknown_requests",
    FEEDBACK.c.received_at,
    sqlite_where=FEEDBACK.c.request_known.is_(False),
    postgresql_where=FEEDBACK.c.request_known.is_(False),
)
REGISTRATIONS = sa.Table(
    "registrations",
    METADATA,
    _seq(),
    *_columns(REGISTRATION_COLUMNS, unique=REGISTRATION_ID),
    sa.Index("registrations_by_user", USER_ID),
    sqlite_autoincrement=True,
)
ERASURES = sa.Table(
    "erasures",
    METADATA,
    _seq(),
    sa.Column("user_hash", sa.Text(), nullable=False),
    sa.Column("erased_at", sa.Double(), nullable=False),
    sa.Index("erasures_by_user", "user_hash"),
    sqlite_autoincrement=True,
)
"""Who was forgotten and when (UTC seconds), without naming them: what a user did until then must not come back, neither
from a journal nor into a training."""

SETTINGS = sa.Table(
    "foretaste",
    METADATA,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)
"""`schema_version`, and the `salt` of the hashes of erased users."""


def latency_bucket(latency_ms: float) -> int:
    """The bucket of a latency; each is about 7.5 % wide: 32 for a factor of ten, from a microsecond on."""
    return max(0, math.floor(BUCKETS_PER_DECADE * (math.log10(max(latency_ms, 1e-3)) + 3)))


def bucket_ms(bucket: float) -> float:
    """The latency at the lower edge of a bucket, in milliseconds; half a bucket further for its middle."""
    return float(10.0 ** (bucket / BUCKETS_PER_DECADE - 3))


def user_hash(user_id: str, salt: str) -> str:
    """What `ERASURES` holds of a user."""
    return hashlib.sha256(f"{salt}:{user_id}".encode()).hexdigest()
