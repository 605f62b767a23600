import json
from pathlib import Path

import pytest
import yaml

from foretaste.errors import ArtifactError

SMALL = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}, "als": {"embedding_dim": 4, "iterations": 2}},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL, sort_keys=False))
    return path


def test_run_tells_each_stage_and_what_to_type_next(foretaste, config, tmp_path):
    result = foretaste("run", config, "--artifacts", tmp_path / "art")
    assert result.exit_code == 0, result.output
    for word in ("prepare", "split", "fit", "NDCG@10", "popularity", "bundle", "report", "next", "foretaste recommend"):
        assert word in result.stdout


def test_run_as_json_is_one_line_with_the_promised_keys(foretaste, config, tmp_path):
    result = foretaste("run", config, "--artifacts", tmp_path / "art", "--json", "--set", "models.als.iterations=1")
    told = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert {"run_id", "bundle_id", "report", "split", "models"} <= set(told)
    assert [model["model"] for model in told["models"]] == ["popularity", "als"]
    assert {"mean", "low", "high"} == set(told["models"][1]["metrics"]["ndcg@10"])
    assert "--set models.als.iterations=1\n" in (tmp_path / "art/runs" / told["run_id"] / "report.md").read_text()


def test_train_and_evaluate_by_themselves(foretaste, config, tmp_path):
    art = tmp_path / "art"
    trained = json.loads(foretaste("train", config, "--model", "als", "--artifacts", art, "--json").stdout)
    bundle_id = trained["bundles"][0]["bundle_id"]
    judged = foretaste("evaluate", config, "--bundle", bundle_id, "--store", art / "bundles", "--json")
    told = json.loads(judged.stdout)
    assert told["bundle_id"] == bundle_id
    assert 0 < told["metrics"]["ndcg@10"]["mean"] < 1
    shown = foretaste("evaluate", config, "--bundle", bundle_id, "--store", art / "bundles")
    assert bundle_id in shown.stdout


def test_train_can_be_asked_to_continue(foretaste, config, tmp_path):
    # Nothing was interrupted: it begins at the start.
    result = foretaste("train", config, "--model", "als", "--artifacts", tmp_path / "art", "--resume", "--json")
    assert [one["model"] for one in json.loads(result.stdout)["bundles"]] == ["als"]


def test_a_wrong_config_costs_nothing_and_exits_with_2(shell, config, tmp_path):
    result = shell("run", config, "--artifacts", tmp_path / "art", "--set", "models.als.embeding_dim=3")
    assert result.returncode == 2
    assert "did you mean 'models.als.embedding_dim'?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "art").exists()


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["run"], "--artifacts"),
        (["train"], "--artifacts"),
        (["data", "prepare"], "--to"),
        (["data", "features"], "--to"),
    ],
)
def test_a_file_where_results_should_go_is_refused_before_any_data_is_read(
    foretaste, config, tmp_path, command, option
):
    (tmp_path / "art").touch()
    nowhere = ["--set", "data={source: tables, path: nowhere.csv}"]
    result = foretaste(*command, config, option, tmp_path / "art", *nowhere)
    assert isinstance(result.exception, ArtifactError)
    assert "art is a file, expected a folder" in str(result.exception)


def test_data_that_is_not_there_exits_with_1(shell, config, tmp_path):
    config.write_text(yaml.safe_dump({**SMALL, "data": {"source": "movielens", "path": "no-such.zip"}}))
    result = shell("run", config, "--artifacts", tmp_path / "art")
    assert result.returncode == 1
    assert "no-such.zip" in result.stderr
    assert "Traceback" not in result.stderr


def test_data_commands(foretaste, config, tmp_path):
    described = json.loads(foretaste("data", "describe", config, "--json").stdout)
    assert described["events"] > 3000
    assert "met most" in foretaste("data", "describe", config).stdout
    prepared = json.loads(foretaste("data", "prepare", config, "--to", tmp_path / "out", "--json").stdout)
    assert prepared["files"] == ["audit.json", "interactions.parquet", "items.parquet", "users.parquet"]


def test_features_are_told_and_written(foretaste, config, tmp_path):
    told = json.loads(foretaste("data", "features", config, "--to", tmp_path, "--json").stdout)
    assert {"item_bags.npz", "items.parquet", "fitted.json"} <= {path.name for path in Path(told["folder"]).iterdir()}
    assert ("item", "popularity") in {(column["of"], column["name"]) for column in told["columns"]}
    printed = foretaste("data", "features", config, "--to", tmp_path).stdout
    assert "history year" in printed
    assert "written" in printed


def test_download_takes_a_local_copy(foretaste, tmp_path):
    missing = foretaste("data", "download", "ml-100k", "--from", tmp_path, "--to", tmp_path / "raw")
    assert missing.exit_code == 1
    assert "ml-100k" in str(missing.exception)
    unknown = foretaste("data", "download", "ml-100", "--to", tmp_path / "raw")
    assert "ml-100k" in str(unknown.exception)


def test_ctrl_c_says_how_to_continue_where_there_is_a_checkpoint(foretaste, config, tmp_path, monkeypatch):
    def stopped(loaded, artifacts, *_, label, **__):
        if label == "bpr_mf":
            folder = artifacts / "checkpoints" / f"{loaded.name}-{label}" / "length"
            folder.mkdir(parents=True)
            (folder / "checkpoint.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("foretaste.pipelines.train.train", stopped)
    told = foretaste("train", config, "--model", "als", "--artifacts", tmp_path)
    assert (told.exit_code, "--resume" in told.stdout) == (130, False)
    told = foretaste("train", config, "--model", "bpr_mf", "--artifacts", tmp_path)
    assert (told.exit_code, "the same command with --resume" in told.stdout) == (130, True)


def test_what_to_type_next_can_be_typed(foretaste, tmp_path):
    rows = [f"u [{user}],m{item}" for user in range(30) for item in range(user % 7, 40, 3)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    sections = {
        "data": {"source": "tables", "path": str(tmp_path / "events.csv")},
        "split": {"method": "random"},
        "models": {"popularity": {}},
    }
    path = tmp_path / "odd.yaml"
    path.write_text(yaml.safe_dump(sections))
    told = foretaste("run", path, "--artifacts", tmp_path / "art").stdout
    assert "foretaste recommend --user 'u [0]' --store" in told
    told = foretaste("run", path, "--artifacts", tmp_path / "other", "--no-promote").stdout.splitlines()[-1]
    assert "foretaste bundles promote 2" in told
    assert "recommend" not in told
