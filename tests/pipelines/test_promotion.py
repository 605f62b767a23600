import pytest

from foretaste.artifacts.store import BundleStore
from foretaste.pipelines.promotion import promote, rollback, tell_verdict
from foretaste.pipelines.run import run
from foretaste.pipelines.tracking import Destination

from .test_tracking import Listener

TO = Destination("http://host", "films", "films")


@pytest.fixture
def two(small_config, tmp_path, tracker):
    """Two tracked runs, the first of them live."""
    first = run(small_config(name="one"), tmp_path, [], track_to=TO)
    second = run(small_config(name="two", seed=1), tmp_path, [], track_to=TO, promote=False)
    return first, second


def test_aliases_move_with_the_bundles(two, tracker, tmp_path):
    first, second = two
    store = BundleStore(tmp_path / "bundles")
    assert tracker.aliases["films"] == {"candidate": "2", "production": "1"}
    promote(store, second.bundle_id, "better", Listener())
    assert store.production_id() == second.bundle_id
    assert tracker.aliases["films"] == {"candidate": "2", "production": "2"}
    assert rollback(store, "worse", Listener()) == first.bundle_id
    assert tracker.aliases["films"] == {"candidate": "2", "production": "1"}


def test_a_live_bundle_that_is_not_registered_leaves_no_version_in_production(two, tracker, tmp_path, small_config):
    run(small_config(name="three"), tmp_path, [])
    assert tracker.aliases["films"] == {"candidate": "2", "production": None}


def test_a_registry_that_is_down_does_not_stop_a_promotion(two, tracker, tmp_path):
    store, listener = BundleStore(tmp_path / "bundles"), Listener()
    tracker.problem = "no answer"
    promote(store, two[1].bundle_id, "", listener)
    assert store.production_id() == two[1].bundle_id
    assert "the registry does not know what is live: no answer" in listener.said
    assert "tell it later with `foretaste track`" in listener.said


def test_without_registered_bundles_no_tracker_is_asked(small_config, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("a tracker was opened")

    monkeypatch.setattr("foretaste.pipelines.promotion.open_tracker", refuse)
    result = run(small_config(), tmp_path, [], promote=False)
    promote(BundleStore(tmp_path / "bundles"), result.bundle_id, "", Listener())


def decided(store, bundle_id, decision="refuse"):
    return store.record("guard", decision, bundle_id, against="before", reasons=["worse.", "Slower."], evidence={})


def test_a_verdict_is_tagged_on_the_version_of_its_bundle(two, tracker, tmp_path):
    store = BundleStore(tmp_path / "bundles")
    record = decided(store, two[1].bundle_id)
    tell_verdict(store, record, Listener())
    assert tracker.tags == {
        ("films", "2"): {
            "foretaste.guard": "refuse",
            "foretaste.guard.reasons": "worse. Slower.",
            "foretaste.guard.against": "before",
            "foretaste.guard.at": record.timestamp,
        }
    }


def test_a_verdict_that_no_registry_takes_is_told(two, tracker, tmp_path, small_config):
    store, listener = BundleStore(tmp_path / "bundles"), Listener()
    tracker.problem = "no answer"
    tell_verdict(store, decided(store, two[1].bundle_id), listener)
    assert listener.said == [
        "the registry does not know what was decided: no answer",
        "tell it later with `foretaste track`",
    ]
    unregistered = run(small_config(name="three"), tmp_path, [])
    tell_verdict(store, decided(store, unregistered.bundle_id), listener)
    tell_verdict(store, decided(store, "gone"), listener)
    assert len(listener.said) == 2
