import json
import sqlite3
import time

import pytest

from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig


@pytest.fixture
def log_url(tmp_path):
    """Ten answers of two items in the present hour, one of them clicked, and one failure."""
    url, now = f"sqlite:///{tmp_path}/log.db", time.time()
    logs = ServiceLogs(LogConfig(url=url, journal_dir=tmp_path / "journal"))
    logs.start()
    known = {"timestamp": now, "endpoint": "/recommend", "model_version": "b1", "user_id": "u1", "user_known": True}
    for number in range(10):
        shown = {"recommendations": ["m1", "m2"], "status": 200, "latency_ms": 3.0, "variant": ["a", "b"][number % 2]}
        logs.requests.append(RequestRow(request_id=f"r{number}", **known, **shown))
    logs.requests.append(RequestRow(request_id="failed", status=500, latency_ms=1.0, **known))
    click = {"kind": "click", "item_id": "m2", "request_id": "r3", "user_id": "u1"}
    logs.feedback.take(FeedbackRow(event_id="e1", timestamp=now, received_at=now, **click))
    logs.stop()
    return url


def test_figures_for_people(foretaste, log_url):
    result = foretaste("monitor", "kpis", "--log", log_url, "--set", "thresholds.error_share=0.2")
    assert result.exit_code == 0
    assert "11 requests" in result.output
    assert "20 items shown · clicked 5.00% [0.89% 23.61%]" in result.output
    assert "2 items in 10 answers" in result.output
    assert "variant" in result.output
    assert "alert" not in result.output


def test_a_crossed_limit_is_told_and_exits_with_1(foretaste, log_url):
    result = foretaste("monitor", "kpis", "--log", log_url, "--window", "2h")
    assert result.exit_code == 1
    assert "error_share is 0.09091, above 0.01, since " in result.output


def test_figures_for_machines(foretaste, log_url):
    result = foretaste("monitor", "kpis", "--log", log_url, "--json")
    told = json.loads(result.stdout)
    assert told["traffic"]["num_requests"] == 11
    assert told["groups"]["variant"]["b"]["outcome"]["click_through"]["mean"] == 0.1
    assert [alert["figure"] for alert in told["alerts"]] == ["error_share"]
    assert told["window"]["hours"] == 24


def test_a_place_without_a_log_is_told(foretaste, tmp_path):
    result = foretaste("monitor", "kpis", "--log", f"sqlite:///{tmp_path}/none.db")
    assert "no log here; start the service with `foretaste serve`" in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_the_shipped_config_shows_the_defaults(foretaste):
    from pathlib import Path

    from foretaste.config import load_config
    from foretaste.monitoring.settings import MonitoringConfig

    shipped = Path(__file__).parents[2] / "configs/monitoring.yaml"
    assert load_config(shipped, MonitoringConfig) == MonitoringConfig()


def test_a_bundle_is_judged_by_a_log_or_refused(foretaste, store, log_url):
    arguments = ["monitor", "replay", "--store", store.root, "--log", log_url]
    with_chances = foretaste(*arguments, "--json")
    assert "no answer of /recommend to judge by" in str(with_chances.exception)


def test_drift_is_told_and_exits_with_1(foretaste, store, log_url):
    arguments = ["monitor", "drift", "--store", store.root, "--log", log_url]
    quiet = foretaste(*arguments, "--json")
    assert quiet.exit_code == 0
    assert json.loads(quiet.stdout)["since"] == {}
    assert "no feature is compared: none has 100 rows then and now" in foretaste(*arguments).output
    options = ["--set", "drift.min_rows=2", "--set", "drift.new_user_share=0", "--set", "drift.psi=9"]
    result = foretaste("monitor", "drift", "--store", store.root, "--log", log_url, *options)
    assert result.exit_code == 0  # u1 was in the training
    assert "0.0% of 10 (at most 0%)" in result.output
    with sqlite3.connect(log_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE requests SET user_id = 'stranger'")
    fired = foretaste("monitor", "drift", "--store", store.root, "--log", log_url, *options)
    assert fired.exit_code == 1
    assert "100.0% of 10 (at most 0%)" in fired.output
    assert "more new users than allowed, since 20" in fired.output


def test_watch_rolls_back_a_model_that_fails_and_exits_with_1(foretaste, store, tmp_path):
    older, live = (each.bundle_id for each in store.list())
    url, now = f"sqlite:///{tmp_path}/log.db", time.time()
    options = ("--store", store.root, "--log", url)
    waiting = foretaste("monitor", "watch", *options)
    assert waiting.exit_code == 0
    assert f"{live}  watching, until 20" in waiting.output
    assert "there is no log to tell how it does" in waiting.output
    logs = ServiceLogs(LogConfig(url=url, journal_dir=tmp_path / "journal"))
    logs.start()
    known = {"timestamp": now, "endpoint": "/recommend", "model_version": live, "latency_ms": 1.0}
    for number in range(20):
        logs.requests.append(RequestRow(request_id=f"r{number}", status=500 if number % 2 else 200, **known))
    logs.stop()
    few = json.loads(foretaste("monitor", "watch", *options, "--json").stdout)
    assert (few["state"], few["release"]["num_requests"]) == ("watching", 20)
    result = foretaste("monitor", "watch", *options, "--set", "watch.min_requests=20")
    assert result.exit_code == 1
    assert f"{live}  rolled back" in result.output
    assert "error_share is 0.5 over 20 requests, above 0.01." in result.output
    assert store.production_id() == older
    assert foretaste("monitor", "watch", *options).exit_code == 0
