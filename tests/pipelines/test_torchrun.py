"""`foretaste train` in two processes under torchrun, beside one process."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from foretaste.artifacts.store import BundleStore
from foretaste.config import ExperimentConfig, load_config
from foretaste.errors import ConfigError
from foretaste.models.protocol import Query
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.run import run
from foretaste.pipelines.train import train

_LEARNED = {"epochs": 2, "batch_size": 512, "device": "cpu"}
CONFIG = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "split": {"method": "global_time", "valid": 0.1, "test": 0.1},
    "models": {
        "popularity": {},
        "bpr_mf": {"embedding_dim": 4, "training": {**_LEARNED, "early_stopping": {"patience": 1}}},
        "ncf": {"embedding_dim": 4, "pretraining_epochs": 1, "training": _LEARNED},
        "two_tower": {"training": _LEARNED},
    },
}


def train_by(processes, folder, *options):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *torchrun, "-m", "foretaste", "train", "small.yaml", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=300, capture_output=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Number of processes → label → bundle."""
    folder = tmp_path_factory.mktemp("torchrun")
    (folder / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    bundles = {}
    for processes in (1, 2):
        train_by(processes, folder, "--artifacts", f"by-{processes}")
        store = BundleStore(folder / f"by-{processes}" / "bundles")
        bundles[processes] = {each.manifest.model: store.open(each.bundle_id) for each in store.list()}
        assert len(store.list()) == len(CONFIG["models"]), "every bundle is written once"
        assert not list((folder / f"by-{processes}" / "checkpoints").iterdir())
    return bundles


@pytest.mark.slow
@pytest.mark.parametrize("label", CONFIG["models"])
def test_two_processes_write_the_bundle_of_one(label, trained):
    alone, together = trained[1][label], trained[2][label]
    assert together.manifest.data_fingerprint == alone.manifest.data_fingerprint
    assert together.manifest.config == alone.manifest.config
    user_B = np.arange(20, dtype=np.int32)
    query = Query(user_B, alone.history.weights_UI[user_B])
    scores = [bundle.model().score(query) for bundle in (alone, together)]
    if label == "two_tower":  # each process draws the dropout of its own rows
        assert np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1] > 0.9
    else:
        np.testing.assert_allclose(scores[1], scores[0], rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_two_processes_begin_at_the_same_bundle(trained):
    earlier = trained[1]["bpr_mf"]
    store = BundleStore(earlier.folder.parent)
    options = ("--model", "bpr_mf", "--warm-start", earlier.id, "--artifacts", str(store.root.parent))
    train_by(2, store.root.parents[1], *options)
    config = load_config(store.root.parents[1] / "small.yaml", ExperimentConfig)
    alone = train(config, store.root.parent, Silence(), label="bpr_mf", warm_start=earlier.id)["bpr_mf"]
    *_, together = (one for one in store.list() if one.manifest.warm_started_from and one.bundle_id != alone.id)
    assert together.manifest.warm_started_from == earlier.id
    state = store.open(together.bundle_id).state
    for name in ("user_embeddings", "item_embeddings"):
        np.testing.assert_allclose(np.abs(state[name]), np.abs(alone.state[name]), rtol=1e-2, atol=1e-3)


def test_a_run_is_not_shared(small_config, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="started in 2; train with `torchrun"):
        run(small_config(), tmp_path, [])
    assert not list(tmp_path.iterdir())


def test_a_training_inside_another_is_not_shared(small_config, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    retrievers = {"als": {}, "mf": {"type": "bpr_mf"}}
    config = small_config(models={"both": {"type": "two_stage", "retrievers": retrievers}})
    with pytest.raises(
        ConfigError, match=r"models\.both: retrievers\.mf learns by gradient, and torchrun started 2"
    ) as told:
        train(config, tmp_path, Silence())
    assert "foretaste train CONFIG --model both" in str(told.value)
    assert not list(tmp_path.iterdir())
