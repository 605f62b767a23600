import pytest

from foretaste.config import ExperimentConfig, load_config
from foretaste.errors import ConfigError
from foretaste.models.two_stage.config import TwoStageConfig


def experiment(tmp_path, retrievers):
    path = tmp_path / "two.yaml"
    path.write_text(f"data: {{source: synthetic}}\nmodels:\n  two_stage:\n    retrievers: {retrievers}\n")
    return load_config(path, ExperimentConfig)


def test_retrievers_are_any_models_by_label(tmp_path):
    config = experiment(tmp_path, "{als: {embedding_dim: 8}, recent: {type: popularity, half_life_days: 3}}")
    retrievers = config.models["two_stage"].hyperparameters.retrievers
    assert [(label, spec.type) for label, spec in retrievers.items()] == [("als", "als"), ("recent", "popularity")]
    assert retrievers["als"].hyperparameters.embedding_dim == 8


def test_what_is_resolved_is_read_again_as_it_was():
    config = TwoStageConfig(retrievers={"als": {"embedding_dim": 8}, "recent": {"type": "popularity"}})
    assert TwoStageConfig.model_validate(config.resolved()) == config


def test_an_unknown_key_of_a_retriever_is_named_with_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"models\.two_stage\.retrievers\.als\.embeding_dim.*embedding_dim"):
        experiment(tmp_path, "{als: {embeding_dim: 8}}")


@pytest.mark.parametrize(
    ("retrievers", "told"),
    [
        ("{}", "retrievers"),
        ("[als]", "a section for each model"),
        ("{asl: {}}", "unknown model 'asl'"),
        ("{two_stage: {}}", "has two stages itself"),
    ],
)
def test_what_cannot_be_a_retriever_is_refused(tmp_path, retrievers, told):
    with pytest.raises(ConfigError, match=told):
        experiment(tmp_path, retrievers)


def test_half_lives_are_above_0():
    with pytest.raises(ValueError, match="days above 0"):
        TwoStageConfig(half_lives_days=[3, 0])
