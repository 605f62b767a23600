import json
import re
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest
import yaml

from foretaste.artifacts.store import BundleStore
from foretaste.config import ExperimentConfig, load_config
from foretaste.errors import DataError
from foretaste.evaluation.protocol import evaluate
from foretaste.evaluation.windows import by_user
from foretaste.models.protocol import Query, no_progress
from foretaste.pipelines.compare import compare_runs
from foretaste.pipelines.experiment import divide
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.run import run
from foretaste.pipelines.run_record import RunRecord
from foretaste.serving.engine import Engine, RecommendRequest

COMMAND = ["foretaste", "run", "configs/small.yaml", "--set", "seed=1"]


class Listener:
    """Remembers what was said; stops at a stage if told to."""

    def __init__(self, stop_at=None):
        self.said, self.stop_at = [], stop_at

    def say(self, stage, text):
        self.said.append((stage, text))
        if stage == self.stop_at:
            raise KeyboardInterrupt

    @contextmanager
    def progress(self, description):
        self.said.append(("progress", description))
        yield no_progress


@pytest.fixture
def result(small_config, tmp_path):
    return run(small_config(), tmp_path, COMMAND)


def test_the_bundle_is_the_best_on_valid_and_carries_its_test_figures(result, tmp_path):
    by_label = {judged.label: judged for judged in result.judged}
    assert result.best == max(by_label, key=lambda label: by_label[label].valid.mean("ndcg@10"))
    bundle = BundleStore(tmp_path / "bundles").open()
    assert bundle.id == result.bundle_id
    best = by_label[result.best]
    assert bundle.manifest.metrics["ndcg@10"]["mean"] == best.test.mean("ndcg@10")
    assert bundle.manifest.experiment["models"][result.best]["type"] == bundle.manifest.model


def test_what_is_served_is_what_was_evaluated(small_config, tmp_path):
    """The same list with the same scores, to the bit, for every judged user and every model."""
    config, told_apart = small_config(), 0
    for label in config.models:
        only = config.model_copy(update={"models": {label: config.models[label]}})
        result = run(only, tmp_path / label, COMMAND)
        engine = Engine(BundleStore(tmp_path / label / "bundles").open())
        test, events = result.judged[0].test, result.divided.history
        for row, user in enumerate(test.user_B):
            answer = engine.recommend(RecommendRequest(events.users.id(user), 20))
            filled = test.top.item_BK[row] >= 0
            scores = test.top.score_BK[row][filled]
            assert [item.score for item in answer.items] == scores.tolist()
            assert answer.is_fallback == test.is_cold_B[row]
            # Among equal scores an evaluation puts the hoped-for items last, which serving cannot know.
            value, count = np.unique(scores[scores > scores[-1]], return_counts=True)
            alone = np.isin(scores, value[count == 1])
            evaluated = np.array(events.items.ids_at(test.top.item_BK[row][filled]))
            served = np.array([item.item_id for item in answer.items])
            assert served[alone].tolist() == evaluated[alone].tolist()
            told_apart += alone.sum()
    assert told_apart > 1000


def test_the_refit_knows_train_and_valid(small_config, tmp_path):
    refitted = run(small_config(), tmp_path / "a", COMMAND)
    once = run(small_config(refit=False), tmp_path / "b", COMMAND)
    parts = refitted.divided.split
    popularity = {"refitted": refitted, "once": once}
    counts = {name: result.judged[0].model.state()["popularity"] for name, result in popularity.items()}
    assert np.array_equal(counts["once"], parts.train.item_counts())
    assert np.array_equal(counts["refitted"], parts.train.item_counts() + parts.valid.item_counts())


def test_the_folder_of_the_run_tells_all(result):
    told = json.loads((result.folder / "result.json").read_text())
    assert told == json.loads(json.dumps(result.to_json()))
    assert set(told) == {
        "run_id",
        "bundle_id",
        "report",
        "report_html",
        "data",
        "best",
        "select_by",
        "protocol",
        "test_fingerprint",
        "window_fingerprints",
        "split",
        "models",
        "warnings",
        "truth",
    }
    assert set(told["models"][0]["metrics"]["ndcg@10"]) == {"mean", "low", "high"}
    config = load_config(result.folder / "config.yaml", ExperimentConfig)
    assert config.resolved() == yaml.safe_load((result.folder / "config.yaml").read_text())
    per_user = pl.read_parquet(result.folder / "per_user.als.parquet")
    als = next(judged for judged in result.judged if judged.label == "als")
    assert per_user["ndcg@10"].mean() == pytest.approx(als.test.mean("ndcg@10"))
    assert per_user["user_id"].to_list() == result.divided.history.users.ids_at(als.test.user_B)


