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
