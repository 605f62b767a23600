"""The shipped search on MovieLens 100K, and its winner run as a config of its own."""

from pathlib import Path

import pytest

from foretaste.config import ExperimentConfig, load_config
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.run import run
from foretaste.pipelines.tune import tune

CONFIG = Path(__file__).parents[2] / "configs/tune-movielens-100k.yaml"

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def test_twenty_trials_improve_on_the_defaults(real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = tune(load_config(CONFIG, ExperimentConfig), Path("artifacts"), Silence())
    assert told["trials"] == {"complete": 20, "pruned": 0, "failed": 0, "running": 0}
    assert told["defaults"]["valid"]["ndcg@10"]["mean"] == pytest.approx(0.298, abs=0.002)
    assert told["gain"]["valid"]["mean"] > 0.003
    assert told["best"]["test"]["ndcg@10"]["mean"] > told["defaults"]["test"]["ndcg@10"]["mean"]
    result = run(load_config(Path(told["config"]), ExperimentConfig), Path("artifacts"), [])
    als = next(judged for judged in result.judged if judged.label == "als")
    assert als.test.mean("ndcg@10") == told["best"]["test"]["ndcg@10"]["mean"]
