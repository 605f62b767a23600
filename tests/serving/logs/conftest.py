"""Logs in folders and databases that are the test's own; each test runs on SQLite and on PostgreSQL."""

import itertools
import time

import pytest
import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig


@pytest.fixture
def config(database_url, tmp_path):
    """A thread that is never in the way: tests move by hand."""
    return LogConfig(url=database_url, journal_dir=tmp_path / "journal", move_every_seconds=60)


@pytest.fixture
def open_logs(config):
    """Opens the logs as a worker does; closed in the end."""
    opened = []

    def open_(since=None, **changes):
        logs = ServiceLogs(config.model_copy(update=changes), since)
        logs.start()
        opened.append(logs)
        return logs

    yield open_
    for logs in opened:
        logs.stop()


@pytest.fixture
def logs(open_logs):
    return open_logs()


@pytest.fixture
def rows_of(database_url):
    """All rows of a table, as dicts, in the order of their commit."""
    database = LogDatabase(database_url)

    def rows(table):
        with database.reading() as connection:
            return [dict(row) for row in connection.execute(sa.select(table).order_by(table.c.seq)).mappings()]

    yield rows
    database.close()


_numbers = itertools.count()


@pytest.fixture
def a_request():
    """Makes rows of requests."""

    def row(**fields):
        number = next(_numbers)
        known = {"request_id": f"r{number}", "timestamp": time.time(), "endpoint": "/recommend", "status": 200}
        return RequestRow(**{**known, "latency_ms": 1.5, "user_id": "u1", **fields})

    return row


@pytest.fixture
def an_event():
    """Makes rows of feedback."""

    def row(**fields):
        now = time.time()
        known = {"event_id": f"e{next(_numbers)}", "timestamp": now, "received_at": now, "kind": "click"}
        return FeedbackRow(**{**known, "item_id": "m1", "user_id": "u1", **fields})

    return row
