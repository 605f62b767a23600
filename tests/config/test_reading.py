from pathlib import Path

import pytest
import yaml

from foretaste.config import ExperimentConfig, load_config
from foretaste.errors import ConfigError
from foretaste.pipelines.demo import demo_config

SMALL = {"data": {"source": "synthetic"}, "models": {"als": {"embedding_dim": 8}, "popularity": None}}
CONFIGS = sorted(Path(__file__).parents[2].glob("configs/*.yaml"))


@pytest.fixture
def load(tmp_path):
    def _load(values=SMALL, *overrides):
        path = tmp_path / "small.yaml"
        path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
        return load_config(path, ExperimentConfig, overrides)

    return _load


def test_the_name_is_that_of_the_file_and_models_are_typed_by_their_label(load):
    config = load()
    assert config.name == "small"
    assert config.models["als"].type == "als"
    assert config.models["als"].hyperparameters.embedding_dim == 8
    assert config.models["popularity"].hyperparameters.half_life_days is None


def test_a_label_may_differ_from_the_type(load):
    config = load({**SMALL, "models": {"wide": {"type": "als", "embedding_dim": 99}}})
    assert (config.models["wide"].type, config.models["wide"].hyperparameters.embedding_dim) == ("als", 99)


def test_the_command_line_goes_over_the_file_and_the_file_over_the_default(load):
    config = load(SMALL, "models.als.embedding_dim=16", "models.ease.regularization=7", "split.method=random", "seed=3")
    assert config.models["als"].hyperparameters.embedding_dim == 16
    assert config.models["ease"].hyperparameters.regularization == 7
    assert (config.split.method, config.seed) == ("random", 3)


def test_the_resolved_config_reads_back_as_the_same_config(load):
    config = load(SMALL, "prepare.min_rating=3", "evaluation.cutoffs=[20, 10]")
    assert load(config.resolved()) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "models.als.embeding_dim=3",
            r"unknown key 'models.als.embeding_dim' – did you mean 'models.als.embedding_dim'\?",
        ),
        ("models.als.embedding_dim=-3", "models.als.embedding_dim: input should be greater than or equal to 1, got -3"),
        ("models.alz.embedding_dim=3", "unknown model 'alz'; expected one of als, bpr_mf, ease"),
        ("cutoffs=[5]", r"unknown key 'cutoffs' – did you mean 'evaluation.cutoffs'\?"),
        ("models.ncf.epochs=3", r"unknown key 'models.ncf.epochs' – did you mean 'models.ncf.training.epochs'\?"),
        ("model={als: {}}", r"unknown key 'model' – did you mean 'models'\?"),
        ("splt.method=random", r"unknown key 'splt' – did you mean 'split'\?"),
        ("split.methd=random", r"unknown key 'split.methd' – did you mean 'split.method'\?"),
        ("split.method=randm", r"split.method: unknown 'randm' – did you mean 'random'\?"),
        ("split.seed=1", "unknown key 'split.seed'"),
        ("data.source=synthetik", r"data.source: unknown 'synthetik' – did you mean 'synthetic'\?"),
        ("data.path=x", "unknown key 'data.path'"),
        ("evaluation.metrics=[ndgc]", "evaluation.metrics: unknown metric ndgc; expected any of ndcg, recall"),
        ("evaluation.select_by=ndcg@7", "evaluation: select_by 'ndcg@7' is not measured"),
        ("seed=x", "seed: input should be a valid integer"),
        ("models=[als]", "models: expected a section for each model"),
        ("models.als=3", "expected hyperparameters under models.als"),
        ("seed", r"--set seed: expected key=value"),
        ("models={../als: {type: als}}", r"'\.\./als' is no label: files are named by it"),
        ("models={a/b: {type: als}}", "'a/b' is no label"),
        ("models={'': {type: als}}", "'' is no label"),
        ("seed=2020-13-45", "'2020-13-45' is not a YAML value .*month must be in"),
        ('name="\x01"', "is not a YAML value .*the character 0x0001"),
        ("seed.x=1", r"--set seed.x=1: 'seed' is a value, not a section"),
        ("seed=[1", r"--set seed=\[1: '\[1' is not a YAML value"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(load, override, message):
    with pytest.raises(ConfigError, match=message):
        load({**SMALL, "seed": 0, "split": {"method": "global_time"}}, override)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 0\nseed: 1\n", "line 2: key 'seed' is given twice"),
        ("seed: [0\n", "line 2: .*expected YAML"),
        ("- als\n", "expected sections such as 'data:'"),
        ("", "expected sections such as 'data:' and 'models:', found nothing"),
        ("seed: 0\nname: 'a\x01b'\n", "line 2: the character 0x0001"),
        ("? [1, 2]\n: 3\n", "line 1: a key is a list or a section"),
        ("seed: 2020-13-45\n", "month must be in 1..12"),
        ("seed: " + 500 * "[", "expected YAML"),
        ("seed: 0\n", "'data' is missing"),
    ],
)
def test_a_file_that_is_no_config_is_refused(load, text, message):
    with pytest.raises(ConfigError, match=message):
        load(text)


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "there.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"not-there.yaml: no such file.*there.yaml"):
        load_config(tmp_path / "not-there.yaml", ExperimentConfig)


