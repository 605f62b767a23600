"""From a config with a search space to a better config: trials, all of them on valid."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretaste.artifacts.writable import check_writable
from foretaste.config import ExperimentConfig
from foretaste.errors import ConfigError, SplitError
from foretaste.evaluation.protocol import evaluate
from foretaste.models.registry import check_trainable
from foretaste.models.search_space import Value
from foretaste.models.validation import METRICS
from foretaste.pipelines.experiment import Divided, check_judgeable, divide, fit, validation_protocol
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.study import STATES, Attempt, Study, check_installed, taking_part
from foretaste.pipelines.tuned import judge_winner, with_trial
from foretaste.training.processes import num_processes

STUDIES = "studies"
_VALIDATED = METRICS[0]
"""What trainings are pruned by where they do not measure `evaluation.select_by`."""


class _Hopeless(Exception):  # noqa: N818 - it ends a training, and is no error
    """The training will not be among the better ones."""


def tune(config: ExperimentConfig, artifacts: Path, narrator: Narrator) -> dict[str, Any]:
    """Try hyperparameters of one model until the study has as many trials as `tune.trials`, and judge the winner.

    A study is continued by the same call, by as many processes at once as one likes. A trial is fitted on train and
    judged on valid by `evaluation.select_by`; test is looked at once, in the end, for the winner and the defaults.

    Args:
        config: has a `tune` section.
        artifacts: folder for `studies/`.
        narrator: told of each trial.

    Returns:
        What `foretaste tune --json` prints: `study`, `folder`, `model`, `metric`, `trials` with the number of
        `complete`, `pruned`, `failed` and `running` ones, and, once none runs any more, what `judge_winner` tells.

    Raises:
        ArtifactError: nothing can be written into `artifacts`.
        ConfigError: Optuna is not installed, there is no search space, or the study was begun with another config.
        ModelError: no trial succeeded.
    """
    check_installed()
    label, options = config.tuned_label(), config.tune
    assert options is not None
    check_trainable(config.models[label].type, config.models[label].hyperparameters)
    if num_processes() > 1:
        raise ConfigError(
            f"`foretaste tune` tries each model in one process and was started in {num_processes()} by torchrun; "
            "start it several times instead: processes on one study share the trials."
        )
    check_writable(artifacts / STUDIES)
    divided = divide(config, narrator)
    check_judgeable(config.evaluation, divided)
    if divided.split.valid is None:
        raise SplitError("tuning judges on valid, and the split has none; set a share, as in --set split.valid=0.1.")
    folder = artifacts / STUDIES / (options.study or f"{config.name}-{label}")
    hyperparameters = config.models[label].hyperparameters
    with taking_part(folder, options, hyperparameters, _identity(config, label, divided)) as study:
        while (attempt := study.begin()) is not None:
            _try(study, attempt, config, label, divided, narrator)
        trials = study.told()
    counts = {state: sum(trial.state == state for trial in trials) for state in STATES}
    result = {
        "study": folder.name,
        "folder": str(folder),
        "model": label,
        "metric": config.evaluation.select_by,
        "trials": counts,
    }
    if counts["running"]:
        return result
    return {**result, **judge_winner(folder, trials, config, divided, narrator)}


def _identity(config: ExperimentConfig, label: str, divided: Divided) -> dict[str, Any]:
    """What figures depend on, so that those of one study compare."""
    assert config.tune is not None
    assert divided.split.valid is not None
    return {
        "models": {label: config.models[label].resolved()},
        "tune": config.tune.model_dump(mode="json", include={"sampler", "seed", "prune", "warmup_epochs", "space"}),
        "evaluation": config.evaluation.resolved(),
        "seed": config.seed,
        "refit": config.refit,
        "train": divided.split.train.fingerprint,
        "valid": divided.split.valid.fingerprint,
        "test": divided.split.test.fingerprint,
    }


def _try(
    study: Study, attempt: Attempt, config: ExperimentConfig, label: str, divided: Divided, narrator: Narrator
) -> None:
    """Fit and judge one trial; whatever goes wrong is its own affair."""
    options, metric, parts = config.tune, config.evaluation.select_by, divided.split
    assert options is not None
    assert parts.valid is not None
    values = "the config's own values" if attempt.is_defaults else shown(attempt.values)
    place = f"{attempt.place}/{options.trials}"
    epochs = 0

    def on_epoch(epoch: int, figures: Mapping[str, float]) -> None:
        nonlocal epochs
        epochs = epoch
        figure = figures.get(metric, figures.get(_VALIDATED))
        if options.prune and figure is not None and attempt.is_hopeless(epoch, figure):
            raise _Hopeless

    started = time.perf_counter()
    try:
        spec = config.models[label] if attempt.is_defaults else with_trial(config, attempt.values)
        known = divided.dataset(parts.train)
        model, _ = fit(spec, known, parts.valid, config.seed, label, narrator, on_epoch=on_epoch)
        figure = evaluate(model, parts.train, parts.valid, validation_protocol(config)).mean(metric)
    except _Hopeless:
        seconds = time.perf_counter() - started
        study.prune(attempt, seconds)
        narrator.say("trial", f"{place}  pruned after {epochs} epochs  {values}  {seconds:.1f} s")
    except Exception as error:  # one bad trial must not end the night's tuning
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        study.fail(attempt, reason)
        narrator.say("trial", f"{place}  failed  {values}  {reason}")
    else:
        seconds = time.perf_counter() - started
        study.finish(attempt, figure, seconds)
        narrator.say("trial", f"{place}  {metric} {figure:.4f}  {values}  {seconds:.1f} s")


def shown(values: Mapping[str, Value]) -> str:
    """Hyperparameters as people read them."""
    return " · ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
