"""A tuning study that several processes share and that survives the death of any of them.

Optuna keeps the trials in SQLite. Beside it every process holds a lock that ends with it, and each trial names the lock
of its process: a trial that is running and whose lock is free was left by a process that is gone. Its values are tried
again, and it does not count.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretaste.artifacts import atomic
from foretaste.config import TuneConfig
from foretaste.errors import ArtifactError, ConfigError
from foretaste.models.search_space import Dimension, Value, is_whole, value_of
from foretaste.settings import Settings

if TYPE_CHECKING:
    import optuna

DATABASE_FILE = "study.db"
WORKERS = "workers"
"""Folder of the locks."""
_DEFAULTS, _PLACE, _WORKER, _AGAIN = "defaults", "place", "worker", "again"
_REASON, _SECONDS = "reason", "seconds"
_IDENTITY = "identity"
_STUDY = "study"
_LOCK_SECONDS = 120
_RANDOM_TRIALS = 10
_UNPRUNED_TRIALS = 5


STATES = ("complete", "pruned", "failed", "running")
"""What may have become of a trial."""


def check_installed() -> None:
    """Refuse to tune without Optuna.

    Raises:
        ConfigError: it is not installed; the message tells the command.
    """
    if find_spec("optuna") is None:
        raise ConfigError("tuning needs Optuna, which is not installed; `pip install 'foretaste[tuning]'` brings it.")


@dataclass(frozen=True)
class Told:
    """What is known of a trial."""

    place: int
    """Counted from 1; a trial that is tried again keeps it."""
    state: str
    """One of `STATES`."""
    is_defaults: bool
    values: dict[str, Value]
    """Hyperparameter → what was tried; empty for the defaults where they lie outside the space."""
    figure: float | None
    """What was reached; None unless complete."""
    reason: str
    """Why it failed."""
    seconds: float | None


@dataclass(frozen=True, eq=False)
class Attempt:
    """A trial that this process has begun."""

    place: int
    """Counted from 1; a trial that is tried again keeps it."""
    is_defaults: bool
    values: dict[str, Value]
    trial: "optuna.Trial"

    def is_hopeless(self, epoch: int, figure: float) -> bool:
        """Report a figure after an epoch; True where it is worse than that of half of the trials before.

        The defaults are never hopeless: all else is told beside them.
        """
        self.trial.report(figure, epoch)
        return not self.is_defaults and bool(self.trial.should_prune())


class Study:
    """One study, as one process takes part in it."""

    def __init__(
        self, study: "optuna.Study", folder: Path, worker: str, config: TuneConfig, hyperparameters: Settings
    ) -> None:
        self._study, self._folder, self._worker, self._config = study, folder, worker, config
        self._hyperparameters = hyperparameters

    def begin(self) -> Attempt | None:
        """The next trial; None where as many as the config asks for have begun."""
        import optuna

        with atomic.locked(self._folder):
            self._take_back()
            begun = [trial for trial in _counted(self._study) if trial.state != optuna.trial.TrialState.WAITING]
            if len(begun) >= self._config.trials:
                return None
            taken = {trial.user_attrs[_PLACE] for trial in begun}
            place = next(place for place in count(1) if place not in taken)
            self._study.sampler = _sampler(self._config, place)
            trial = self._study.ask()
            trial.set_user_attr(_WORKER, self._worker)
            trial.set_user_attr(_PLACE, place)
            is_defaults = bool(trial.user_attrs.get(_DEFAULTS))
            for name, dimension in sorted(self._config.space.items()):
                if not is_defaults or dimension.holds(value_of(self._hyperparameters, name)):
                    _suggest(trial, name, dimension, whole=is_whole(self._hyperparameters, name))
            return Attempt(place, is_defaults, dict(trial.params), trial)

    def finish(self, attempt: Attempt, figure: float, seconds: float) -> None:
        """The trial reached `figure` in so many seconds."""
        attempt.trial.set_user_attr(_SECONDS, seconds)
        self._study.tell(attempt.trial, figure)

    def prune(self, attempt: Attempt, seconds: float) -> None:
        """The trial was ended early."""
        import optuna

        attempt.trial.set_user_attr(_SECONDS, seconds)
        self._study.tell(attempt.trial, state=optuna.trial.TrialState.PRUNED)

    def fail(self, attempt: Attempt, reason: str) -> None:
        """The trial came to nothing; its values will not be tried again."""
        import optuna

        attempt.trial.set_user_attr(_REASON, reason)
        self._study.tell(attempt.trial, state=optuna.trial.TrialState.FAIL)

    def told(self) -> list[Told]:
        """The trials that count, by their place."""
        import optuna

        state = optuna.trial.TrialState
        names = dict(zip((state.COMPLETE, state.PRUNED, state.FAIL, state.RUNNING), STATES, strict=True))
        with atomic.locked(self._folder):
            trials = sorted(
                (trial for trial in _counted(self._study) if trial.state in names),
                key=lambda trial: trial.user_attrs[_PLACE],
            )
        return [
            Told(
                place=trial.user_attrs[_PLACE],
                state=names[trial.state],
                is_defaults=bool(trial.user_attrs.get(_DEFAULTS)),
                values=dict(trial.params),
                figure=trial.value if trial.state == state.COMPLETE else None,
                reason=trial.user_attrs.get(_REASON, ""),
                seconds=trial.user_attrs.get(_SECONDS),
            )
            for trial in trials
        ]

    def _take_back(self) -> None:
        """What processes that are gone have left running waits to be tried again."""
        import optuna

        trials = self._study.get_trials(deepcopy=False)
        waiting_again = {trial.user_attrs.get(_AGAIN) for trial in trials}
        for trial in trials:
            worker = trial.user_attrs.get(_WORKER)
            # Without a worker its process died before it could say so: this one holds the lock for that.
            if trial.state != optuna.trial.TrialState.RUNNING or self._lives(worker):
                continue
            if trial.number not in waiting_again:
                kept = {_DEFAULTS: True} if trial.user_attrs.get(_DEFAULTS) else {}
                self._study.enqueue_trial(dict(trial.params), user_attrs={**kept, _AGAIN: trial.number})
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if worker:
                (self._folder / WORKERS / worker).unlink(missing_ok=True)

    def _lives(self, worker: str | None) -> bool:
        if worker is None:
            return False
        return worker == self._worker or atomic.is_locked(self._folder / WORKERS / worker)


@contextmanager
def taking_part(
    folder: Path, config: TuneConfig, hyperparameters: Settings, identity: Mapping[str, Any]
) -> Iterator[Study]:
    """The study in a folder, begun where there is none; this process takes part in it as long as the block lasts.

    Args:
        folder: of this study alone.
        config: what to try.
        hyperparameters: those of the config, which are tried first.
        identity: what all trials of a study share, plain JSON types.

    Raises:
        ConfigError: the study was begun with another identity.
        ArtifactError: its database cannot be read.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    (folder / WORKERS).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with atomic.locked(folder):
            study = _open(folder / DATABASE_FILE, _pruner(config))
            _begin_or_continue(study, folder, config, hyperparameters, identity)
            worker = stack.enter_context(atomic.presence(folder / WORKERS))
        yield Study(study, folder, worker, config, hyperparameters)


