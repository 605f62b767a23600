"""A user is forgotten: in the database, in the journals, and in what comes later.

Running services are not stopped. They drop from their memory and their journals what the user did until now, as they
read and before they write that the user was forgotten.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from foretaste.artifacts.atomic import locked
from foretaste.data.log_database import LogDatabase, setting
from foretaste.data.log_tables import ERASURES, FEEDBACK, REGISTRATIONS, REQUESTS, user_hash
from foretaste.data.schemas import USER_ID
from foretaste.errors import ArtifactError
from foretaste.serving.logs.insertion import TARGETS, Inserter, Target, fields_of
from foretaste.serving.logs.journal import adopt_abandoned, read_lines, segments
from foretaste.serving.logs.moving import REJECTED_FILE, move_segments
from foretaste.serving.logs.settings import LogConfig

_POLL_SECONDS = 0.05
_IDS_AT_ONCE = 1_000
"""In a statement."""

RowId = tuple[str, str]
"""Name of the table, and what names the row in it."""


@dataclass(frozen=True)
class Erased:
    """What was found of a user, and removed."""

    requests: int
    feedback: int
    registrations: int
    in_journals: int
    """Rows in the journals of running services; they leave with the next move, and do not reach the database."""
    still_in_journals: int
    """Of those, rows that were there when waiting for the services ended."""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was found at all."""
        return not (self.requests or self.feedback or self.registrations or self.in_journals)


def forget(config: LogConfig, user_id: str, *, wait_seconds: float = 10.0) -> Erased:
    """Remove all rows of a user, and remember that the user was forgotten.

    Args:
        config: where the logs are.
        user_id: who.
        wait_seconds: how long to wait until running services have let go of their rows.

    Raises:
        ArtifactError: the database does not answer; nothing was removed.
    """
    database = LogDatabase(config.url, overwrites_deleted=True)
    try:
        database.prepare()
        _move_abandoned(config, database)
        before = _waiting(config.journal_dir, user_id)
        removed = _erase(database, user_id)
        database.write_through()
        rejected = _erase_rejected(config.journal_dir, user_id)
        waiting = before | _waiting(config.journal_dir, user_id)
        left = _wait(config.journal_dir, user_id, wait_seconds)
    except DBAPIError as error:
        raise ArtifactError(f"{database}: the database does not answer ({error.orig}); nothing was removed.") from error
    finally:
        database.close()
    return Erased(
        requests=len(removed[REQUESTS.name]),
        feedback=len(removed[FEEDBACK.name]),
        registrations=len(removed[REGISTRATIONS.name]),
        in_journals=rejected + len(waiting - set().union(*removed.values())),
        still_in_journals=left,
    )


def _move_abandoned(config: LogConfig, database: LogDatabase) -> None:
    """What dead services left would else stay on disk until the next start."""
    inserter = Inserter(database)
    abandoned = adopt_abandoned(config.journal_dir)
    try:
        for journal in abandoned:
            for _ in move_segments(journal, inserter, config.journal_dir):
                pass
    finally:
        for journal in abandoned:
            journal.close()


def _erase(database: LogDatabase, user_id: str) -> dict[str, set[RowId]]:
    """Ids of the rows removed, by table.

    No index leads from a user to the requests, as every request would have to pay for it. All are read, but for the
    last few before others are kept from writing.
    """
    with database.reading() as connection:
        own_requests, newest = _requests_of(connection, user_id, after=0)
    with database.writing() as connection:
        own_requests += _requests_of(connection, user_id, after=newest)[0]
        hashed = user_hash(user_id, setting(connection, "salt"))
        connection.execute(ERASURES.insert().values(user_hash=hashed, erased_at=time.time()))
        of_user = {
            FEEDBACK: [FEEDBACK.c.user_id == user_id, *_any_of(FEEDBACK.c.request_id, own_requests)],
            REQUESTS: _any_of(REQUESTS.c.request_id, own_requests),
            REGISTRATIONS: [REGISTRATIONS.c.user_id == user_id],
        }
        return {
            table.name: {(table.name, row_id) for where in each for row_id in _delete(connection, table, where)}
            for table, each in of_user.items()
        }


def _requests_of(connection: sa.Connection, user_id: str, after: int) -> tuple[list[str], int]:
    """Ids of a user's requests above a `seq`, and the last `seq` there is."""
    seq = REQUESTS.c.seq
    newest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(seq), 0))).scalar_one()
    own = sa.select(REQUESTS.c.request_id).where(REQUESTS.c.user_id == user_id, seq > after, seq <= newest)
    return list(connection.execute(own).scalars()), newest


def _any_of(column: sa.Column[str], values: list[str]) -> list[sa.ColumnElement[bool]]:
    """Conditions that together say so, each short enough for a statement."""
    return [column.in_(values[start : start + _IDS_AT_ONCE]) for start in range(0, len(values), _IDS_AT_ONCE)]


def _delete(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> Iterable[str]:
    """Ids of the rows that went."""
    (unique,) = (target.unique for target in TARGETS.values() if target.table is table)
    return connection.execute(sa.delete(table).where(where).returning(table.c[unique])).scalars()


def _erase_rejected(root: Path, user_id: str) -> int:
    """Rows of the user among those that the database could not hold."""
    path = root / REJECTED_FILE
    if not path.exists():
        return 0
    with locked(root):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if orjson.loads(line).get(USER_ID) != user_id]
        hidden = path.with_suffix(".new")
        hidden.write_bytes(b"".join(kept))
        hidden.replace(path)
    return len(lines) - len(kept)


def _wait(root: Path, user_id: str, wait_seconds: float) -> int:
    """How many rows are left in journals, when none is or the time is up."""
    deadline = time.monotonic() + wait_seconds
    erased_at = time.time()
    while (left := len(_waiting(root, user_id, erased_at))) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def _waiting(root: Path, user_id: str, until: float | None = None) -> set[RowId]:
    """Ids of the user's rows in the journals, of those acknowledged until then."""
    return {
        (target.table.name, str(row[target.unique]))
        for target, row in _rows(root, user_id)
        if until is None or row[target.acknowledged_at] <= until
    }


def _rows(root: Path, user_id: str) -> Iterator[tuple[Target, dict[str, Any]]]:
    folders = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    encoded_id = orjson.dumps(user_id)
    for segment in (segment for folder in folders for segment in segments(folder)):
        try:
            lines = [line for line in read_lines(segment) if line is not None and encoded_id in line[1]]
        except FileNotFoundError:  # moved since
            continue
        for line in lines:
            row = fields_of(line)
            if row[USER_ID] == user_id:
                yield TARGETS[line[0]], row
