"""Every page but the first, on a small log."""

import json

import pytest

from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.ui.dashboard import PAGES


def said(test):
    kinds = (test.title, test.subheader, test.error, test.info, test.success, test.caption, test.warning)
    return "\n".join(one.value for kind in kinds for one in kind)


@pytest.fixture
def page(dashboard, monkeypatch):
    """Draws one page of the dashboard, as its address would."""
    import streamlit as st

    def drawn(name, log, **monitoring):
        pages = {path: PAGES[path] for path in sorted(PAGES, key=lambda path: path != name)}
        monkeypatch.setattr("foretaste.ui.dashboard_pages.health.page", pages[name][2])
        st.cache_data.clear()
        return dashboard(log, **monitoring)

    return drawn


def test_outcomes_are_those_of_the_log(page, small_log):
    test = page("outcome", small_log)
    assert not test.exception
    figures = {one.label: one.value for one in test.metric}
    assert figures == {"Items shown": "80", "Clicked": "5.00%", "Bought": "5.00%", "Rating": "2.20"}
    assert test.dataframe[0].value["Model version"].to_list() == ["b1"]


@pytest.mark.parametrize("name", ["outcome", "experiment"])
def test_a_window_without_rows_is_told(page, log_url, name):
    LogDatabase(log_url).prepare()
    test = page(name, log_url)
    assert not test.exception
    assert "Nothing was shown in this window. Choose a longer window" in said(test)


@pytest.mark.parametrize("name", ["outcome", "experiment"])
def test_a_place_without_a_log_is_told(page, tmp_path, name):
    test = page(name, f"sqlite:///{tmp_path}/none.db")
    assert not test.exception
    assert "no log here" in said(test)


def test_an_experiment_that_has_just_begun_says_so(page, small_log):
    test = page("experiment", small_log)
    assert not test.exception
    assert "Too early: each variant needs 30 users." in said(test)
    assert test.main.selectbox[0].options == ["a", "b"]


def test_replay_and_trainings_without_a_model_say_what_to_do(page, small_log):
    assert "train one with `foretaste run CONFIG`" in said(page("replay", small_log))
    told = said(page("trainings", small_log))
    assert "Nothing went live yet" in told
    assert "No model yet" in told


def test_drift_without_a_model_says_what_to_do(page, small_log):
    test = page("drift", small_log)
    test.button(key="compare").click().run()
    assert not test.exception
    assert "no bundle yet; run `foretaste demo`" in said(test)


def test_the_data_of_the_last_run_is_told(page, small_log, tmp_path):
    audit = {"rows_read": 1000, "rows_kept": 990, "users": 12, "items": 15, "remarks": []}
    audit["dropped"] = [{"reason": "repeated", "count": 10}]
    result = {"run_id": "20260101-small", "test_fingerprint": "", "protocol": {}, "select_by": "ndcg@10"}
    folder = tmp_path / "runs/20260101-small"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(
        json.dumps({**result, "data": audit, "warnings": [{"kind": "leak", "text": "it leaks"}]})
    )
    test = page("trainings", small_log)
    assert {one.label: one.value for one in test.metric}["Kept"] == "990"
    assert [box.value for box in test.warning] == ["it leaks"]
    assert BundleStore(tmp_path / "bundles").history() == []


@pytest.mark.parametrize(
    ("by", "decision", "kind", "told"),
    [
        ("guard", "promote", "success", "Promoted: b2. It is better."),
        ("guard", "refuse", "error", "Refused: b2. It is better."),
        ("watch", "rollback", "error", "Rolled back: b2. It is better."),
        ("guard", "keep", "info", "Left what was live: b2. It is better."),
    ],
)
def test_what_the_guard_and_the_watch_decided_is_told(page, small_log, tmp_path, by, decision, kind, told):
    store = BundleStore(tmp_path / "bundles")
    store.record("watch", "stay", "b0", against=None, reasons=["All is well."], evidence={})
    store.record(by, decision, "b2", against="b1", reasons=["It is better."], evidence={"figure": 1})
    test = page("trainings", small_log)
    assert not test.exception
    assert told in [box.value for box in getattr(test, kind)]
    table = next(one.value for one in test.dataframe if "Decision" in one.value)
    assert table["Model"].to_list() == ["b2", "b0"]
    assert table["Beside"].to_list() == ["b1", "–"]
    assert table["By"].to_list() == [by, "watch"]
