"""The way of a row from the call that takes it to the database, on SQLite and on PostgreSQL."""

import dataclasses
import json

import numpy as np
import orjson
import pytest
import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REGISTRATIONS, REQUESTS, SETTINGS
from foretaste.data.schemas import REQUEST_COLUMNS
from foretaste.errors import ArtifactError, ConfigError, RequestError
from foretaste.serving.logs.insertion import fields_of
from foretaste.serving.logs.journal import read_lines
from foretaste.serving.logs.rows import RequestRow
from foretaste.serving.logs.service import ServiceLogs


def test_a_request_reaches_the_database_whole(logs, rows_of, a_request):
    row = a_request(
        user_known=True,
        model_version="b1",
        experiment="colours",
        variant="blue",
        policy="epsilon_greedy",
        is_fallback=False,
        recommendations=["m1", "m2"],
        scores=np.array([0.5, 0.25], dtype=np.float32),
        propensities=[0.9, 0.1],
        asked={"k": 2, "filters": {"genres": ["Comedy"]}},
    )
    assert logs.requests.append(row)
    logs.move_now()
    (found,) = rows_of(REQUESTS)
    assert found["num_items"] == 2
    for column in ("recommendations", "scores", "propensities"):
        assert json.loads(found[column]) == list(getattr(row, column))
    assert json.loads(found["asked"]) == row.asked
    for column in ("request_id", "timestamp", "user_id", "user_known", "variant", "policy", "is_fallback", "status"):
        assert found[column] == getattr(row, column)


def test_a_request_stands_in_the_journal_in_the_order_of_its_columns(logs, config, a_request):
    assert [each.name for each in dataclasses.fields(RequestRow)] == [each.name for each in REQUEST_COLUMNS]
    row = a_request(user_id="a\ttab", recommendations=["m1"], scores=[0.5], propensities=[1.0], asked={"k": 2})
    logs.requests.append(row)
    (segment,) = config.journal_dir.rglob("*.journal")
    ((_, body),) = read_lines(segment)
    *beside_json, recommendations, scores, propensities, asked = dataclasses.astuple(row)
    told = [[*beside_json, 1], recommendations, scores, propensities, asked]
    assert [json.loads(each) for each in body.split(b"\t")] == told
    assert fields_of((b"r", body)) == dataclasses.asdict(row)


def test_what_is_json_already_is_written_as_it_is(logs, rows_of, a_request):
    logs.requests.append(a_request(recommendations=["m1"], scores=orjson.Fragment(b"[0.5]")))
    logs.move_now()
    assert rows_of(REQUESTS)[0]["scores"] == "[0.5]"


@pytest.mark.parametrize("form", [dataclasses.asdict, lambda row: list(dataclasses.astuple(row))])
def test_requests_of_earlier_journals_are_moved(logs, rows_of, a_request, form):
    shown = {"recommendations": ["m1", "m2"], "scores": [2.0, 0.5], "asked": {"k": 2}}
    rows = [a_request(**each) for each in (shown, {})]
    for row in rows:
        logs._journal.append(b"r", orjson.dumps(form(row)))
    logs.move_now()
    moved = rows_of(REQUESTS)
    assert [row["request_id"] for row in moved] == [row.request_id for row in rows]
    told = [[row[name] for name in ("recommendations", "scores", "asked", "num_items")] for row in moved]
    assert told == [['["m1","m2"]', "[2.0,0.5]", '{"k":2}', 2], ["[]", "[]", None, 0]]
    latencies = {row["latency_bucket"] for row in moved}
    logs.requests.append(a_request())
    logs.move_now()
    assert {row["latency_bucket"] for row in rows_of(REQUESTS)} == latencies


@pytest.mark.parametrize("body", [b"[]", b'["r1",1.0]', b'["r1",1.0,0]\t[]\t[]\t[]\tnull'])
def test_requests_of_other_columns_are_put_aside(logs, config, rows_of, a_request, body):
    logs._journal.append(b"r", body)
    logs.requests.append(kept := a_request())
    logs.move_now()
    assert [each["request_id"] for each in rows_of(REQUESTS)] == [kept.request_id]
    assert logs.status().rows_rejected == 1


def test_the_journal_is_empty_once_its_rows_are_in_the_database(logs, config, a_request):
    logs.requests.append(a_request())
    assert logs.status().journal_bytes > 0
    logs.move_now()
    assert logs.status().journal_bytes == 0
    assert sum(len(path.read_bytes()) for path in config.journal_dir.rglob("*.journal")) == 0


def test_a_row_that_comes_twice_is_there_once(logs, rows_of, a_request, an_event):
    request, event = a_request(), an_event()
    for _ in range(2):
        logs.requests.append(request)
        logs.feedback.take(event)
    logs.move_now()
    logs.feedback.take(event)
    logs.move_now()
    assert len(rows_of(REQUESTS)) == len(rows_of(FEEDBACK)) == 1
    assert len(logs.recent.events("u1")) == 1


def test_what_a_worker_left_is_replayed_by_the_next(open_logs, config, rows_of, a_request, an_event):
    first = ServiceLogs(config)  # never started, so nothing is moved; closed without a last turn, as by a kill
    first.requests.append(a_request(request_id="r"))
    first.feedback.take(an_event(request_id="r"))
    first._journal.close()
    second = open_logs()
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["r"]
    assert len(rows_of(FEEDBACK)) == 1
    assert second.recent.history("u1").liked == ["m1"]