def test_each_epoch_of_a_training_by_gradient_is_told(small_config, tmp_path):
    training = {"epochs": 3, "batch_size": 512, "early_stopping": {"patience": 3, "every_epochs": 2}}
    result = run(
        small_config(models={"als": {}, "bpr_mf": {"embedding_dim": 4, "training": training}}), tmp_path, COMMAND
    )
    assert not (result.folder / "learning_curve.als.parquet").exists()
    curve = pl.read_parquet(result.folder / "learning_curve.bpr_mf.parquet")
    trained, again = curve.filter(pl.col("fit") == "train"), curve.filter(pl.col("fit") == "refit")
    assert trained["epoch"].to_list() == [1, 2, 3]
    assert trained["loss"].is_sorted(descending=True)
    assert trained["ndcg@10"].is_null().to_list() == [True, False, False]
    assert (curve["samples_per_second"] > 0).all()
    assert (curve["seconds"] > 0).all()
    best = trained["ndcg@10"].arg_max() + 1
    assert again["epoch"].to_list() == list(range(1, best + 1))
    assert again["ndcg@10"].is_null().all()


def test_the_models_are_diagnosed_where_the_config_asks(small_config, tmp_path):
    section = {"neighbor_k": 3, "item_sample_size": 20, "user_sample_size": 30, "top_features": 2, "example_users": 1}
    result = run(small_config(diagnostics=section), tmp_path / "a", COMMAND)
    told = {one["label"]: one for one in json.loads((result.folder / "diagnostics.json").read_text())}
    assert list(told) == ["popularity", "item_knn", "als"]
    assert told["als"]["cohesion"][0]["num_items"] == 20
    assert told["als"]["user_norms"]["num_vectors"] == 30
    assert told["popularity"]["item_norms"] is None
    report = result.report.read_text()
    assert "## Diagnostics" in report
    assert len(re.findall(r"events before, the \d last", report)) == 1
    assert "the 2 strongest" in result.report_html.read_text()
    without = run(small_config(diagnostics={"enabled": False}), tmp_path / "b", COMMAND)
    assert not (without.folder / "diagnostics.json").exists()
    assert "## Diagnostics" not in without.report.read_text()


def test_a_config_gives_the_same_result_twice(small_config, tmp_path, result):
    again = run(small_config(), tmp_path / "again", COMMAND)
    assert [one["metrics"] for one in again.to_json()["models"]] == [
        one["metrics"] for one in result.to_json()["models"]
    ]


def test_without_a_validation_part_the_choice_falls_on_test_and_the_report_says_so(small_config, tmp_path):
    result = run(small_config(split={"method": "global_time", "valid": 0}), tmp_path, COMMAND)
    assert all(judged.valid is None for judged in result.judged)
    assert "The choice was made on test" in result.report.read_text()


@pytest.mark.parametrize("stage", ["prepare", "split", "fit"])
def test_a_run_that_is_interrupted_leaves_nothing(small_config, tmp_path, stage):
    with pytest.raises(KeyboardInterrupt):
        run(small_config(), tmp_path, COMMAND, Listener(stop_at=stage))
    assert not list(tmp_path.iterdir())


def test_a_run_interrupted_after_publishing_leaves_a_whole_bundle(small_config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(small_config(), tmp_path, COMMAND, Listener(stop_at="bundle"))
    bundle = BundleStore(tmp_path / "bundles").open(verify=True)
    assert bundle.model().score(Query(np.zeros(1, np.int32), bundle.history.weights_UI[[0]])).shape == (
        1,
        bundle.manifest.num_items,
    )


def test_a_run_need_not_promote(small_config, tmp_path):
    run(small_config(), tmp_path, COMMAND, promote=False)
    assert BundleStore(tmp_path / "bundles").production_id() is None


def test_evaluation_is_that_of_the_history_before_test(result):
    als = next(judged for judged in result.judged if judged.label == "als")
    again = evaluate(als.model, result.divided.history, result.divided.split.test)
    assert again.mean("ndcg@10") == als.test.mean("ndcg@10")


def test_a_rolling_split_judges_every_window_and_publishes_the_newest(small_config, tmp_path):
    rolling = {"method": "global_time", "valid": 0.1, "test": 0.1}
    result = run(small_config(split=rolling | {"windows": 3}), tmp_path / "a", COMMAND)
    alone = run(small_config(split=rolling), tmp_path / "b", COMMAND)
    assert len(result.divided.earlier) == 2
    told = {model["model"]: model for model in result.to_json()["models"]}
    for model in alone.to_json()["models"]:
        mine = told[model["model"]]
        assert mine["metrics"] == model["metrics"] == mine["rolling"]["windows"][-1]["metrics"]
        means = [window["metrics"]["ndcg@10"]["mean"] for window in mine["rolling"]["windows"]]
        assert len(set(means)) == 3
        assert mine["rolling"]["average"]["ndcg@10"]["mean"] == pytest.approx(np.mean(means))
        assert model["rolling"] is None
    averages = {one.label: np.mean([window.valid.mean("ndcg@10") for window in one.windows]) for one in result.judged}
    assert result.best == max(averages, key=averages.get)
    assert "window 3" in result.report.read_text()

    # What was recorded compares as what was judged, each user once.
    compared = compare_runs([RunRecord.read(result.folder)])
    pooled = {one.label: by_user([window.test for window in one.windows], "ndcg@10") for one in result.judged}
    for row in compared.models:
        assert row.estimate.mean == pytest.approx(pooled[row.candidate.name].mean())
        assert compared.num_users == len(pooled[row.candidate.name])
    # Of one window, the interval is that of the report.
    newest = compare_runs([RunRecord.read(result.folder)], window="newest")
    estimates = {one.label: one.test.estimates["ndcg@10"] for one in result.judged}
    for row in newest.models:
        assert vars(row.estimate) == pytest.approx(vars(estimates[row.candidate.name]), abs=1e-12)
    oldest = compare_runs([RunRecord.read(result.folder)], window=1)
    assert oldest.num_users == len(result.judged[0].earlier[0].test.user_B)
    assert f"{result.best} minus it" in result.report.read_text()
    assert "## Windows" not in alone.report.read_text()


def test_sampled_figures_say_so_wherever_they_stand(small_config, tmp_path):
    config = small_config(evaluation={"candidates": "sampled", "candidate_samples": 20})
    result = run(config, tmp_path, COMMAND)
    (popularity, *_) = result.to_json()["models"]
    assert all(figure["candidates"] == "sampled" for figure in popularity["metrics"].values())
    assert all("candidates" not in figure for figure in popularity["valid"].values())
    bundle = BundleStore(tmp_path / "bundles").open()
    assert bundle.manifest.metrics["ndcg@10"]["candidates"] == "sampled"
    assert "NDCG@10 (sampled)" in result.report.read_text()


def test_candidates_come_from_a_file(small_config, tmp_path):
    config = small_config()
    test = divide(config, Silence()).split.test
    rivals = set(range(5))
    rows = [f"{test.users.id(user)},{test.items.id(item)}" for user in np.unique(test.user_N) for item in rivals]
    path = tmp_path / "candidates.csv"
    path.write_text("user_id,item_id\n" + "\n".join(rows) + "\n")
    evaluation = {"candidates": "given", "candidate_file": str(path)}
    given = run(small_config(evaluation=evaluation), tmp_path, COMMAND).judged[0].test
    assert given.candidates == "given"
    for user, ranked in zip(given.user_B.tolist(), given.top.item_BK, strict=True):
        relevant = set(test.item_N[test.user_N == user].tolist())
        assert set(ranked[ranked >= 0].tolist()) <= relevant | rivals


def test_what_cannot_be_judged_is_refused_before_any_model_is_fitted(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr("foretaste.pipelines.run.judge", lambda *_: pytest.fail("a model was fitted"))
    with pytest.raises(DataError, match="needs a source with negatives"):
        run(small_config(evaluation={"candidates": "given"}), tmp_path, COMMAND)
