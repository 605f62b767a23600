import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from foretaste.errors import ConfigError, ModelError
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.models.registry import MODELS, build, entry, restore
from foretaste.settings import Settings


@pytest.mark.parametrize("name", MODELS)
def test_every_name_leads_to_a_config_with_defaults_and_a_model(name):
    config = entry(name).config_class()()
    assert isinstance(config, Settings)
    model = build(name, config)
    assert type(model) is entry(name).model_class()
    assert model.config == config


@pytest.mark.parametrize("name", MODELS)
def test_every_hyperparameter_is_explained(name):
    for key, field in entry(name).config_class().model_fields.items():
        assert field.description, f"{name}.{key}"


def test_a_config_may_be_plain_values():
    assert build("als", {"embedding_dim": 7}).config.resolved()["embedding_dim"] == 7


def test_an_unknown_hyperparameter_is_refused():
    with pytest.raises(ValidationError, match="embeding_dim"):
        build("als", {"embeding_dim": 7})


def test_an_unknown_model_is_refused_with_the_names_that_exist():
    with pytest.raises(ConfigError, match=r"unknown model 'asl'; expected one of als, bpr_mf, ease, item_knn"):
        entry("asl")


def test_a_model_is_restored_from_its_config_and_state(dataset_of):
    model = build("popularity", {}).fit(dataset_of([[1, 0, 2]]), FitContext())
    restored = restore("popularity", model.config.resolved(), model.state())
    np.testing.assert_array_equal(restored.state()["popularity"], [1, 0, 2])


def test_the_registry_imports_no_model():
    code = "import sys, foretaste.models.registry; print('foretaste.models.als' in sys.modules, 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def test_a_model_whose_library_is_missing_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"training 'two_tower' needs torch.*neural"):
        registry.check_trainable("two_tower")
    registry.check_trainable("als")


def test_a_gpu_that_is_not_there_is_refused_before_any_data_is_read(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config_class = entry("bpr_mf").config_class()
    with pytest.raises(ConfigError, match="no usable GPU"):
        registry.check_trainable("bpr_mf", config_class(training={"device": "cuda"}))
    registry.check_trainable("bpr_mf", config_class())


@pytest.mark.parametrize("name", ["bpr_mf", "ncf", "two_tower"])
def test_weight_decay_of_sparse_tables_is_refused_with_the_config(name):
    config_class, decay = entry(name).config_class(), {"optimizer": {"weight_decay": 0.1}}
    for tower in ("user", "item"):
        is_sparse, is_dense = (
            {tower: {"sparse": told}} if name == "two_tower" else {"sparse": told} for told in (True, False)
        )
        with pytest.raises(ValidationError, match=r"sparse tables go without weight decay.*sparse: false"):
            config_class(**is_sparse, training=decay)
        assert config_class(**is_dense, training=decay).training.optimizer.weight_decay == 0.1
        config_class(**is_sparse)


def test_hard_negatives_are_refused_where_their_probability_is_asked_for():
    config_class, hard = entry("two_tower").config_class(), {"sampler": {"kind": "hard"}}
    with pytest.raises(ValidationError, match="log_q: false"):
        config_class(training=hard)
    config_class(training=hard, log_q=False)
    config_class(training=hard, loss="bpr")
