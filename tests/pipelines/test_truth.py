import json

import polars as pl
import pytest

from foretaste.config import ExperimentConfig, check, load_config
from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.compare import truth_of_runs
from foretaste.pipelines.run import run
from foretaste.pipelines.run_record import RunRecord

WITH_TRUTH = {
    "name": "small",
    "data": {
        "source": "synthetic",
        "num_users": 200,
        "num_items": 100,
        "num_interactions": 4000,
        "truth_items": 40,
    },
    "models": {"popularity": {}, "item_knn": {}, "als": {"embedding_dim": 4, "iterations": 2}},
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    config = check(WITH_TRUTH, ExperimentConfig, where="small")
    return run(config, tmp_path_factory.mktemp("artifacts"), ["foretaste"])


def test_a_run_tells_how_far_its_test_is_from_the_truth(result):
    told = json.loads((result.folder / "result.json").read_text())
    assert told["truth"]["pairs"] == 3
    assert {"mean", "low", "high"} == set(told["truth"]["kendall_tau"])
    assert told["models"][0]["truth"]["ndcg@10"]["candidates"] == "given"
    assert "## How far the test is from the truth" in result.report.read_text()
    # What `compare --truth` reads back is what the run said.
    again = truth_of_runs([RunRecord.read(result.folder)])
    assert json.loads(json.dumps(again.to_json())) == told["truth"]
    per_user = pl.read_parquet(result.folder / "truth.als.parquet")
    assert per_user["ndcg@10"].mean() == pytest.approx(again.unbiased["als"].mean)


def test_taste_is_what_the_random_items_measure(result):
    # A model that knows the users beats popularity by far where no shelf helped popularity.
    assert result.truth.unbiased["als"].low > result.truth.unbiased["popularity"].high


def test_without_random_ratings_there_is_no_truth(small_config, tmp_path, recorded_run):
    plain = run(small_config(), tmp_path, ["foretaste"])
    assert plain.truth is None
    assert "from the truth" not in plain.report.read_text()
    with pytest.raises(ArtifactError, match="its data has no such ratings"):
        truth_of_runs([RunRecord.read(plain.folder)])
    only = recorded_run("one", {"a": [0.1, 0.2]}, truth={"a": [0.1, 0.2]})
    with pytest.raises(ConfigError, match="judged one model"):
        truth_of_runs([only])


@pytest.mark.real_data
@pytest.mark.slow
def test_on_coat_the_biased_test_misleads(real_data, tmp_path, request):
    path = request.config.rootpath / "configs/coat.yaml"
    result = run(load_config(path, ExperimentConfig), tmp_path, ["foretaste"])
    found = result.truth
    assert found.num_unbiased_users == 226
    # Item-item is second on what people chose, and last of all on what was drawn for them.
    assert min(found.unbiased, key=lambda name: found.unbiased[name].mean) == "item_knn"
    assert any((swap.better, swap.worse) == ("popularity", "item_knn") and swap.is_shown for swap in found.swaps)