def _open(database: Path, pruner: "optuna.pruners.BasePruner") -> "optuna.Study":
    import optuna
    from sqlalchemy.exc import DatabaseError

    waiting = {"connect_args": {"timeout": _LOCK_SECONDS}}
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{database.absolute()}", engine_kwargs=waiting)
        return optuna.create_study(
            storage=storage, study_name=_STUDY, direction="maximize", pruner=pruner, load_if_exists=True
        )
    except DatabaseError as error:
        raise ArtifactError(
            f"{database}: cannot be read as a study ({error.args[0]}). "
            f"Move the folder {database.parent} away to begin anew."
        ) from error


def _begin_or_continue(
    study: "optuna.Study",
    folder: Path,
    config: TuneConfig,
    hyperparameters: Settings,
    identity: Mapping[str, Any],
) -> None:
    text = json.dumps(identity, sort_keys=True)
    begun_with = study.user_attrs.get(_IDENTITY)
    if begun_with is None:
        if not study.get_trials(deepcopy=False):
            defaults = {name: value_of(hyperparameters, name) for name in config.space}
            inside = {name: value for name, value in defaults.items() if config.space[name].holds(value)}
            study.enqueue_trial(inside, user_attrs={_DEFAULTS: True})
        study.set_user_attr(_IDENTITY, text)
    elif begun_with != text:
        changed = ", ".join(_differences(json.loads(begun_with), json.loads(text)))
        raise ConfigError(
            f"the study in {folder} was begun with another config or other data ({changed}), and figures of both do "
            f"not compare. Begin another with --set tune.study=NAME, or move the folder away."
        )


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which two values of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path


def _counted(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """All trials but those that were left unfinished and are tried again."""
    trials = study.get_trials(deepcopy=False)
    left = {trial.user_attrs.get(_AGAIN) for trial in trials}
    return [trial for trial in trials if trial.number not in left]


def _sampler(config: TuneConfig, place: int) -> "optuna.samplers.BaseSampler":
    """A sampler for one trial: its draws depend on the seed and the place alone, whoever makes them."""
    import optuna

    seed = int(np.random.SeedSequence([config.seed, place]).generate_state(1)[0])
    if config.sampler == "random":
        return optuna.samplers.RandomSampler(seed)
    return optuna.samplers.TPESampler(n_startup_trials=_RANDOM_TRIALS, seed=seed)


def _pruner(config: TuneConfig) -> "optuna.pruners.BasePruner":
    """The median of the trials before, at epochs beyond the warm-up; the first is 1."""
    import optuna

    return optuna.pruners.MedianPruner(_UNPRUNED_TRIALS, n_warmup_steps=config.warmup_epochs + 1)


def _suggest(trial: "optuna.Trial", name: str, dimension: Dimension, *, whole: bool) -> None:
    """Let the sampler choose a value, which is then in `trial.params`."""
    if dimension.choices is not None:
        trial.suggest_categorical(name, dimension.values)
        return
    low, high = dimension.ends
    if whole:
        trial.suggest_int(name, int(low), int(high), step=int(dimension.step or 1), log=dimension.log)
    else:
        trial.suggest_float(name, low, high, step=dimension.step, log=dimension.log)
