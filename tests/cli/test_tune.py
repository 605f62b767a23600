import json

import pytest
import yaml

CONFIG = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}, "als": {"embedding_dim": 4, "iterations": 2}},
    "tune": {"model": "als", "trials": 2, "space": {"iterations": {"low": 1, "high": 3}}},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    return path


def test_tune_tells_each_trial_and_what_to_type_next(foretaste, config, tmp_path):
    result = foretaste("tune", config, "--artifacts", tmp_path)
    assert result.exit_code == 0, result.output
    for word in ("1/2  ndcg@10", "the config's own values", "2/2", "NDCG@10 valid", "gain", "2 complete"):
        assert word in result.stdout
    told = json.loads(foretaste("tune", config, "--artifacts", tmp_path, "--trials", 3, "--json").stdout)
    assert told["trials"]["complete"] == 3
    assert f"next      foretaste run {told['config']}" in result.stdout
    assert foretaste("run", told["config"], "--artifacts", tmp_path).exit_code == 0


def test_a_wrong_space_is_refused_before_any_data_is_read(shell, config, tmp_path):
    result = shell(
        "tune", config, "--artifacts", tmp_path / "art", "--set", "tune.space={iteration: {low: 1, high: 2}}"
    )
    assert result.returncode == 2
    assert "did you mean 'iterations'?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "art").exists()
