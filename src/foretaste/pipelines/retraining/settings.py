"""How the loop runs: every section of `configs/retrain.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from foretaste.config import ExperimentConfig, load_config
from foretaste.data.feedback import FeedbackConfig
from foretaste.monitoring.release import WatchConfig
from foretaste.pipelines.retraining.guard_settings import GuardConfig
from foretaste.serving.settings import ServingConfig
from foretaste.settings import Settings


class MergeLimits(Settings):
    """What the log may have done to the data; null checks nothing."""

    max_lost_share: float | None = Field(default=0.2, ge=0, le=1)
    """Events of the log that name nobody, or an item that the catalogue has not, over all of them; at most. More tells
    of ids that no longer fit."""
    max_repeated_share: float | None = Field(default=0.6, ge=0, le=1)
    """Events in whose place a later one of the same pair came, over all that were read; at most."""
    max_new_user_share: float | None = Field(default=0.95, ge=0, le=1)
    """Fresh events by users whom the live model does not know, over all fresh events; at most."""
    max_new_item_share: float | None = Field(default=0.8, ge=0, le=1)
    """Fresh events with items that the live model does not know, likewise."""
    min_rows_share: float | None = Field(default=0.8, ge=0)
    """Rows read, over those that the last training read; at least."""


class ScheduleConfig(Settings):
    """When `foretaste retrain --watch` trains. Whichever asks first is heard."""

    every_hours: float | None = Field(default=24, gt=0)
    """From the start of one training to that of the next; null for no period."""
    new_events: int | None = Field(default=None, ge=1)
    """Train when so many events came to the log since the last training; null for any number."""
    drift: bool = False
    """Train when what comes in or goes out has drifted, by `foretaste monitor drift`."""
    drift_window: str = Field(default="7d", pattern=r"^\d{1,6}[hdw]$")
    """Hours, days or weeks up to now that are looked at for drift."""
    rest_hours: float = Field(default=1, ge=0)
    """Hours after the start of a training in which neither volume nor drift asks for the next."""
    check_seconds: float = Field(default=60, gt=0)
    """From one look to the next."""


class RetrainConfig(Settings):
    """What is trained again, from what, and when it takes the place of the live model."""

    experiment: ExperimentConfig
    """The YAML of an experiment, or its sections: the data, its preparation, and the models."""
    model: str | None = None
    """Label of the model in the experiment. Default: the one of the live bundle's type, or the only one there is."""
    feedback: FeedbackConfig | None = None
    """Log of the service. Default: that of the experiment, or else that of a service with default settings."""
    serving: ServingConfig | None = None
    """The YAML of the service, or its sections, whose slate the guard's replay serves a challenger by. Default: none,
    and the replay serves it by score alone."""
    holdout: float = Field(default=0.2, gt=0, lt=1)
    """Share of the fresh events, which are those after the live model's training, the newest: nobody learns from them,
    and both models are judged by them."""
    min_new_events: int = Field(default=100, ge=0)
    """Events that must have come to the log since the last training; with fewer nothing is done."""
    warm_start: bool = False
    """Begin where the live model ended, in a fraction of the time; where that cannot be, the training begins cold."""
    max_warm_starts: int = Field(default=6, ge=0)
    """Warm starts in a row before a training begins cold again, so that nothing learnt long ago is kept for ever."""
    keep_bundles: int | None = Field(default=None, ge=2)
    """After a verdict delete all bundles but so many of the newest, and but the live one and the one before it; null
    deletes none. Bundles that a service names by their id, as in an experiment, are not spared."""
    merge: MergeLimits = MergeLimits()
    guard: GuardConfig = GuardConfig()
    watch: WatchConfig = WatchConfig()
    """After a promotion; `--watch` keeps it, as `foretaste monitor watch` does."""
    schedule: ScheduleConfig = ScheduleConfig()

    @field_validator("experiment", mode="before")
    @classmethod
    def _of_a_file(cls, experiment: Any) -> Any:
        if isinstance(experiment, str | Path):
            return load_config(Path(experiment), ExperimentConfig)
        if not isinstance(experiment, Mapping | ExperimentConfig):
            raise ValueError(
                "expected the path of an experiment, as in 'experiment: configs/demo.yaml', or its sections"
            )
        return experiment

    @field_validator("serving", mode="before")
    @classmethod
    def _of_the_service(cls, serving: Any) -> Any:
        return load_config(Path(serving), ServingConfig) if isinstance(serving, str | Path) else serving

    @model_validator(mode="after")
    def _fits_the_experiment(self) -> Self:
        experiment = self.experiment
        if self.model is not None and self.model not in experiment.models:
            raise ValueError(f"model: no '{self.model}' in the experiment; it has {', '.join(experiment.models)}")
        if experiment.prepare.max_interactions is not None:
            raise ValueError(
                "experiment.prepare.max_interactions reads the first events only, and those of the log come last; "
                "leave it out"
            )
        return self

    @property
    def log(self) -> FeedbackConfig:
        """Which events of which log count."""
        return self.feedback or self.experiment.feedback or FeedbackConfig()

    def with_log(self) -> ExperimentConfig:
        """The experiment whose data is joined by the log; who was forgotten there is left out of the rest, too."""
        log = self.log
        erasures = self.experiment.erasures or log.log
        return self.experiment.model_copy(update={"feedback": log, "erasures": erasures, "tracking": None})
