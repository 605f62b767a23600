"""A log database to write requests and feedback into, as the service does."""

import itertools

import pytest

from foretaste.data.log_database import LogDatabase
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

FIRST_HOUR = 500_000


@pytest.fixture
def window():
    return Window(FIRST_HOUR, FIRST_HOUR + 23)


@pytest.fixture
def database(database_url):
    database = LogDatabase(database_url)
    database.prepare()
    yield database
    database.close()


@pytest.fixture
def write(database_url, tmp_path, monkeypatch):
    """Brings rows of requests and of feedback into the database."""
    logs = ServiceLogs(LogConfig(url=database_url, journal_dir=tmp_path / "journal", move_every_seconds=60))
    logs.start()

    def write_(requests=(), events=()):
        for row in requests:
            logs.requests.append(row)
        for row in events:
            logs.feedback.take(row)
        logs.move_now()

    yield write_
    logs.stop()


_numbers = itertools.count()


@pytest.fixture
def a_request():
    """Makes a request; `hour` counts from the beginning of the window."""

    def row(hour=0.0, **fields):
        known = {"request_id": f"r{next(_numbers)}", "endpoint": "/recommend", "status": 200, "latency_ms": 2.0}
        known["timestamp"] = (FIRST_HOUR + hour) * SECONDS_PER_HOUR
        return RequestRow(**{**known, **fields})

    return row


@pytest.fixture
def an_event():
    """Makes feedback on an item of a request."""

    def row(request, item_id, kind="click", **fields):
        known = {"event_id": f"e{next(_numbers)}", "timestamp": request.timestamp, "received_at": request.timestamp}
        return FeedbackRow(**{**known, "kind": kind, "item_id": item_id, "request_id": request.request_id, **fields})

    return row
