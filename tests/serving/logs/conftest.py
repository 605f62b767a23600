"""Logs in folders and databases that are the test's own; each test runs on SQLite and on PostgreSQL."""

import itertools
import os
import runpy
import secrets
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

POSTGRES = runpy.run_path(str(Path(__file__).parents[2] / "temporary_postgres.py"))


@pytest.fixture(scope="session")
def postgres_server():
    """URL of a server: the one of FORETASTE_POSTGRES_URL, or one that is started here."""
    url = os.environ.get(POSTGRES["VARIABLE"])
    if url:
        yield url
        return
    try:
        with POSTGRES["running_postgres"]() as url:
            yield url
    except POSTGRES["NoPostgresError"] as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/log.db"
        return
    pytest.importorskip("psycopg")
    server = sa.make_url(request.getfixturevalue("postgres_server"))
    schema = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        url = server.update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    engine.dispose()


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
