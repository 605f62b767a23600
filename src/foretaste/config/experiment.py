"""What an experiment is: the sections and keys of its YAML."""

from typing import Any, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from foretaste.config.tracking import TrackingConfig
from foretaste.config.tuning import TuneConfig
from foretaste.data.feedback import FeedbackConfig, without_password
from foretaste.data.prepare import PrepareConfig
from foretaste.data.sources import SourceConfig
from foretaste.data.splits import GlobalTimeSplit, SplitConfig
from foretaste.data.validate import BadRows
from foretaste.errors import ConfigError
from foretaste.evaluation.diagnostics import DiagnosticsConfig
from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.models.search_space import check_space
from foretaste.models.spec import ModelSpec, model_specs
from foretaste.settings import NAME_PATTERN, Settings


class ExperimentConfig(Settings):
    """All that a run depends on: the same config on the same data gives the same result."""

    name: str = Field(default="experiment", pattern=NAME_PATTERN)
    """Begins the ids of its runs: lower case, digits, dots and dashes. Default: the name of the file."""
    seed: int = Field(default=0, ge=0)
    """Of every model's training."""
    data: SourceConfig
    """Which source, and where its files are."""
    bad_rows: BadRows = BadRows()
    """What happens to rows that cannot be read."""
    erasures: str | None = None
    """Database of a service's logs, as its `log.url`: events of users who were forgotten there are left out."""
    feedback: FeedbackConfig | None = None
    """What people did with what a service showed them, from its logs; null for none."""
    prepare: PrepareConfig = PrepareConfig()
    split: SplitConfig = GlobalTimeSplit()
    """How the events are divided; by global time unless `method` says otherwise."""
    models: dict[str, ModelSpec] = Field(min_length=1)
    """Label → hyperparameters; the label is the type of the model unless `type` says otherwise."""
    evaluation: EvaluationConfig = EvaluationConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    refit: bool = True
    """Train each model again on train and valid before it is tested and published."""
    tune: TuneConfig | None = None
    """The search of `foretaste tune`; a run takes no notice of it."""
    tracking: TrackingConfig | None = None
    """Where runs are tracked; null, given as such, for the defaults, and nowhere without the section."""

    @field_serializer("erasures", when_used="json-unless-none")
    def _without_password(self, erasures: str) -> str:
        return without_password(erasures)

    @field_validator("models", mode="before")
    @classmethod
    def _by_registry(cls, models: Any) -> Any:
        return model_specs("models", models)

    @field_validator("split", mode="before")
    @classmethod
    def _by_time_unless_told(cls, split: Any) -> Any:
        return {"method": "global_time", **split} if isinstance(split, dict) else split

    @field_validator("tracking", mode="before")
    @classmethod
    def _tracks_by_default(cls, tracking: Any) -> Any:
        return {} if tracking is None else tracking

    @model_validator(mode="after")
    def _tunes_what_there_is(self) -> Self:
        if self.tune is not None:
            check_space(self.tune.space, self.models[self.tuned_label()].hyperparameters, where="tune.space")
        return self

    @model_validator(mode="after")
    def _reads_all_of_the_log(self) -> Self:
        if self.feedback is not None and self.prepare.max_interactions is not None:
            raise ValueError(
                "prepare.max_interactions reads the first events only, and those of 'feedback' come last; leave one out"
            )
        return self

    def tuned_label(self) -> str:
        """The label of the model that `tune` is about.

        Raises:
            ConfigError: there is no `tune` section, or it does not say which model.
        """
        if self.tune is None:
            raise ConfigError(
                "no 'tune' section in the config; expected one with a search space, as in "
                "'tune: {model: als, space: {embedding_dim: {choices: [32, 64]}}}'."
            )
        label = self.tune.model or (next(iter(self.models)) if len(self.models) == 1 else "")
        if label not in self.models:
            known = ", ".join(self.models)
            raise ConfigError(f"tune.model: expected a label of 'models', one of {known}; found '{label}'.")
        return label

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included; sections that are not there are left out."""
        resolved = super().resolved() | {"models": {label: spec.resolved() for label, spec in self.models.items()}}
        return {key: value for key, value in resolved.items() if value is not None}