def test_feedback_counts_for_the_next_request_here_and_after_a_turn_elsewhere(open_logs, an_event):
    here, there = open_logs(), open_logs()
    here.feedback.take(an_event(item_id="m7"))
    assert here.recent.history("u1").liked == ["m7"]
    assert there.recent.history("u1").liked == ()
    here.move_now()
    there.move_now()
    assert there.recent.history("u1").liked == ["m7"]


def test_only_events_since_the_training_are_read(open_logs, an_event):
    first = open_logs()
    for day, item in enumerate(("old", "new")):
        first.feedback.take(an_event(item_id=item, timestamp=1000.0 + day))
    first.move_now()
    assert open_logs(since=1000.0).recent.history("u1").liked == ["new"]
    assert first.recent.history("u1", since=1000.0).liked == ["new"]


def test_feedback_says_whether_its_request_is_known(logs, rows_of, a_request, an_event):
    logs.feedback.take(an_event(event_id="of an unknown", request_id="r-unknown"))
    logs.feedback.take(an_event(event_id="of none"))
    logs.feedback.take(an_event(event_id="of a later", request_id="r-later"))
    logs.move_now()
    assert {row["event_id"]: row["request_known"] for row in rows_of(FEEDBACK)} == {
        "of an unknown": False,
        "of none": None,
        "of a later": False,
    }
    logs.requests.append(a_request(request_id="r-later"))
    logs.move_now()
    known = {row["event_id"]: row["request_known"] for row in rows_of(FEEDBACK)}
    assert known == {"of an unknown": False, "of none": None, "of a later": True}


def test_feedback_finds_its_request_though_the_database_was_away_for_days(logs, rows_of, a_request, an_event):
    logs.requests.append(a_request(request_id="r-old", timestamp=1000.0))
    logs.feedback.take(an_event(request_id="r-old", received_at=1001.0))
    logs.move_now()
    assert [row["request_known"] for row in rows_of(FEEDBACK)] == [True]


def test_feedback_takes_over_which_model_and_slot_showed_the_item(logs, rows_of, a_request, an_event):
    shown = {"model_version": "b1", "variant": "blue", "recommendations": ["m1", "m2", "m3"]}
    logs.feedback.take(an_event(item_id="m2", request_id="r-of-three"))
    logs.feedback.take(an_event(item_id="m9", request_id="r-of-three"))
    logs.move_now()
    assert {row["slot"] for row in rows_of(FEEDBACK)} == {None}
    logs.requests.append(a_request(request_id="r-of-three", **shown))
    logs.move_now()
    told = [(row["endpoint"], row["model_version"], row["variant"], row["slot"]) for row in rows_of(FEEDBACK)]
    assert told == [("/recommend", "b1", "blue", 1), ("/recommend", "b1", "blue", None)]


@pytest.mark.parametrize(("fields", "expected"), [({"kind": "stare"}, "unknown kind"), ({"kind": "rating"}, "value")])
def test_feedback_that_says_nothing_is_refused(logs, an_event, fields, expected):
    with pytest.raises(RequestError, match=expected):
        logs.feedback.take(an_event(**fields))


@pytest.mark.parametrize("user_id", ["nul \0 within", "half of a pair \ud800"])
def test_text_that_a_database_cannot_hold_is_refused(logs, a_request, an_event, user_id):
    for write in (
        lambda: logs.requests.append(a_request(user_id=user_id)),
        lambda: logs.feedback.take(an_event(user_id=user_id)),
        lambda: logs.users.register(user_id, {}),
    ):
        with pytest.raises(RequestError, match="cannot be written down"):
            write()
    assert logs.status().journal_bytes == 0


def test_the_latest_registration_of_a_user_counts_in_every_worker(open_logs, rows_of):
    here, there = open_logs(), open_logs()
    here.users.register("u1", {"country": "AT"})
    here.users.register("u1", {"country": "CH"})
    assert here.users.attributes("u1") == {"country": "CH"}
    here.move_now()
    there.move_now()
    assert there.users.attributes("u1") == {"country": "CH"}
    assert there.users.attributes("u2") is None
    assert [json.loads(row["attributes"]) for row in rows_of(REGISTRATIONS)] == [{"country": "CH"}]


def test_a_registration_that_memory_has_no_room_for_is_looked_up(open_logs):
    logs = open_logs(max_recent_users=2)
    for number in range(5):
        logs.users.register(f"u{number}", {"number": number})
    logs.move_now()
    assert [logs.users.attributes(f"u{number}") for number in range(5)] == [{"number": number} for number in range(5)]
    assert logs.users.attributes("u9") is None


def test_a_row_that_the_database_cannot_hold_is_put_aside_alone(logs, config, rows_of, a_request):
    for request_id in ("r1", "r2", "r3"):
        logs.requests.append(a_request(request_id=request_id))
    logs._journal.append(b"r", b'{"request_id":"r4"}')  # columns are missing that must not be null
    logs.requests.append(a_request(request_id="r5"))
    logs.move_now()
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["r1", "r2", "r3", "r5"]
    assert logs.status().rows_rejected == 1
    assert (config.journal_dir / "rejected.jsonl").read_bytes() == b'{"request_id":"r4"}\n'


def test_a_database_of_a_newer_version_is_refused(logs, open_logs, database_url):
    database = LogDatabase(database_url)
    with database.writing() as connection:
        connection.execute(sa.update(SETTINGS).where(SETTINGS.c.name == "schema_version").values(value="2"))
    database.close()
    with pytest.raises(ArtifactError, match="version 2, and this foretaste knows up to 1"):
        open_logs()


@pytest.mark.parametrize("url", ["mysql://host/log", "sqlite://", "nonsense", "postgresql://host/log"])
def test_other_databases_are_refused(url):
    with pytest.raises(ConfigError, match="expected sqlite:///"):
        LogDatabase(url)
