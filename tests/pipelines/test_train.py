import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest

from foretaste.artifacts.store import BundleStore
from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.run import run
from foretaste.pipelines.train import evaluate_bundle, train


def test_training_gives_the_model_that_a_run_would_publish(small_config, tmp_path):
    bundles = train(small_config(), tmp_path / "trained", Silence(), label="als")
    result = run(small_config(), tmp_path / "run", [])
    als = next(judged for judged in result.judged if judged.label == "als")
    assert list(bundles) == ["als"]
    for name, array in als.model.state().items():
        assert np.array_equal(bundles["als"].state[name], array), name
    evaluation = evaluate_bundle(small_config(), bundles["als"], Silence())
    assert evaluation.estimates == als.test.estimates


def test_all_models_are_trained_and_the_last_is_promoted_only_if_asked(small_config, tmp_path):
    bundles = train(small_config(), tmp_path, Silence())
    store = BundleStore(tmp_path / "bundles")
    assert list(bundles) == ["popularity", "item_knn", "als"]
    assert store.production_id() is None
    bundles = train(small_config(), tmp_path, Silence(), promote=True)
    assert store.production_id() == bundles["als"].id


def test_a_model_that_the_config_lacks_is_refused(small_config, tmp_path):
    with pytest.raises(ConfigError, match="no model 'ease' in the config; it has popularity, item_knn, als"):
        train(small_config(), tmp_path, Silence(), label="ease")


def test_a_bundle_of_other_events_is_not_judged(small_config, tmp_path):
    bundles = train(small_config(), tmp_path, Silence(), label="popularity")
    other = small_config(split={"method": "global_time", "test": 0.2})
    with pytest.raises(ArtifactError, match="was trained on other events than those before test"):
        evaluate_bundle(other, bundles["popularity"], Silence())


LEARNED = {
    "bpr_mf": {
        "embedding_dim": 4,
        "training": {
            "epochs": 6,
            "batch_size": 512,
            "learning_rate": 0.05,
            "early_stopping": {"patience": 2},
            "device": "cpu",
        },
    }
}
WITH_VALID = {"method": "global_time", "valid": 0.1, "test": 0.1}


class Interrupting(Silence):
    """Presses Ctrl-C at a step of one of the fits."""

    def __init__(self, in_fit, at_step):
        self.fits_until, self.at_step = in_fit, at_step

    @contextmanager
    def progress(self, description):
        self.fits_until -= 1

        def report(done, total, figures):
            if self.fits_until < 0 and done >= self.at_step:
                self.at_step = np.inf
                os.kill(os.getpid(), signal.SIGINT)

        yield report


@pytest.mark.parametrize("in_fit", [0, 1], ids=["while the length is found", "while all is learnt"])
def test_an_interrupted_training_is_continued_to_the_same_bundle(small_config, tmp_path, in_fit):
    config = small_config(models=LEARNED, split=WITH_VALID)
    whole = train(config, tmp_path / "whole", Silence())["bpr_mf"]
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path, Interrupting(in_fit, at_step=9))
    checkpoints = tmp_path / "checkpoints" / "small-bpr_mf"
    assert len(list(checkpoints.rglob("checkpoint.pt"))) == in_fit + 1
    continued = train(config, tmp_path, Silence(), resume=True)["bpr_mf"]
    for name, array in whole.state.items():
        np.testing.assert_array_equal(continued.state[name], array, err_msg=name)
    assert not checkpoints.exists()


def test_a_training_is_not_continued_with_other_hyperparameters(small_config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(small_config(models=LEARNED, split=WITH_VALID), tmp_path, Interrupting(0, at_step=9))
    changed = {"bpr_mf": LEARNED["bpr_mf"] | {"regularization": {"user": 0.5}}}
    with pytest.raises(ConfigError, match="regularization"):
        train(small_config(models=changed, split=WITH_VALID), tmp_path, Silence(), resume=True)


def test_a_model_that_stops_early_is_trained_again_as_long_as_served_it_best(small_config, tmp_path):
    config = small_config(models=LEARNED, split=WITH_VALID)
    judged = run(config, tmp_path / "run", []).judged[0]
    training = judged.model.config.training
    assert training.early_stopping is None
    assert 1 <= training.epochs <= 6
    trained = train(config, tmp_path / "trained", Silence())["bpr_mf"]
    assert trained.manifest.config == judged.model.config.resolved()
    for name, array in judged.model.state().items():
        np.testing.assert_array_equal(trained.state[name], array, err_msg=name)


def test_a_bundle_does_not_say_where_runs_are_tracked(small_config, tmp_path):
    config = small_config(models={"popularity": {}}, tracking={"uri": "http://ann:s3cret@host"})
    (bundle,) = train(config, tmp_path, Silence()).values()
    assert "tracking" not in bundle.manifest.experiment
