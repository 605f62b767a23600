import json
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml

from foretaste.config import ExperimentConfig, load_config
from foretaste.errors import ConfigError, ModelError, SplitError
from foretaste.models.als import ALS
from foretaste.pipelines import tune as tune_pipeline
from foretaste.pipelines.experiment import divide, judge
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.tune import tune

TUNE = {
    "model": "als",
    "trials": 3,
    "space": {"iterations": {"low": 1, "high": 4}, "embedding_dim": {"choices": [4, 8]}},
}
GRADIENT = {
    "models": {"bpr_mf": {"embedding_dim": 4, "training": {"epochs": 4, "batch_size": 256, "learning_rate": 0.01}}},
    "tune": {
        "trials": 8,
        "warmup_epochs": 1,
        "space": {"training.learning_rate": {"low": 1e-6, "high": 0.1, "log": True}},
    },
}


class Listener(Silence):
    """Remembers what was said."""

    def __init__(self):
        self.said = []

    def say(self, stage, text):
        self.said.append((stage, text))


@pytest.fixture
def tuned(small_config, tmp_path):
    return tune(small_config(tune=TUNE), tmp_path, Silence())


def test_the_winner_is_the_best_on_valid_and_told_beside_the_defaults(tuned, small_config):
    assert tuned["trials"] == {"complete": 3, "pruned": 0, "failed": 0, "running": 0}
    assert tuned["defaults"]["trial"] == 1
    config = small_config()
    defaults = judge("als", config, divide(config, Silence()), Silence())
    for part, evaluation in (("valid", defaults.valid), ("test", defaults.test)):
        gain, before = tuned["gain"][part], tuned["defaults"][part]["ndcg@10"]["mean"]
        assert before == evaluation.mean("ndcg@10")
        assert tuned["best"][part]["ndcg@10"]["mean"] - before == pytest.approx(gain["mean"], abs=1e-12)
        assert gain["low"] <= gain["mean"] <= gain["high"]
    assert tuned["gain"]["valid"]["mean"] >= 0
    json.dumps(tuned, allow_nan=False)


def test_the_winner_is_a_config_that_gives_its_figures(tuned):
    path = Path(tuned["config"])
    assert path.read_text().startswith(f"# foretaste run {path}\n")
    config = load_config(path, ExperimentConfig)
    assert config.tune is None
    assert list(config.models) == ["popularity", "item_knn", "als"]
    for name, value in tuned["best"]["values"].items():
        assert getattr(config.models["als"].hyperparameters, name) == value
    again = judge("als", config, divide(config, Silence()), Silence())
    assert again.test.mean("ndcg@10") == tuned["best"]["test"]["ndcg@10"]["mean"]


