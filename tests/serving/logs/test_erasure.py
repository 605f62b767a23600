import json
import sqlite3
from contextlib import closing

import pytest

from foretaste.cli import create_app
from foretaste.data.log_tables import ERASURES, FEEDBACK, REGISTRATIONS, REQUESTS
from foretaste.serving.logs import erasure
from foretaste.serving.logs.erasure import Erased, forget
from foretaste.serving.logs.service import ServiceLogs

NAME = "somebody-with-a-name"


def fill(logs, a_request, an_event, user_id, number=1):
    for each in range(number):
        logs.requests.append(a_request(request_id=f"{user_id}-{each}", user_id=user_id))
        logs.feedback.take(an_event(event_id=f"{user_id}-{each}", user_id=user_id, request_id=f"{user_id}-{each}"))
    logs.users.register(user_id, {"age": 40})


def test_all_rows_of_one_user_go_and_no_others(logs, config, rows_of, a_request, an_event):
    fill(logs, a_request, an_event, NAME, number=3)
    fill(logs, a_request, an_event, "other")
    logs.feedback.take(an_event(event_id="no name", user_id=None, request_id=f"{NAME}-0"))
    logs.move_now()
    assert forget(config, NAME) == Erased(requests=3, feedback=4, registrations=1, in_journals=0, still_in_journals=0)
    for table in (REQUESTS, FEEDBACK, REGISTRATIONS):
        assert {row["user_id"] for row in rows_of(table)} == {"other"}
    assert NAME not in json.dumps(rows_of(ERASURES))
    assert forget(config, "never-heard-of").is_nothing


def test_a_request_that_comes_while_the_others_are_looked_for_goes_too(logs, config, rows_of, a_request, monkeypatch):
    looked_for = erasure._requests_of

    def and_one_comes(connection, user_id, after):
        found = looked_for(connection, user_id, after)
        if not after:
            logs.requests.append(a_request(request_id="late", user_id=user_id))
            logs.move_now()
        return found

    monkeypatch.setattr(erasure, "_IDS_AT_ONCE", 2)
    monkeypatch.setattr(erasure, "_requests_of", and_one_comes)
    for number in range(5):
        logs.requests.append(a_request(request_id=f"r{number}", user_id=NAME))
    logs.requests.append(a_request(request_id="another's", user_id="other"))
    logs.move_now()
    assert forget(config, NAME).requests == 6
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["another's"]


def test_running_services_forget_what_they_have_in_memory(open_logs, config, a_request, an_event):
    here, there = open_logs(), open_logs()
    fill(here, a_request, an_event, NAME)
    here.move_now()
    there.move_now()
    forget(config, NAME)
    for logs in (here, there):
        assert logs.recent.history(NAME).liked == ["m1"]
        logs.move_now()
        assert logs.recent.history(NAME).liked == ()
        assert logs.users.attributes(NAME) is None


def test_rows_that_wait_in_a_running_service_do_not_reach_the_database(logs, config, rows_of, a_request, an_event):
    fill(logs, a_request, an_event, NAME)
    fill(logs, a_request, an_event, "other")
    erased = forget(config, NAME, wait_seconds=0)
    assert (erased.requests, erased.in_journals, erased.still_in_journals) == (0, 3, 3)
    logs.move_now()
    assert {row["user_id"] for row in rows_of(REQUESTS)} == {"other"}
    assert NAME.encode() not in b"".join(path.read_bytes() for path in config.journal_dir.rglob("*.journal"))


def test_journals_of_dead_services_are_cleared(config, rows_of, a_request, an_event):
    dead = ServiceLogs(config)
    fill(dead, a_request, an_event, NAME)
    fill(dead, a_request, an_event, "other")
    dead._journal.close()
    assert forget(config, NAME).requests == 1
    assert not list(config.journal_dir.rglob("*.journal"))
    assert {row["user_id"] for row in rows_of(REQUESTS)} == {"other"}


def test_who_comes_back_is_somebody_new(logs, config, rows_of, a_request, an_event):
    fill(logs, a_request, an_event, NAME)
    logs.move_now()
    forget(config, NAME)
    logs.requests.append(a_request(request_id="after", user_id=NAME))
    logs.move_now()
    assert [row["request_id"] for row in rows_of(REQUESTS)] == ["after"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_file_of_sqlite_does_not_hold_the_name_any_more(logs, config, tmp_path, a_request, an_event):
    fill(logs, a_request, an_event, NAME, number=200)
    logs.move_now()
    forget(config, NAME)
    for path in tmp_path.glob("log.db*"):
        assert NAME.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_says_what_was_removed(logs, config, a_request, an_event, capsys):
    def run(*arguments):
        settings = ["--set", f"log.url={config.url}", "--set", f"log.journal_dir={config.journal_dir}", "--json"]
        code = create_app()([*arguments, *settings], standalone_mode=False)
        return code or 0, json.loads(capsys.readouterr().out)

    fill(logs, a_request, an_event, NAME)
    logs.move_now()
    code, counted = run("logs")
    assert (code, counted["requests"], counted["feedback"], counted["registrations"]) == (0, 1, 1, 1)
    assert (counted["journals"], counted["abandoned_journals"]) == (1, 0)
    code, removed = run("users", "forget", NAME)
    assert (code, removed["requests"], removed["user_id"]) == (0, 1, NAME)
    code, removed = run("users", "forget", NAME)
    assert (code, removed["requests"]) == (1, 0)
    with closing(sqlite3.connect(config.url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (0,)
