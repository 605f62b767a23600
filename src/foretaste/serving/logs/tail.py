"""What other workers committed, brought into the memory of this one."""

from itertools import chain
from typing import Any

import orjson
import sqlalchemy as sa

from foretaste.data.log_database import Erasures, LogDatabase
from foretaste.data.log_tables import FEEDBACK, REGISTRATIONS, SEQ
from foretaste.data.schemas import FEEDBACK_COLUMNS
from foretaste.serving.logs.feedback import RecentEvents
from foretaste.serving.logs.journal import AbandonedJournal, read_lines
from foretaste.serving.logs.rows import REGISTRATION, REQUEST, FeedbackRow, RegistrationRow
from foretaste.serving.logs.users import RegisteredUsers

_ROWS = 5_000
"""Read at a time."""


class Tail:
    """Follows feedback, registrations and erasures from the last row that it has read."""

    def __init__(
        self, database: LogDatabase, recent: RecentEvents, users: RegisteredUsers, since: float | None
    ) -> None:
        """`since`: events before it are not read, UTC seconds; None reads all."""
        self._database = database
        self._recent = recent
        self._users = users
        self._since = since
        self._newer_feedback, self._newer_registrations = _newer_feedback(since), _newer_registrations()
        self._last_feedback = 0
        self._last_registration = 0
        self._erasures = Erasures()

    def read(self) -> None:
        """Bring memory up to date.

        Raises:
            sqlalchemy.exc.DBAPIError: the database does not answer.
        """
        with self._database.reading() as connection:
            while self._read_feedback(connection):
                pass
            while self._read_registrations(connection):
                pass
            self._forget_erased(connection)

    def remember(self, journal: AbandonedJournal) -> None:
        """Know what another worker acknowledged before it was killed, though the database may be away."""
        for line in chain.from_iterable(map(read_lines, journal.closed_segments())):
            if line is None or line[0] == REQUEST:
                continue
            fields = orjson.loads(line[1])
            if line[0] == REGISTRATION:
                registered = RegistrationRow(**fields)
                if not self._erasures.covers(registered.user_id, registered.registered_at):
                    self._users.add(registered)
            elif self._since is None or fields["timestamp"] > self._since:
                event = FeedbackRow(**fields)
                if not self._erasures.covers(event.user_id, event.received_at):
                    self._recent.add(event)

    def _read_feedback(self, connection: sa.Connection) -> bool:
        found = connection.execute(self._newer_feedback, {"last": self._last_feedback}).mappings().all()
        for row in found:
            fields = dict(row)
            self._last_feedback = fields.pop(SEQ)
            self._recent.add(FeedbackRow(**fields))
        return len(found) == _ROWS

    def _read_registrations(self, connection: sa.Connection) -> bool:
        found = connection.execute(self._newer_registrations, {"last": self._last_registration}).mappings().all()
        for row in found:
            self._last_registration = row[SEQ]
            self._users.add(registration(row))
        return len(found) == _ROWS

    def _forget_erased(self, connection: sa.Connection) -> None:
        before = self._erasures.last_seq
        self._erasures.refresh(connection)
        if self._erasures.last_seq == before:
            return
        for memory in (self._recent, self._users):
            for user_id in memory.user_ids():
                erased_at = self._erasures.erased_at(user_id)
                if erased_at is not None:
                    memory.forget(user_id, erased_at)


def _newer_feedback(since: float | None) -> sa.Select[Any]:
    columns = FEEDBACK.c
    statement = sa.select(columns.seq, *(columns[each.name] for each in FEEDBACK_COLUMNS))
    if since is not None:
        statement = statement.where(columns.timestamp > since)
    return statement.where(columns.seq > sa.bindparam("last")).order_by(columns.seq).limit(_ROWS)


def _newer_registrations() -> sa.Select[Any]:
    seq = REGISTRATIONS.c.seq
    return sa.select(REGISTRATIONS).where(seq > sa.bindparam("last")).order_by(seq).limit(_ROWS)


def find_registration(database: LogDatabase, user_id: str) -> RegistrationRow | None:
    """The latest registration of a user; None for nobody.

    Raises:
        sqlalchemy.exc.DBAPIError: the database does not answer.
    """
    columns = REGISTRATIONS.c
    statement = sa.select(REGISTRATIONS).where(columns.user_id == user_id).order_by(columns.registered_at.desc())
    with database.reading() as connection:
        row = connection.execute(statement.limit(1)).mappings().first()
    return None if row is None else registration(row)


def registration(row: sa.RowMapping) -> RegistrationRow:
    """A row of the table, as the journal had it."""
    return RegistrationRow(
        registration_id=row["registration_id"],
        user_id=row["user_id"],
        registered_at=row["registered_at"],
        attributes=orjson.loads(row["attributes"]),
    )
