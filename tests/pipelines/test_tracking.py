import json
from contextlib import contextmanager

import pytest

from foretaste.errors import ConfigError, TrackingError
from foretaste.models.protocol import no_progress
from foretaste.pipelines import tracking
from foretaste.pipelines.run import run
from foretaste.pipelines.tracked_run import figures, flat, tracked_run
from foretaste.pipelines.tracking import Destination, destination, send, unsent, where_to

TO = Destination("http://ann:s3cret@host", "films", "small-model")


class Listener:
    """Remembers what was said."""

    def __init__(self):
        self.said = []

    def say(self, stage, text):
        self.said.append(text)

    @contextmanager
    def progress(self, description):
        yield no_progress


@pytest.fixture
def result(small_config, tmp_path, tracker):
    return run(small_config(), tmp_path, [], track_to=TO)


def test_nothing_is_tracked_unless_asked_for(small_config, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def where(uri=None, wanted=None, **sections):
        found = destination(small_config(**sections), tmp_path, uri=uri, wanted=wanted)
        return found and (found.uri, found.experiment, found.model)

    local = f"sqlite:///{tmp_path}/mlflow.db"
    assert where() is None
    assert where(wanted=True) == (local, "small", "small")
    assert where(uri="http://a") == ("http://a", "small", "small")
    assert where(tracking=None) == (local, "small", "small")  # the section alone
    assert where(tracking={"uri": "http://b", "experiment": "films"}) == ("http://b", "films", "small")
    assert where(tracking={"uri": "http://b"}, uri="http://a")[0] == "http://a"
    assert where(tracking={"enabled": False, "uri": "http://b"}) is None
    assert where(tracking={"enabled": False, "uri": "http://b"}, wanted=True)[0] == "http://b"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://c")
    assert where() == ("http://c", "small", "small")
    assert where(wanted=False) is None
    assert where(tracking={"enabled": False}) is None
    assert where(tracking={"uri": "http://b"})[0] == "http://b"


def test_without_mlflow_only_who_asks_is_refused(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://c")
    assert destination(small_config(), tmp_path, uri=None, wanted=None) is None
    for asks in ({"uri": "http://a", "wanted": None}, {"uri": None, "wanted": True}):
        with pytest.raises(ConfigError, match=r"pip install 'foretaste\[tracking\]'"):
            destination(small_config(), tmp_path, **asks)


def test_a_run_is_sent_with_all_that_its_folder_holds(result, tracker, small_config):
    sent, experiment = tracker.runs[result.run_id]
    assert experiment == "films"
    assert sent.params["models.als.embedding_dim"] == "4"
    assert sent.params["split.method"] == "global_time"
    assert not any(key.startswith(("tracking", "tune")) for key in sent.params)
    by_label = {model.label: model for model in sent.models}
    assert list(by_label) == ["popularity", "item_knn", "als"]
    als = next(judged for judged in result.judged if judged.label == "als")
    assert by_label["als"].metrics["test/ndcg_at_10"] == als.test.mean("ndcg@10")
    assert by_label["als"].metrics["valid/ndcg_at_10"] == als.valid.mean("ndcg@10")
    assert by_label["als"].metrics["test/ndcg_at_10_low"] == als.test.estimates["ndcg@10"].low
    assert by_label["als"].params == {**by_label["als"].params, "type": "als", "iterations": "2"}
    assert sent.metrics == by_label[result.best].metrics
    assert sent.bundle.bundle_id == sent.tags["foretaste.bundle_id"] == result.bundle_id
    assert sent.tags["foretaste.data_fingerprint"] == result.divided.history.fingerprint
    assert "foretaste.version.numpy" in sent.tags
    assert {path.name for path in sent.files} >= {"report.md", "report.html", "config.yaml", "result.json"}
    assert sent.started_at_ms <= sent.finished_at_ms
    kept = json.loads((result.folder / "tracking.json").read_text())
    assert kept == {
        "uri": "http://ann:***@host",
        "experiment": "films",
        "model": "small-model",
        "run": "its-id",
        "version": "1",
        "bundle_id": result.bundle_id,
    }


def test_learning_curves_are_sent_for_both_fits(small_config, tmp_path, tracker):
    training = {"epochs": 2, "batch_size": 1024}
    config = small_config(models={"bpr_mf": {"embedding_dim": 2, "training": training}})
    result = run(config, tmp_path, [], track_to=TO)
    (model,) = tracker.runs[result.run_id][0].models
    curve = {}
    for point in model.curve:
        curve.setdefault(point.name, []).append((point.epoch, point.value))
    assert [epoch for epoch, _ in curve["train/loss"]] == [epoch for epoch, _ in curve["refit/loss"]] == [1, 2]
    assert len(curve["train/ndcg_at_10"]) == 2
    assert "refit/ndcg_at_10" not in curve  # nothing is held out then
    assert all(value > 0 for _, value in curve["train/samples_per_second"])


def test_a_tracker_that_fails_loses_nothing(small_config, tmp_path, tracker):
    tracker.problem, listener = "no answer", Listener()
    result = run(small_config(), tmp_path, [], listener, track_to=TO)
    assert result.report.exists()
    told = "\n".join(listener.said)
    assert "the run is whole, but was not tracked: no answer" in told
    assert f"foretaste track {result.run_id}" in told
    assert json.loads((result.folder / "tracking.json").read_text())["problem"] == "no answer"
    assert unsent(tmp_path / "runs") == [result.folder]
    tracker.problem = None
    send(result.folder, where_to(result.folder, tmp_path), tmp_path)
    assert unsent(tmp_path / "runs") == []
    assert tracker.runs[result.run_id][1] == "films"


def test_a_run_that_fails_to_be_sent_again_says_so(result, tracker, tmp_path):
    tracker.problem = "gone"
    with pytest.raises(TrackingError, match="gone"):
        send(result.folder, TO, tmp_path)


def test_where_a_run_goes_later(result, small_config, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert where_to(result.folder, tmp_path).uri == "http://ann:***@host"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", TO.uri)
    assert where_to(result.folder, tmp_path) == TO  # the password is that of the environment
    assert where_to(result.folder, tmp_path, "http://b").uri == "http://b"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (result.folder / "tracking.json").unlink()
    assert where_to(result.folder, tmp_path) == Destination(f"sqlite:///{tmp_path}/mlflow.db", "small", "small")


def test_the_config_of_a_run_does_not_say_where_it_is_tracked(small_config, tmp_path, tracker):
    result = run(small_config(tracking={"uri": "http://ann:s3cret@host"}), tmp_path, [], track_to=TO)
    assert not [path for path in result.folder.iterdir() if b"s3cret" in path.read_bytes()]
    assert tracked_run(result.folder).params == tracker.runs[result.run_id][0].params


def test_nested_keys_are_flat_and_values_are_text():
    section = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": "text", "g": {}, "h": True}
    assert dict(flat(section)) == {
        "a.b": "1",
        "a.c.d": "null",
        "e": "[1, 2]",
        "f": "text",
        "g": "{}",
        "h": "true",
    }


def test_figures_without_bounds_have_none():
    metrics = {"coverage@10": {"mean": 0.5, "low": None, "high": None}}
    assert figures({"fit_seconds": 2, "metrics": metrics, "valid": None}) == {
        "fit_seconds": 2.0,
        "test/coverage_at_10": 0.5,
    }


def test_figures_of_sampled_candidates_say_so():
    sampled = {"coverage@10": {"mean": 0.5, "low": None, "high": None, "candidates": "sampled"}}
    full = {"coverage@10": {"mean": 0.25, "low": None, "high": None}}
    assert figures({"fit_seconds": 2, "metrics": sampled, "valid": full}) == {
        "fit_seconds": 2.0,
        "test_sampled/coverage_at_10": 0.5,
        "valid/coverage_at_10": 0.25,
    }
