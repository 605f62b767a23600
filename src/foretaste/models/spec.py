"""A model as a section of a YAML: which one, and its hyperparameters."""

from collections.abc import Mapping
from typing import Any

from pydantic import SerializeAsAny, ValidationError

from foretaste.models.registry import entry
from foretaste.settings import SectionError, Settings

_LONGEST_LABEL = 100


class ModelSpec(Settings):
    """One model of an experiment: which, and its hyperparameters."""

    type: str
    """Name in the registry: popularity, item_knn, ease, als …"""
    hyperparameters: SerializeAsAny[Settings]

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included."""
        return {"type": self.type, **self.hyperparameters.resolved()}


def model_specs(section: str, models: Any) -> dict[str, ModelSpec]:
    """Label → model, of a section that holds one model a label.

    The label is the type of the model unless `type` says otherwise.

    Args:
        section: its key in the file, for messages.
        models: what stands there.

    Raises:
        ValueError: it is no such section, or holds an unknown hyperparameter.
        ConfigError: there is no model of that type.
    """
    if not isinstance(models, Mapping):
        raise ValueError("expected a section for each model, as in 'als: {embedding_dim: 64}'")
    return {str(label): _model_spec(section, str(label), values) for label, values in models.items()}


def _model_spec(section: str, label: str, values: Any) -> ModelSpec:
    if not label.isprintable() or "/" in label or label[:1] in ("", ".") or len(label) > _LONGEST_LABEL:
        raise ValueError(f"'{label:.40}' is no label: files are named by it; expected a short name, as in als-64")
    if isinstance(values, ModelSpec):
        return values
    if not isinstance(values, Mapping | None):
        raise ValueError(f"expected hyperparameters under {section}.{label}, as in 'embedding_dim: 64', not '{values}'")
    hyperparameters = dict(values or {})
    name = str(hyperparameters.pop("type", label))
    config_class = entry(name).config_class()
    try:
        return ModelSpec(type=name, hyperparameters=config_class.model_validate(hyperparameters))
    except ValidationError as error:
        raise SectionError((section, label), error, config_class) from error
