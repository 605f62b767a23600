"""What the thread does when the database is away, when rows are old, and by itself."""

import time

import pytest
import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.errors import LogFullError
from foretaste.serving.logs import insertion, retention
from foretaste.serving.logs.retention import delete_old_rows
from foretaste.serving.logs.service import ServiceLogs

DAY = 86_400
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def blocked(tmp_path):
    """A folder where SQLite wants its file, so that the database cannot be opened; gone when called."""
    place = tmp_path / "log.db"
    place.mkdir()
    return place.rmdir


@only_sqlite
def test_the_service_goes_on_without_its_database(blocked, open_logs, rows_of, a_request, an_event, caplog):
    logs = open_logs()
    for number in range(3):
        logs.requests.append(a_request(request_id=f"r{number}"))
        logs.move_now()
    logs.feedback.take(an_event())
    assert logs.recent.history("u1").liked == ["m1"]
    assert "unable to open database file" in logs.status().database_problem
    assert len([record for record in caplog.records if "rows stay in the journal" in record.message]) == 1
    blocked()
    logs.move_now()
    assert logs.status().database_problem is None
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["r0", "r1", "r2"]
    assert "takes rows again" in caplog.text


@only_sqlite
def test_a_full_journal_drops_requests_first_and_refuses_feedback_then(blocked, open_logs, a_request, an_event, caplog):
    logs = open_logs(max_journal_bytes=64 * 1024)
    while logs.requests.append(a_request(recommendations=["m1"] * 100)):
        pass
    assert logs.status().requests_dropped == 1
    assert "answered without a row in the log" in caplog.text
    logs.feedback.take(an_event())
    with pytest.raises(LogFullError, match="max_journal_bytes"):
        any(logs.feedback.take(an_event()) for _ in range(1000))
    status = logs.status()
    assert status.feedback_refused == 1
    assert len(logs.recent.events("u1")) == min(status.feedback_taken, 200)
    blocked()
    logs.move_now()
    logs.feedback.take(an_event())


@only_sqlite
def test_events_in_the_journal_of_a_dead_worker_count_though_the_database_is_away(blocked, config, open_logs, an_event):
    dead = ServiceLogs(config)
    dead.feedback.take(an_event(item_id="m5"))
    dead.users.register("u9", {"age": 4})
    dead._journal.close()
    logs = open_logs()
    assert logs.recent.history("u1").liked == ["m5"]
    assert logs.users.attributes("u9") == {"age": 4}


def test_rows_reach_the_database_and_other_workers_by_themselves(open_logs, rows_of, an_event):
    here, there = open_logs(move_every_seconds=0.05), open_logs(move_every_seconds=0.05)
    here.feedback.take(an_event(item_id="m7"))
    deadline = time.monotonic() + 20
    while not there.recent.history("u1").liked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert there.recent.history("u1").liked == ["m7"]
    assert len(rows_of(FEEDBACK)) == 1


def test_stopping_moves_what_is_left(config, rows_of, a_request):
    logs = ServiceLogs(config)
    logs.start()
    logs.requests.append(a_request())
    logs.stop()
    assert len(rows_of(REQUESTS)) == 1
    assert list(config.journal_dir.iterdir()) == []


def test_old_rows_leave_and_young_ones_stay(logs, config, rows_of, a_request, an_event, monkeypatch):
    monkeypatch.setattr(retention, "_ROWS", 2)
    now = 100 * DAY
    for age in (1, 5, 20, 30, 40):
        logs.requests.append(a_request(request_id=f"r{age}", timestamp=now - age * DAY))
        logs.feedback.take(an_event(event_id=f"e{age}", timestamp=now - age * DAY))
    logs.move_now()
    database = LogDatabase(config.url)
    keeps = config.model_copy(update={"retention_days": 10, "feedback_retention_days": 35})
    assert [delete_old_rows(database, keeps, now) for _ in range(3)] == [3, 1, 0]  # 2 requests and an event, 1, none
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["r1", "r5"]
    assert [row["event_id"] for row in rows_of(FEEDBACK)] == ["e1", "e5", "e20", "e30"]
    database.close()


def test_the_oldest_requests_above_the_limit_leave(logs, config, rows_of, a_request):
    for number in range(10):
        logs.requests.append(a_request(request_id=f"r{number}"))
    logs.move_now()
    database = LogDatabase(config.url)
    keeps = config.model_copy(update={"max_requests": 4, "retention_days": None})
    assert [delete_old_rows(database, keeps) for _ in range(2)] == [6, 0]
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["r6", "r7", "r8", "r9"]
    database.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_connections_that_the_server_cuts_are_opened_anew(config, open_logs, rows_of, a_request):
    name = f"foretaste-{time.time_ns()}"
    url = sa.make_url(config.url).update_query_dict({"application_name": name})
    logs = open_logs(url=url.render_as_string(hide_password=False))
    logs.requests.append(a_request())
    logs.move_now()
    engine = sa.create_engine(config.url)
    with engine.connect() as connection:
        cut = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")
        assert connection.execute(cut, {"name": name}).scalars().all() == [True]
    engine.dispose()
    logs.requests.append(a_request())
    logs.move_now()
    assert logs.status().database_problem is None
    assert len(rows_of(REQUESTS)) == 2


@pytest.mark.parametrize("count", [1, 255, 256, 557])
def test_batches_of_any_size_arrive_whole_and_in_order(open_logs, rows_of, a_request, count):
    logs = open_logs()
    appended = [a_request(recommendations=[f"m{number}"]) for number in range(count)]
    for _ in range(2):
        for row in appended:
            logs.requests.append(row)
        logs.move_now()
    found = rows_of(REQUESTS)
    assert [row["request_id"] for row in found] == [row.request_id for row in appended]
    assert [row["recommendations"] for row in found] == [f'["m{number}"]' for number in range(count)]


@only_sqlite
def test_requests_alone_wait_for_the_fourth_turn_and_go_with_feedback_before(logs, rows_of, a_request, an_event):
    logs.requests.append(a_request())
    for moved in (0, 0, 0, 1):
        logs._mover.turn(moves_all=False)
        assert len(rows_of(REQUESTS)) == moved
    logs.requests.append(a_request())
    logs.feedback.take(an_event())
    logs._mover.turn(moves_all=False)
    assert (len(rows_of(REQUESTS)), len(rows_of(FEEDBACK))) == (2, 1)


@only_sqlite
def test_the_thread_pauses_between_pieces_and_the_last_turn_does_not(config, rows_of, a_request, monkeypatch):
    paused = []
    monkeypatch.setattr(insertion.time, "sleep", paused.append)
    logs = ServiceLogs(config)
    logs.start()
    for number in range(300):
        logs.requests.append(a_request(request_id=f"{number:03}"))
    logs.move_now()
    assert paused == [0.002] * 2, "a piece of 256 rows, and one of 44"
    logs.requests.append(a_request(request_id="last"))
    logs.stop()
    assert len(paused) == 2
    assert [row["request_id"] for row in rows_of(REQUESTS)] == [*(f"{number:03}" for number in range(300)), "last"]
