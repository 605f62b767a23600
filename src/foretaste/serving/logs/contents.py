"""What the logs hold, counted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import ERASURES, FEEDBACK, REGISTRATIONS, REQUESTS
from foretaste.serving.logs.journal import adopt_abandoned, segments
from foretaste.serving.logs.moving import REJECTED_FILE
from foretaste.serving.logs.settings import LogConfig


@dataclass(frozen=True)
class Contents:
    """What there is, in the database and in the journals beside it."""

    database: str
    """Its URL, without the password."""
    problem: str | None
    """Why the database could not be read; the counts of its rows are then 0."""
    requests: int
    feedback: int
    feedback_of_unknown_requests: int
    """Events that name a request which the log does not have."""
    registrations: int
    erased_users: int
    first_request_at: float | None
    """UTC seconds."""
    last_request_at: float | None
    """UTC seconds."""
    journals: int
    """Of running services."""
    abandoned_journals: int
    """Of services that were killed; the next start, or `foretaste users forget`, moves them."""
    journal_bytes: int
    """Not yet in the database."""
    rejected_rows: int
    """That the database cannot hold; they are in `rejected.jsonl` in the folder of the journals."""


def contents(config: LogConfig) -> Contents:
    """Count what is in the logs of a service, running or not.

    Raises:
        ConfigError: the URL of the database is not one, or its driver is not installed.
        ArtifactError: the database is of a newer version of foretaste.
    """
    database = LogDatabase(config.url)
    counts: dict[str, float | None] = {}
    problem = None
    try:
        if database.exists():
            with database.reading() as connection:
                counts = {name: connection.execute(query).scalar_one() for name, query in _QUERIES.items()}
        else:
            problem = "nothing was written there yet"
    except DBAPIError as error:
        problem = str(error.orig).strip()
    finally:
        database.close()
    folders, abandoned, num_bytes = _journals(config.journal_dir)
    return Contents(
        database=str(database),
        problem=problem,
        **{name: int(counts.get(name) or 0) for name in _COUNTS},
        first_request_at=counts.get("first_request_at"),
        last_request_at=counts.get("last_request_at"),
        journals=folders - abandoned,
        abandoned_journals=abandoned,
        journal_bytes=num_bytes,
        rejected_rows=_num_lines(config.journal_dir / REJECTED_FILE),
    )


_COUNTS: dict[str, sa.Select[Any]] = {
    "requests": sa.select(sa.func.count()).select_from(REQUESTS),
    "feedback": sa.select(sa.func.count()).select_from(FEEDBACK),
    "feedback_of_unknown_requests": sa.select(sa.func.count()).where(FEEDBACK.c.request_known.is_(False)),
    "registrations": sa.select(sa.func.count()).select_from(REGISTRATIONS),
    "erased_users": sa.select(sa.func.count(ERASURES.c.user_hash.distinct())),
}
_QUERIES: dict[str, sa.Select[Any]] = {
    **_COUNTS,
    "first_request_at": sa.select(sa.func.min(REQUESTS.c.timestamp)),
    "last_request_at": sa.select(sa.func.max(REQUESTS.c.timestamp)),
}


def _journals(root: Path) -> tuple[int, int, int]:
    """Folders, those of them that no service holds, and the bytes in all."""
    folders = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    num_bytes = sum(segment.stat().st_size for folder in folders for segment in segments(folder) if segment.exists())
    abandoned = adopt_abandoned(root)
    for journal in abandoned:
        journal.close()
    return len(folders), len(abandoned), num_bytes


def _num_lines(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0
