"""Old rows leave, a few at a time, so that nobody waits for long."""

import time

import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.serving.logs.settings import LogConfig

_ROWS = 5_000
"""Deleted in one transaction."""
_SECONDS_PER_DAY = 86_400


def delete_old_rows(database: LogDatabase, config: LogConfig, now: float | None = None) -> int:
    """Delete what the config no longer keeps, at most a batch of each table.

    Returns:
        how many rows went; 0 when there is nothing left to delete.

    Raises:
        sqlalchemy.exc.DBAPIError: the database does not answer.
    """
    now = time.time() if now is None else now
    with database.writing() as connection:
        return (
            _delete_before(connection, REQUESTS, config.retention_days, now)
            + _delete_before(connection, FEEDBACK, config.feedback_retention_days, now)
            + _delete_above(connection, config.max_requests)
        )


def _delete_before(connection: sa.Connection, table: sa.Table, days: float | None, now: float) -> int:
    if days is None:
        return 0
    old = sa.select(table.c.seq).where(table.c.timestamp < now - days * _SECONDS_PER_DAY).limit(_ROWS)
    return connection.execute(sa.delete(table).where(table.c.seq.in_(old))).rowcount


def _delete_above(connection: sa.Connection, max_requests: int | None) -> int:
    """Rows leave in the order in which they came, so the highest and the lowest `seq` bound their number."""
    if max_requests is None:
        return 0
    column = REQUESTS.c.seq
    low, high = connection.execute(sa.select(sa.func.min(column), sa.func.max(column))).one()
    if high is None or high - low < max_requests:
        return 0
    below = min(high - max_requests + 1, low + _ROWS)
    return connection.execute(sa.delete(REQUESTS).where(column < below)).rowcount