def test_more_trials_continue_the_study_and_test_is_judged_once(small_config, tmp_path, tuned, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("test was looked at again")

    monkeypatch.setattr("foretaste.pipelines.tuned.judge", refuse)
    assert tune(small_config(tune=TUNE), tmp_path, Silence()) == tuned
    monkeypatch.undo()
    more = tune(small_config(tune={**TUNE, "trials": 4}), tmp_path, Silence())
    assert more["trials"]["complete"] == 4


def test_test_is_not_looked_at_by_a_trial(small_config, tmp_path, monkeypatch):
    config, seen = small_config(tune=TUNE), []
    really = tune_pipeline.evaluate
    monkeypatch.setattr(tune_pipeline, "evaluate", lambda *given: seen.append(given[2]) or really(*given))
    monkeypatch.setattr(tune_pipeline, "judge_winner", lambda *_: {})
    tune(config, tmp_path, Silence())
    valid = divide(config, Silence()).split.valid
    assert [part.fingerprint for part in seen] == [valid.fingerprint] * 3


def test_a_trial_that_fails_is_told_and_passed_over(small_config, tmp_path, monkeypatch):
    really = ALS.fit

    def fit(model, dataset, context):
        if model.config.embedding_dim == 8:
            raise MemoryError("8 is too many")
        return really(model, dataset, context)

    monkeypatch.setattr(ALS, "fit", fit)
    listener = Listener()
    space = {"embedding_dim": {"choices": [8, 9]}}
    result = tune(small_config(tune={**TUNE, "trials": 6, "space": space}), tmp_path, listener)
    assert result["trials"]["failed"] > 0
    assert result["trials"]["complete"] + result["trials"]["failed"] == 6
    failed = [text for stage, text in listener.said if stage == "trial" and "failed" in text]
    assert "MemoryError: 8 is too many" in failed[0]


def test_where_every_trial_fails_the_reason_is_told(small_config, tmp_path, monkeypatch):
    def fit(*_):
        raise MemoryError("not enough")

    monkeypatch.setattr(ALS, "fit", fit)
    with pytest.raises(ModelError, match=r"none of 3 trials came to a figure.*MemoryError: not enough"):
        tune(small_config(tune=TUNE), tmp_path, Silence())


def test_what_cannot_be_tuned_is_refused(small_config, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no 'tune' section"):
        tune(small_config(), tmp_path, Silence())
    with pytest.raises(SplitError, match=r"--set split\.valid=0\.1"):
        tune(small_config(tune=TUNE, split={"method": "global_time", "valid": 0}), tmp_path, Silence())
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="start it several times instead"):
        tune(small_config(tune=TUNE), tmp_path, Silence())


@pytest.mark.slow
def test_hopeless_trainings_by_gradient_are_ended_early(small_config, tmp_path):
    listener = Listener()
    result = tune(small_config(**GRADIENT), tmp_path, listener)
    assert result["trials"]["pruned"] > 0
    assert any("pruned after" in text for _, text in listener.said)
    unpruned = tune(
        small_config(**{**GRADIENT, "tune": {**GRADIENT["tune"], "prune": False, "study": "b"}}), tmp_path, Silence()
    )
    assert unpruned["trials"]["complete"] == 8


SLOW_ALS = """
import sys, time
from foretaste.models.als import ALS
really = ALS.fit
def fit(model, dataset, context):
    print("fit begins", file=sys.stderr, flush=True)
    time.sleep(0.5)
    return really(model, dataset, context)
ALS.fit = fit
from foretaste.cli import main
main()
"""


def start(config, folder):
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config.resolved()))
    command = [sys.executable, "-c", SLOW_ALS, "tune", str(path), "--artifacts", str(folder), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def trials_of(folder):
    database = f"sqlite:///{folder / 'studies' / 'small-als' / 'study.db'}"
    study = optuna.load_study(study_name="study", storage=database)
    return study.get_trials(deepcopy=False)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_tuning_stopped_half_way_ends_as_if_it_had_not_been(small_config, tmp_path, stop):
    config = small_config(tune={**TUNE, "trials": 16})
    whole = tune(config, tmp_path / "whole", Silence())
    folder = tmp_path / "stopped"
    folder.mkdir()
    process = start(config, folder)
    for line in process.stderr:
        if line.startswith("trial") and "3/16" in line:
            break
    for line in process.stderr:
        # Of the fourth trial; again at a later one, should a library have taken the interrupt. There are many more.
        if line.startswith("fit begins"):
            process.send_signal(stop)
    assert process.wait(timeout=60) != 0
    states = [trial.state.name for trial in trials_of(folder)]
    assert states.count("RUNNING") == 1
    done = states.count("COMPLETE")
    again = start(config, folder)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    told = json.loads(out)
    assert f"trial {done + 1:5}/16" in err
    assert f"trial {done:5}/16" not in err
    assert told["trials"] == whole["trials"]
    assert told["best"] == whole["best"]
    assert told["gain"] == whole["gain"]


@pytest.mark.slow
def test_two_processes_share_one_study(small_config, tmp_path):
    config = small_config(tune={**TUNE, "trials": 8})
    both = [start(config, tmp_path) for _ in range(2)]
    outcomes = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], outcomes
    shares = [err.count("trial     ") for _, err in outcomes]
    assert sum(shares) == 8
    assert min(shares) > 0
    trials = trials_of(tmp_path)
    assert [trial.state for trial in trials] == [optuna.trial.TrialState.COMPLETE] * 8
    told = [json.loads(out) for out, _ in outcomes]
    assert any("gain" in one for one in told)
