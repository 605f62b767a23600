import json

import pytest

from foretaste.config import ExperimentConfig, check
from foretaste.errors import ConfigError
from foretaste.pipelines.run import run

SMALL = {
    "name": "small",
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000, "truth_items": 20},
    "models": {"popularity": {}, "item_knn": {}},
}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    run(check(SMALL, ExperimentConfig, where="small"), folder, ["foretaste"])
    return folder


def test_compare_tells_which_differences_are_real(foretaste, artifacts):
    shown = foretaste("compare", "latest", "--artifacts", artifacts, "--baseline", "popularity", "--pairs")
    assert shown.exit_code == 0, shown.output
    for word in ("NDCG@10", "minus popularity", "p Wilcoxon", "p Holm", "reference", "item_knn", "over popularity"):
        assert word in shown.stdout
    told = json.loads(foretaste("compare", "latest", "--artifacts", artifacts, "--metric", "recall@5", "--json").stdout)
    assert told["metric"] == "recall@5"
    assert [len(told["runs"]), len(told["models"])] == [1, 2]
    assert told["models"][1]["against_reference"]["verdict"] in ("real", "not shown")


def test_compare_tells_how_far_the_test_is_from_the_truth(foretaste, artifacts):
    shown = foretaste("compare", "latest", "--artifacts", artifacts, "--truth").stdout
    for words in ("NDCG@10 on test", "NDCG@10 on random items", "Kendall's tau"):
        assert words in shown
    told = json.loads(foretaste("compare", "latest", "--artifacts", artifacts, "--truth", "--json").stdout)
    assert set(told["kendall_tau"]) == {"mean", "low", "high"}
    assert told["pairs"] == 1


def test_wrong_use_is_refused_with_what_there_is(foretaste, artifacts):
    result = foretaste("compare", "latest", "--artifacts", artifacts, "--metric", "ndcg")
    assert isinstance(result.exception, ConfigError)
    assert "Choose one, as in --metric ndcg@10" in str(result.exception)
