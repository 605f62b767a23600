"""What an experiment is: the sections and keys of its YAML."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from foretaste.config.explained import SectionError
from foretaste.data.prepare import PrepareConfig
from foretaste.data.sources import SourceConfig
from foretaste.data.splits import GlobalTimeSplit, SplitConfig
from foretaste.data.validate import BadRows
from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.models.registry import entry
from foretaste.settings import Settings


class ModelSpec(Settings):
    """One model of an experiment: which, and its hyperparameters."""

    type: str
    """Name in the registry: popularity, item_knn, ease, als …"""
    hyperparameters: SerializeAsAny[Settings]

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included."""
        return {"type": self.type, **self.hyperparameters.resolved()}


class ExperimentConfig(Settings):
    """All that a run depends on: the same config on the same data gives the same result."""

    name: str = Field(default="experiment", pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Begins the ids of its runs: lower case, digits, dots and dashes. Default: the name of the file."""
    seed: int = Field(default=0, ge=0)
    """Of every model's training."""
    data: SourceConfig
    """Which source, and where its files are."""
    bad_rows: BadRows = BadRows()
    """What happens to rows that cannot be read."""
    prepare: PrepareConfig = PrepareConfig()
    split: SplitConfig = GlobalTimeSplit()
    models: dict[str, ModelSpec] = Field(min_length=1)
    """Label → hyperparameters; the label is the type of the model unless `type` says otherwise."""
    evaluation: EvaluationConfig = EvaluationConfig()
    refit: bool = True
    """Train each model again on train and valid before it is tested and published."""

    @field_validator("models", mode="before")
    @classmethod
    def _by_registry(cls, models: Any) -> Any:
        if not isinstance(models, Mapping):
            raise ValueError("expected a section for each model, as in 'als: {embedding_dim: 64}'")
        return {label: _model_spec(str(label), section) for label, section in models.items()}

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included."""
        return super().resolved() | {"models": {label: spec.resolved() for label, spec in self.models.items()}}


def _model_spec(label: str, section: Any) -> ModelSpec:
    if isinstance(section, ModelSpec):
        return section
    if not isinstance(section, Mapping | None):
        raise ValueError(f"expected hyperparameters under models.{label}, as in 'embedding_dim: 64', not '{section}'")
    values = dict(section or {})
    name = str(values.pop("type", label))
    config_class = entry(name).config_class()
    try:
        return ModelSpec(type=name, hyperparameters=config_class.model_validate(values))
    except ValidationError as error:
        raise SectionError(("models", label), error, config_class) from error
