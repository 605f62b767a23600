import pytest

from foretaste.errors import TrackingError
from foretaste.tracking.mlflow_tracker import MLflowTracker

pytestmark = pytest.mark.slow


def runs(tracker, experiment="films"):
    client = tracker._client
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return {run.info.run_name: run for run in found}


def test_a_run_has_a_nested_run_a_model_with_its_curve(tracker, make_run):
    registration = tracker.send(make_run(), "films", "small")
    kept, client = runs(tracker), tracker._client
    parent, als = kept["20260101-000000-small"], kept["als"]
    assert registration.run == parent.info.run_id
    assert (parent.info.start_time, parent.info.end_time, parent.info.status) == (1000, 2000, "FINISHED")
    assert parent.data.metrics == {"test/ndcg_at_10": 0.25}
    assert parent.data.params["models.als.embedding_dim"] == "8"
    assert parent.data.tags["foretaste.best"] == "als"
    assert als.data.tags["mlflow.parentRunId"] == parent.info.run_id
    history = client.get_metric_history(als.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(epoch, 1 / epoch) for epoch in range(1, 1201)]
    assert len(kept["popularity"].data.params) == 150
    (report,) = client.list_artifacts(parent.info.run_id)
    assert report.path == "report.md"


def test_a_bundle_is_a_version_and_aliases_name_it(tracker, make_run):
    first = tracker.send(make_run(), "films", "small")
    second = tracker.send(make_run("20260102-000000-small", "20260102-als-bbbb"), "films", "small")
    assert (first.version, second.version) == ("1", "2")
    client = tracker._client
    version = client.get_model_version("small", "1")
    assert version.source.startswith("file:///")
    assert version.source.endswith("/20260101-als-aaaa")
    assert version.run_id == first.run
    assert version.tags == {"foretaste.bundle_id": "20260101-als-aaaa", "foretaste.digest": "d1g357"}
    tracker.set_aliases("small", {"candidate": "2", "production": "1"})
    assert client.get_model_version_by_alias("small", "production").version == 1
    tracker.set_aliases("small", {"candidate": "2", "production": None})
    assert {name: str(number) for name, number in client.get_registered_model("small").aliases.items()} == {
        "candidate": "2"
    }


def test_tags_of_a_version_are_written_and_replaced(tracker, make_run):
    version = tracker.send(make_run(), "films", "small").version
    tracker.set_version_tags("small", version, {"foretaste.guard": "keep", "foretaste.guard.reasons": "no gain"})
    tracker.set_version_tags("small", version, {"foretaste.guard": "promote", "long": "x" * 9000})
    tags = tracker._client.get_model_version("small", version).tags
    assert (tags["foretaste.guard"], tags["foretaste.guard.reasons"], len(tags["long"])) == ("promote", "no gain", 5000)
    with pytest.raises(TrackingError):
        tracker.set_version_tags("small", "99", {"foretaste.guard": "keep"})


def test_a_run_is_kept_once_however_often_it_is_sent(tracker, make_run):
    first = tracker.send(make_run(), "films", "small")
    assert tracker.send(make_run(), "films", "small") == first
    assert len(runs(tracker)) == 3


def test_what_was_half_sent_is_sent_anew(tracker, make_run, monkeypatch):
    run = make_run()
    run.files.append(run.files[0].with_name("missing"))
    with pytest.raises(TrackingError, match="missing"):
        tracker.send(run, "films", "small")
    registration = tracker.send(make_run(), "films", "small")
    kept = runs(tracker)
    assert kept["20260101-000000-small"].info.run_id == registration.run
    assert len(kept) == 3


def test_what_cannot_be_reached_is_told_without_its_password(make_run, tmp_path):
    with pytest.raises(TrackingError, match=r"MLflow at http://ann:\*\*\*@127.0.0.1:9: ") as told:
        MLflowTracker("http://ann:s3cret@127.0.0.1:9", tmp_path).send(make_run(), "films", "small")
    assert "Connection refused" in str(told.value)
    assert "s3cret" not in str(told.value)
    with pytest.raises(TrackingError):
        MLflowTracker("nonsense://x", tmp_path).send(make_run(), "films", "small")
