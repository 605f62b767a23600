"""`foretaste train --warm-start`: what begins at a bundle, and what is told and recorded of it."""

import json
import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest

from foretaste.artifacts.store import BundleStore
from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.train import train

BPR_MF = {"embedding_dim": 4, "training": {"epochs": 8, "batch_size": 512, "learning_rate": 0.05, "device": "cpu"}}
STOPPING = {"training": {**BPR_MF["training"], "early_stopping": {"patience": 2}}}
EARLIER = {"method": "global_time", "valid": 0, "test": 0.4}
NOW = {"method": "global_time", "valid": 0.1, "test": 0.1}


class Listening(Silence):
    def __init__(self):
        self.lines, self.steps = [], []

    def say(self, stage, text):
        self.lines.append(f"{stage}: {text}")

    @contextmanager
    def progress(self, description):
        done = []
        self.steps.append(done)
        yield lambda step, total, figures: done.append((step, total))


@pytest.fixture
def live(small_config, tmp_path):
    """Models of some of the events; ALS is in production."""
    models = {"bpr_mf": BPR_MF, "als": {"embedding_dim": 4, "iterations": 8}}
    return train(small_config(models=models, split=EARLIER), tmp_path, Silence(), promote=True)


def test_a_training_begins_at_the_live_bundle_and_says_so(small_config, live, tmp_path):
    listening = Listening()
    bundles = train(small_config(models={"als": {"embedding_dim": 4}}), tmp_path, listening, warm_start="production")
    bundle = bundles["als"]
    assert (bundle.manifest.warm_started_from, bundle.manifest.warm_starts) == (live["als"].id, 1)
    assert any(f"als begins at {live['als'].id}, which knows" in line for line in listening.lines)
    assert listening.steps[0][-1] == (3, 3), "iterations of a warm start"
    again = train(small_config(models={"als": {"embedding_dim": 4}}), tmp_path, Silence(), warm_start=bundle.id)["als"]
    assert again.manifest.warm_starts == 2


def test_a_cold_bundle_says_nothing_of_a_warm_start(live):
    fields = json.loads((live["als"].folder / "model_metadata.json").read_text())
    assert not [name for name in fields if "warm" in name]
    assert (live["als"].manifest.warm_started_from, live["als"].manifest.warm_starts) == (None, 0)


def test_the_length_that_served_best_is_taken_from_the_bundle(small_config, live, tmp_path):
    listening = Listening()
    config = small_config(models={"bpr_mf": {**BPR_MF, **STOPPING}}, split=NOW)
    bundle = train(config, tmp_path, listening, warm_start=live["bpr_mf"].id)["bpr_mf"]
    assert len(listening.steps) == 1, "no other training finds the length"
    training = bundle.manifest.config["training"]
    assert (training["epochs"], training["early_stopping"]) == (8, None), "kept for the next warm start"
    steps_per_epoch = -(-bundle.manifest.num_interactions // 512)
    assert listening.steps[0][-1] == (2 * steps_per_epoch, 2 * steps_per_epoch)


def test_other_models_of_the_config_begin_cold(small_config, live, tmp_path):
    listening = Listening()
    models = {"als": {"embedding_dim": 4}, "item_knn": {}}
    bundles = train(small_config(models=models), tmp_path, listening, warm_start="production")
    assert bundles["item_knn"].manifest.warm_started_from is None
    assert "train: item_knn begins cold" in listening.lines


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ({"als": {"embedding_dim": 5}}, r"models\.als: '.*' has another shape: embedding_dim was 4 and is now 5"),
        ({"item_knn": {}}, "is of type 'als', and what is to be trained is of type item_knn"),
    ],
    ids=["shape", "type"],
)
def test_what_cannot_begin_at_the_bundle_is_refused_before_the_data(small_config, live, tmp_path, models, reason):
    listening = Listening()
    with pytest.raises(ConfigError, match=reason):
        train(small_config(models=models), tmp_path, listening, warm_start="production")
    assert not listening.lines


def test_a_bundle_that_is_not_there_is_refused(small_config, live, tmp_path):
    with pytest.raises(ArtifactError, match="no bundle 'nobody'"):
        train(small_config(), tmp_path, Silence(), warm_start="nobody")


class Interrupting(Silence):
    """Presses Ctrl-C at a step."""

    @contextmanager
    def progress(self, description):
        def report(done, total, figures):
            if done == 8:
                os.kill(os.getpid(), signal.SIGINT)

        yield report


def test_an_interrupted_warm_start_is_continued_to_the_same_bundle(small_config, live, tmp_path):
    told = {**BPR_MF, "training": {**BPR_MF["training"], "batch_size": 512, "warm_start": {"epochs": 3}}}
    config, at = small_config(models={"bpr_mf": told}), live["bpr_mf"].id
    whole = train(config, tmp_path, Silence(), warm_start=at)["bpr_mf"]
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path, Interrupting(), warm_start=at)
    with pytest.raises(ConfigError, match=r"warm start was .* and is now None"):
        train(config, tmp_path, Silence(), resume=True)
    continued = train(config, tmp_path, Silence(), warm_start=at, resume=True)["bpr_mf"]
    for name, array in whole.state.items():
        np.testing.assert_array_equal(continued.state[name], array, err_msg=name)
    assert len(BundleStore(tmp_path / "bundles").list()) == 4
