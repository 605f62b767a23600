"""The winner of a study beside the defaults: judged on test, once, and written as a config that runs as it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from foretaste.artifacts import atomic
from foretaste.config import ExperimentConfig, ModelSpec
from foretaste.errors import ModelError
from foretaste.evaluation.significance import compare
from foretaste.models.search_space import Value, with_values
from foretaste.pipelines.experiment import Divided, Judged, judge
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.run_json import metrics_json
from foretaste.pipelines.study import WORKERS, Told

BEST_FILE = "best.yaml"
RESULT_FILE = "result.json"


def with_trial(config: ExperimentConfig, values: Mapping[str, Value]) -> ModelSpec:
    """The model that is tuned, with the values of a trial.

    Raises:
        ConfigError: the values do not go together.
    """
    assert config.tune is not None
    spec, space = config.models[config.tuned_label()], config.tune.space
    chosen = {name: space[name].choice(value) for name, value in values.items()}
    return spec.model_copy(update={"hyperparameters": with_values(spec.hyperparameters, chosen)})


def judge_winner(
    folder: Path, trials: Sequence[Told], config: ExperimentConfig, divided: Divided, narrator: Narrator
) -> dict[str, Any]:
    """Refit the best trial and the defaults, test both, and write `best.yaml`.

    Returns:
        `config`, the path of `best.yaml`; `best` and `defaults`, each with `trial`, `values`, and the metrics on
        `valid` and `test`; `gain` of the best over the defaults on `valid` and `test`: mean and interval of the paired
        bootstrap, and `p` of the permutation test. Defaults that failed are null, and so is the gain.

        All of it is kept in the folder: another process, or a later start, finds it there and does not look at test
        again.

    Raises:
        ModelError: no trial succeeded.
    """
    complete = [(trial.figure, trial) for trial in trials if trial.figure is not None]
    if not complete:
        raise ModelError(f"none of {len(trials)} trials came to a figure. The first: {trials[0].reason or 'pruned'}")
    best = max(complete, key=lambda pair: pair[0])[1]
    with atomic.locked(folder / WORKERS):
        kept = _kept(folder / RESULT_FILE)
        if kept and kept["best"]["trial"] == best.place:
            return kept
        first = next((trial for _, trial in complete if trial.is_defaults), None)
        told = _judge(folder, best, first, config, divided, narrator)
        atomic.write_text(folder / RESULT_FILE, json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return told


def _judge(
    folder: Path, best: Told, first: Told | None, config: ExperimentConfig, divided: Divided, narrator: Narrator
) -> dict[str, Any]:
    label, metric = config.tuned_label(), config.evaluation.select_by
    untuned = config.model_copy(update={"tune": None})
    spec = config.models[label] if best.is_defaults else with_trial(config, best.values)
    tuned = untuned.model_copy(update={"name": f"{config.name}-tuned", "models": {**config.models, label: spec}})
    narrator.say("judge", "the best trial and the config's own values, refitted, on test")
    winner = judge(label, tuned, divided, narrator)
    defaults = None
    if first is not None:
        defaults = winner if best.is_defaults else judge(label, untuned, divided, narrator)
    path = folder / BEST_FILE
    text = yaml.safe_dump(tuned.resolved(), sort_keys=False, allow_unicode=True)
    atomic.write_text(path, f"# foretaste run {path}\n# Trial {best.place} of the study {folder.name}.\n{text}")
    return {
        "config": str(path),
        "best": _told(best, winner),
        "defaults": None if first is None or defaults is None else _told(first, defaults),
        "gain": None if defaults is None else _gain(winner, defaults, metric),
    }


def _told(trial: Told, judged: Judged) -> dict[str, Any]:
    assert judged.valid is not None
    return {
        "trial": trial.place,
        "values": trial.values,
        "valid": metrics_json(judged.valid),
        "test": metrics_json(judged.test),
    }


def _gain(best: Judged, defaults: Judged, metric: str) -> dict[str, dict[str, float]]:
    """On valid and test the mean over users of the difference, its interval, and the p of the permutation test."""
    assert best.valid is not None
    assert defaults.valid is not None
    gains = {}
    for part, one, other in (("valid", best.valid, defaults.valid), ("test", best.test, defaults.test)):
        (comparison,) = compare([("best", "defaults")], {"best": one.values[metric], "defaults": other.values[metric]})
        gains[part] = {**asdict(comparison.difference), "p": comparison.permutation_p}
    return gains


def _kept(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept
