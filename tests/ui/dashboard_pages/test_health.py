import sqlite3

import pytest

from foretaste.data.log_database import LogDatabase


def said(test):
    return "\n".join(one.value for kind in (test.error, test.info, test.success, test.caption) for one in kind)


def test_an_operator_sees_at_once_what_is_wrong(dashboard, small_log):
    test = dashboard(small_log, thresholds={"error_share": 0.02, "fallback_share": 0.2})
    assert not test.exception
    assert test.title[0].value == "Health and traffic"
    alerts = [one.value for one in test.error]
    assert "**Requests that failed: 2.44%**, expected at most 2.00%. Since 20" in alerts[0]
    assert "**Answers of popular items for want of better: 25.0%**" in alerts[1]
    assert not test.success


def test_the_figures_are_those_of_the_log(dashboard, small_log):
    test = dashboard(small_log, thresholds={"error_share": 0.05})
    figures = {one.label: one.value for one in test.metric}
    assert test.success[0].value == "All limits are kept."
    assert (figures["Requests"], figures["Failed"], figures["Refused"]) == ("41", "2.44%", "0.00%")
    assert (figures["Fallback"], figures["New users"]) == ("25.0%", "25.0%")
    assert (figures["Different items"], figures["Gini"]) == ("2", "0.00")
    assert figures["Of the catalogue"] == "–"  # no bundle is live here
    by_variant = test.dataframe[2].value
    assert by_variant["Variant"].to_list() == ["a", "b", "(none)"]
    assert by_variant["Requests"].to_list() == ["20", "20", "1"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///{folder}/none.db", "no log here; start the service with `foretaste serve`"),
        ("postgresql+psycopg://who:secret@127.0.0.1:1/none", "The log's database does not answer"),
    ],
)
def test_a_log_that_cannot_be_read_is_told_in_words(dashboard, tmp_path, url, expected):
    test = dashboard(url.format(folder=tmp_path))
    assert not test.exception
    assert expected in said(test)
    assert "secret" not in said(test)


def test_a_damaged_database_is_told_in_words(dashboard, tmp_path):
    (tmp_path / "log.db").write_bytes(b"no database at all" * 100)
    test = dashboard(f"sqlite:///{tmp_path}/log.db")
    assert not test.exception
    assert "The log's database does not answer" in said(test)


def test_a_window_without_requests_is_told(dashboard, log_url):
    LogDatabase(log_url).prepare()
    test = dashboard(log_url)
    assert not test.exception
    assert "The service had no request in this window. Choose a longer window" in said(test)


def test_a_quiet_service_is_an_alert_before_all(dashboard, log_url):
    LogDatabase(log_url).prepare()
    test = dashboard(log_url, thresholds={"min_requests_per_hour": 10})
    assert "**Requests an hour: 0**, expected at least 10" in test.error[0].value


def test_another_window_can_be_chosen(dashboard, small_log):
    with sqlite3.connect(small_log.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE traffic SET hour = hour - 48")
    test = dashboard(small_log)
    assert "no request in this window" in said(test)
    test.sidebar.selectbox[0].set_value("7d").run()
    assert {one.label: one.value for one in test.metric}["Requests"] == "41"
