import signal
import subprocess
import sys

import pytest

from foretaste.config import TuneConfig
from foretaste.errors import ArtifactError, ConfigError
from foretaste.models.als import ALSConfig
from foretaste.pipelines import study as studies
from foretaste.pipelines.study import check_installed, taking_part

SPACE = {"embedding_dim": {"choices": [4, 8]}, "regularization": {"low": 1e-3, "high": 1.0, "log": True}}
DEFAULTS = ALSConfig(embedding_dim=8)


def part(folder, trials=4, *, identity=1, space=SPACE, hyperparameters=DEFAULTS, **options):
    config = TuneConfig(trials=trials, space=space, **options)
    return taking_part(folder, config, hyperparameters, {"data": identity})


def figure(values):
    return values["regularization"] + values["embedding_dim"]


def try_all(study):
    tried = []
    while (attempt := study.begin()) is not None:
        tried.append(attempt.values)
        study.finish(attempt, figure(attempt.values), seconds=0.0)
    return tried


def test_the_defaults_come_first_and_the_total_counts_earlier_starts(tmp_path):
    with part(tmp_path, trials=2) as study:
        tried = try_all(study)
        assert tried[0] == {"embedding_dim": 8, "regularization": 0.006}
        assert [trial.is_defaults for trial in study.told()] == [True, False]
    with part(tmp_path, trials=5) as study:
        assert len(try_all(study)) == 3
        assert try_all(study) == []
        assert [trial.figure for trial in study.told()][:2] == [figure(values) for values in tried]


def test_what_is_tried_depends_on_the_seed_alone(tmp_path):
    def tried(name, **options):
        with part(tmp_path / name, trials=2, **options) as study:
            return try_all(study)

    first = tried("a")
    assert tried("b") == first
    assert tried("c", seed=1)[1] != first[1]


def test_the_order_in_the_file_changes_nothing(tmp_path):
    with (
        part(tmp_path / "a", trials=2) as one,
        part(tmp_path / "b", trials=2, space=dict(reversed(SPACE.items()))) as two,
    ):
        assert try_all(one) == try_all(two)


def test_defaults_outside_the_space_are_tried_as_they_are(tmp_path):
    space = {"unobserved_weight": {"low": 0.1, "high": 1.0}, "embedding_dim": {"choices": [4, 8]}}
    with part(tmp_path, space=space) as study:
        first = study.begin()
        assert first.is_defaults
        assert first.values == {"embedding_dim": 8}  # null is no weight between 0.1 and 1
        study.finish(first, 1.0, 0.0)
        assert set(study.begin().values) == {"embedding_dim", "unobserved_weight"}


def test_a_failed_trial_is_kept_with_its_reason_and_not_tried_again(tmp_path):
    with part(tmp_path, trials=2) as study:
        study.fail(study.begin(), "no memory")
        try_all(study)
        assert [(trial.state, trial.reason) for trial in study.told()] == [("failed", "no memory"), ("complete", "")]


def test_a_training_is_pruned_after_its_warmup(tmp_path):
    with part(tmp_path, trials=9, warmup_epochs=2) as study:
        for _ in range(6):
            attempt = study.begin()
            assert not any(attempt.is_hopeless(epoch, 0.5) for epoch in (1, 2, 3))
            study.finish(attempt, 0.5, 0.0)
        attempt = study.begin()
        assert [attempt.is_hopeless(epoch, 0.1) for epoch in (1, 2, 3)] == [False, False, True]
        study.prune(attempt, 0.0)
        assert study.told()[-1].state == "pruned"


def test_the_defaults_are_never_hopeless(tmp_path):
    with part(tmp_path, trials=9, warmup_epochs=1) as study:
        defaults = study.begin()
        for _ in range(5):
            attempt = study.begin()
            attempt.is_hopeless(2, 0.5)
            study.finish(attempt, 0.5, 0.0)
        assert not defaults.is_hopeless(2, 0.1)


DIES = """
import os, sys
from pathlib import Path
from foretaste.config import TuneConfig
from foretaste.models.als import ALSConfig
from foretaste.pipelines.study import taking_part
config = TuneConfig(trials=4, space={space})
with taking_part(Path(sys.argv[1]), config, ALSConfig(embedding_dim=8), {{"data": 1}}) as study:
    for _ in range({finished}):
        attempt = study.begin()
        study.finish(attempt, attempt.values["regularization"] + attempt.values["embedding_dim"], 0.0)
    study.begin()
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("finished", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_what_a_killed_process_tried_is_tried_again_and_counts_once(tmp_path, finished):
    with part(tmp_path / "whole") as study:
        whole = try_all(study)
    folder = tmp_path / "killed"
    code = DIES.format(space=SPACE, finished=finished)
    assert subprocess.run([sys.executable, "-c", code, folder], check=False).returncode == -signal.SIGKILL
    with part(folder) as study:
        assert try_all(study) == whole[finished:]  # as if nothing had happened
        assert [trial.values for trial in study.told()] == whole
        assert {trial.state for trial in study.told()} == {"complete"}
        assert any(trial.is_defaults for trial in study.told())
    assert list((folder / "workers").iterdir()) == []


def test_a_trial_left_by_a_process_that_ended_is_tried_again(tmp_path):
    with part(tmp_path) as study:
        left = study.begin().values
    with part(tmp_path) as study:
        assert try_all(study)[0] == left
        assert len(study.told()) == 4


def test_processes_share_the_trials(tmp_path):
    with part(tmp_path) as one, part(tmp_path) as other:
        attempts = [one.begin(), other.begin(), one.begin(), other.begin()]
        assert one.begin() is None
        assert other.begin() is None
        assert [attempt.place for attempt in attempts] == [1, 2, 3, 4]
        one.finish(attempts[0], 1.0, 0.0)
        assert [trial.state for trial in other.told()] == ["complete", "running", "running", "running"]


def test_another_config_is_refused_with_what_differs(tmp_path):
    with part(tmp_path):
        pass
    with pytest.raises(ConfigError, match=r"begun with another config or other data \(data\).*--set tune.study=NAME"):
        part(tmp_path, identity=2).__enter__()


def test_a_damaged_database_is_told(tmp_path):
    (tmp_path / "study.db").write_text("no database, " * 100)
    with pytest.raises(ArtifactError, match="cannot be read as a study"):
        part(tmp_path).__enter__()


def test_without_optuna_the_command_is_told(monkeypatch):
    monkeypatch.setattr(studies, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'foretaste\[tuning\]'"):
        check_installed()
