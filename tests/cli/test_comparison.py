import json

import pytest
import yaml

SMALL = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}, "item_knn": {}},
}


@pytest.fixture
def artifacts(foretaste, tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(SMALL))
    assert foretaste("run", config, "--artifacts", tmp_path / "art").exit_code == 0
    return tmp_path / "art"


def test_compare_tells_which_differences_are_real(foretaste, artifacts):
    shown = foretaste("compare", "latest", "--artifacts", artifacts, "--baseline", "popularity", "--pairs")
    assert shown.exit_code == 0, shown.output
    for word in ("NDCG@10", "minus popularity", "p Wilcoxon", "p Holm", "reference", "item_knn", "over popularity"):
        assert word in shown.stdout
    told = json.loads(foretaste("compare", "latest", "--artifacts", artifacts, "--metric", "recall@5", "--json").stdout)
    assert told["metric"] == "recall@5"
    assert [len(told["runs"]), len(told["models"])] == [1, 2]
    assert told["models"][1]["against_reference"]["verdict"] in ("real", "not shown")


def test_a_wrong_use_exits_with_2_and_no_traceback(shell, artifacts):
    result = shell("compare", "latest", "--artifacts", artifacts, "--metric", "ndcg")
    assert result.returncode == 2
    assert "Choose one, as in --metric ndcg@10" in result.stderr
    assert "Traceback" not in result.stderr