@pytest.mark.parametrize("name", ["retrain", "serving", "simulate", "monitoring"])
def test_the_config_of_another_command_is_refused_in_one_sentence(name):
    path = next(path for path in CONFIGS if path.stem == name)
    with pytest.raises(ConfigError, match="is a config of another kind: unknown keys") as told:
        load_config(path, ExperimentConfig)
    assert len(str(told.value).splitlines()) == 1
    assert f"Its first line says what it is for: `foretaste {path.read_text().split()[2]} " in str(told.value)


def test_a_few_slips_are_told_one_by_one(load):
    with pytest.raises(ConfigError, match=r"did you mean 'models'\?") as told:
        load({"data": {"source": "synthetic"}, "modles": {"als": {}}, "splt": {}, "evaluation": {}})
    assert "another kind" not in str(told.value)


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(ConfigError, match="is a folder; expected a YAML config"):
        load_config(tmp_path, ExperimentConfig)


def test_everything_wrong_is_told_at_once(load):
    with pytest.raises(ConfigError) as told:
        load(SMALL, "seed=x", "refti=true")
    assert len(str(told.value).splitlines()) == 2


def is_experiment(path):
    return "\nmodels:" in path.read_text()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_begins_with_its_command_and_is_valid(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# foretaste ")
    assert f"configs/{path.name}" in first
    if is_experiment(path):
        load_config(path, ExperimentConfig)


def test_the_demo_is_the_shipped_config():
    path = next(path for path in CONFIGS if path.stem == "demo")
    assert load_config(path, ExperimentConfig) == demo_config()


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({"space": {"embedding_dim": {"lowe": 1}}}, r"'tune.space.embedding_dim.lowe' – did you mean 'tune.space.emb"),
        ({"space": {"embeding_dim": {"choices": [1]}}}, "tune.space: unknown hyperparameter 'embeding_dim' – did you"),
        ({"space": {"embedding_dim": {"low": 0, "high": 3}}}, "tune.space.embedding_dim: the model refuses 0"),
        (
            {"model": "alz", "space": {"embedding_dim": {"choices": [1]}}},
            "tune.model: .* one of als, popularity; found",
        ),
        ({"model": "als", "spac": {}}, r"unknown key 'tune.spac' – did you mean 'tune.space'\?"),
        ({"model": "als", "space": {}, "study": "A B"}, "tune.study: string should match"),
    ],
)
def test_a_search_space_is_checked_against_its_model(load, tune, message):
    with pytest.raises(ConfigError, match=message):
        load({**SMALL, "tune": {"model": "als", **tune}})


def test_a_config_without_optional_sections_does_not_name_them(load):
    assert "tune" not in load().resolved()
    tuned = load({**SMALL, "tune": {"model": "als", "space": {"embedding_dim": {"choices": [4, 8]}}}})
    assert load(tuned.resolved()) == tuned


def test_a_split_without_a_method_is_by_time(load):
    split = load(SMALL, "split.windows=3").split
    assert (split.method, split.windows) == ("global_time", 3)
