"""Rows of the journal into the tables, each once, however often they come."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from foretaste.data.log_database import Erasures, LogDatabase
from foretaste.data.log_tables import FEEDBACK as FEEDBACK_TABLE
from foretaste.data.log_tables import REGISTRATIONS, REQUEST_KNOWN, REQUESTS, SEQ, latency_bucket
from foretaste.data.schemas import (
    ATTRIBUTES,
    EVENT_ID,
    LATENCY_BUCKET,
    LATENCY_MS,
    NUM_ITEMS,
    RECEIVED_AT,
    RECOMMENDATIONS,
    REGISTERED_AT,
    REGISTRATION_ID,
    REQUEST_ID,
    SLOT,
    TIMESTAMP,
    USER_ID,
)
from foretaste.serving.logs.joining import join_requests
from foretaste.serving.logs.journal import Line
from foretaste.serving.logs.rows import AS_JSON, BESIDE_JSON, FEEDBACK, REGISTRATION, REQUEST
from foretaste.serving.logs.traffic import count_traffic

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]
_FAULTS_OF_ROWS = (DataError, IntegrityError, TypeError, ValueError, OverflowError)
"""Errors that tell of a row, not of the database."""
_RECENT_SECONDS = 3600
"""Feedback can reach the database before the request that it names, but hardly by more."""

_ROWS_AT_ONCE = 256
"""Read, and inserted while they are in the processor's cache, between two pauses. Powers of two below it follow for
what is left, so that SQLite compiles few statements, each once."""

_FILLED_IN_LATER = {SEQ, SLOT}


@dataclass(frozen=True)
class Target:
    """Where rows of a kind go."""

    table: sa.Table
    unique: str
    """Column by which a row is known again."""
    as_json: tuple[str, ...]
    """Columns that hold JSON as text."""
    acknowledged_at: str
    """Column that says whether the row came before its user was forgotten."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Those that an insertion fills."""
        return tuple(column.name for column in self.table.c if column.name not in _FILLED_IN_LATER)

    @cached_property
    def values_of(self) -> Callable[[dict[str, Any]], Row]:
        """The columns of a row that has them all."""
        return itemgetter(*self.columns)


TARGETS = {
    REQUEST: Target(REQUESTS, REQUEST_ID, AS_JSON, TIMESTAMP),
    FEEDBACK: Target(FEEDBACK_TABLE, EVENT_ID, (), RECEIVED_AT),
    REGISTRATION: Target(REGISTRATIONS, REGISTRATION_ID, (ATTRIBUTES,), REGISTERED_AT),
}
_OF_A_REQUEST = (*BESIDE_JSON, *AS_JSON)
_LATENCY = _OF_A_REQUEST.index(LATENCY_MS)
assert TARGETS[REQUEST].columns == (*_OF_A_REQUEST, NUM_ITEMS, LATENCY_BUCKET)


class Inserter:
    """Puts batches of rows into the database, and leaves out those of users who were forgotten."""

    def __init__(self, database: LogDatabase, clock: Callable[[], float] = time.time) -> None:
        self.pause_seconds = 0.0
        """Rest between pieces of a batch, for the sake of whoever wants the same core and the same interpreter."""
        self._database = database
        self._clock = clock
        self._erasures = Erasures()
        self._statements = {kind: _Insertion(target, database.is_sqlite) for kind, target in TARGETS.items()}

    def insert(self, lines: Sequence[Line], reject: Callable[[Line], None]) -> None:
        """Commit all rows, or none.

        Args:
            lines: of the rows.
            reject: told of each row that the database cannot hold; the others are committed without it.

        Raises:
            sqlalchemy.exc.DBAPIError: the database does not answer, or is not as it should be.
        """
        try:
            self._insert(lines)
        except _FAULTS_OF_ROWS:
            if len(lines) == 1:
                reject(lines[0])
                return
            half = len(lines) // 2
            self.insert(lines[:half], reject)
            self.insert(lines[half:], reject)

    def _insert(self, lines: Sequence[Line]) -> None:
        registered, oldest = set[str](), self._clock() - _RECENT_SECONDS
        with self._database.writing() as connection:
            self._erasures.refresh(connection)
            for start in range(0, len(lines), _ROWS_AT_ONCE):
                for kind, rows in self._rows(lines[start : start + _ROWS_AT_ONCE]).items():
                    self._statements[kind].run(connection, rows)
                    if kind == REGISTRATION:
                        registered |= set(_column(rows, kind, USER_ID))
                    else:
                        oldest = min(oldest, *_column(rows, kind, TARGETS[kind].acknowledged_at))
                if self.pause_seconds:
                    time.sleep(self.pause_seconds)
            if registered:
                _drop_superseded(connection, registered)
            join_requests(connection, since=oldest)
            count_traffic(connection)

    def _rows(self, lines: Sequence[Line]) -> dict[bytes, list[Row]]:
        """By kind, what is to be inserted."""
        rows: dict[bytes, list[Row]] = {}
        for kind, body in lines:
            rows.setdefault(kind, []).append(_row(body, TARGETS[kind]))
        kept = {kind: self._without_erased(each, TARGETS[kind]) for kind, each in rows.items()}
        return {kind: each for kind, each in kept.items() if each}

    def _without_erased(self, rows: list[Row], target: Target) -> list[Row]:
        if not len(self._erasures):
            return rows
        user, time_ = target.columns.index(USER_ID), target.columns.index(target.acknowledged_at)
        return [row for row in rows if not self._erasures.covers(row[user], row[time_])]


