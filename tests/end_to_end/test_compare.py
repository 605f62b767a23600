"""`foretaste compare` over every model on MovieLens 100K, and over runs that do not compare."""

import json

import pytest
from typer.testing import CliRunner

from foretaste.cli import create_app

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

SHORT = {"bpr_mf": 8, "ncf": 2, "two_tower": 1}
"""Epochs, fewer than shipped: enough for a model that knows its users."""


@pytest.fixture
def foretaste(real_data, tmp_path, monkeypatch, request):
    (tmp_path / "configs").symlink_to(request.config.rootpath / "configs")
    monkeypatch.chdir(tmp_path)
    runner, app = CliRunner(), create_app()

    def _call(*arguments):
        result = runner.invoke(app, list(map(str, arguments)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.stdout

    return _call


def test_seven_models_on_movielens_are_told_apart_where_they_can_be(foretaste):
    epochs = [f"models.{label}.training.epochs={number}" for label, number in SHORT.items()]
    options = [part for one in epochs for part in ("--set", one)]
    foretaste("run", "configs/compare-movielens-100k.yaml", *options, "--json")
    told = json.loads(foretaste("compare", "latest", "--baseline", "popularity", "--pairs", "--json"))
    by_model = {model["model"]: model for model in told["models"]}
    assert set(by_model) == {"popularity", "item_knn", "ease", "als", "bpr_mf", "ncf", "two_tower"}
    assert told["users"] == 166
    assert len(told["pairs"]) == 21
    # ALS does not depend on the epochs: its difference is the one in the guide.
    against = by_model["als"]["against_reference"]
    assert against["difference"]["mean"] == pytest.approx(0.0398, abs=0.002)
    assert against["corrected_p"] >= against["permutation_p"]
    assert against["verdict"] == "real"
    assert all(pair["corrected_p"] >= pair["permutation_p"] for pair in told["pairs"])
    shown = foretaste("compare", "latest", "--baseline", "popularity")
    assert "minus popularity" in shown
    assert "Really better than popularity: " in shown


def test_runs_on_one_test_compare_and_runs_on_different_ones_do_not(foretaste):
    small = ("--set", "models={popularity: {}, item_knn: {neighbors: 50}}")
    first = json.loads(foretaste("run", "configs/movielens-100k.yaml", *small, "--json"))
    second = json.loads(foretaste("run", "configs/movielens-100k.yaml", "--set", "models={ease: {}}", "--json"))
    other = json.loads(foretaste("run", "configs/movielens-100k.yaml", *small, "--set", "split.test=0.2", "--json"))
    told = json.loads(foretaste("compare", first["run_id"], second["run_id"], "--json"))
    assert {model["model"] for model in told["models"]} == {"popularity", "item_knn", "ease"}
    assert len(told["runs"]) == 2
    result = CliRunner().invoke(create_app(), ["compare", first["run_id"], other["run_id"]])
    assert "different held-out events" in str(result.exception)