class _Insertion:
    """Puts rows given as tuples into a table, and leaves out those it has.

    The driver is called with tuples: by way of SQLAlchemy's parameters a row takes twice the time.
    """

    def __init__(self, target: Target, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        insert, dialect = (sqlite.insert, sqlite.dialect) if is_sqlite else (postgresql.insert, postgresql.dialect)
        statement = insert(target.table).values({name: sa.bindparam(name) for name in target.columns})
        written: Any = dialect
        compiled = statement.on_conflict_do_nothing(index_elements=[target.unique]).compile(
            dialect=written(paramstyle="qmark" if is_sqlite else "format")
        )
        assert tuple(compiled.positiontup or ()) == target.columns
        self._one = str(compiled)
        self._several = partial(_with_more_rows, self._one, len(target.columns))

    def run(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Insert all of them.

        SQLite takes many rows in one statement: its driver lets go of the interpreter for every statement that it runs,
        and a hand-over to the thread that answers requests and back costs more than the row.
        """
        if not self._is_sqlite:
            connection.exec_driver_sql(self._one, list(rows))
            return
        start, size = 0, _ROWS_AT_ONCE
        while start < len(rows):
            while size > len(rows) - start:
                size //= 2
            values = tuple(chain.from_iterable(rows[start : start + size]))
            connection.exec_driver_sql(self._several(size), values)
            start += size


def _with_more_rows(statement: str, num_columns: int, num_rows: int) -> str:
    """SQL that inserts so many rows, from that which inserts one."""
    one = f"({', '.join('?' * num_columns)})"
    assert statement.count(one) == 1
    return statement.replace(one, ", ".join([one] * num_rows))


def fields_of(line: Line) -> dict[str, Any]:
    """A row of the journal by the names of its columns."""
    first, *as_json = map(orjson.loads, line[1].split(b"\t"))
    if isinstance(first, dict):
        return first
    return dict(zip(_OF_A_REQUEST, [*first[: len(_OF_A_REQUEST) - len(as_json)], *as_json], strict=False))


def _row(body: bytes, target: Target) -> Row:
    """A row of the journal as the parameters of its insertion.

    Raises:
        ValueError: a request of more or fewer columns than the table has.
    """
    if b"\t" in body:
        return _request(body)
    row = orjson.loads(body)
    if isinstance(row, list):
        row = dict(zip(_OF_A_REQUEST, row, strict=True))
    if target.table is REQUESTS:
        row[NUM_ITEMS] = len(row.get(RECOMMENDATIONS) or ())
        row[LATENCY_BUCKET] = None if row.get(LATENCY_MS) is None else latency_bucket(row[LATENCY_MS])
    for name in target.as_json:
        value = row.get(name)
        row[name] = None if value is None else orjson.dumps(value).decode()
    if target.table is FEEDBACK_TABLE:
        row[REQUEST_KNOWN] = None if row.get(REQUEST_ID) is None else False
    try:
        return target.values_of(row)
    except KeyError:  # a column that the service which wrote the row did not have
        return tuple([row.get(name) for name in target.columns])


def _request(body: bytes) -> Row:
    first, recommendations, scores, propensities, asked = body.decode().split("\t")
    row = orjson.loads(first)
    num_items = row.pop()
    if len(row) != len(BESIDE_JSON):
        raise ValueError(f"expected {len(BESIDE_JSON)} columns, found {len(row)}")
    as_json = (recommendations, scores, propensities, None if asked == "null" else asked)
    return (*row, *as_json, num_items, latency_bucket(row[_LATENCY]))


def _drop_superseded(connection: sa.Connection, user_ids: Collection[str]) -> None:
    """Of each user, keep the latest registration."""
    later = REGISTRATIONS.alias("later")
    is_superseded = (
        sa.exists()
        .where(later.c.user_id == REGISTRATIONS.c.user_id, later.c.seq != REGISTRATIONS.c.seq)
        .where(
            sa.tuple_(later.c.registered_at, later.c.seq)
            > sa.tuple_(REGISTRATIONS.c.registered_at, REGISTRATIONS.c.seq)
        )
    )
    connection.execute(sa.delete(REGISTRATIONS).where(REGISTRATIONS.c.user_id.in_(user_ids), is_superseded))


def _column(rows: Sequence[Row], kind: bytes, name: str) -> list[Any]:
    place = TARGETS[kind].columns.index(name)
    return [row[place] for row in rows]
