"""Name → config class and model class.

A model is imported when it is asked for, so that torch is loaded only for those that need it.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from foretaste.errors import ConfigError, ModelError
from foretaste.models.protocol import Recommender, State
from foretaste.settings import Settings


@dataclass(frozen=True)
class ModelEntry:
    """Where a model lives."""

    module: str
    config_name: str
    class_name: str
    trained_with: str | None = None
    """A library that fitting needs, and scoring does not; one of `EXTRAS`."""

    def config_class(self) -> type[Settings]:
        """The class of its hyperparameters."""
        return cast(type[Settings], getattr(import_module(self.module), self.config_name))

    def model_class(self) -> Any:
        """The class itself."""
        return getattr(import_module(self.module), self.class_name)


EXTRAS = {"torch": "neural", "lightgbm": "ranking"}
"""Library → the extra that brings it."""

MODELS: dict[str, ModelEntry] = {
    "popularity": ModelEntry("foretaste.models.popularity", "PopularityConfig", "Popularity"),
    "item_knn": ModelEntry("foretaste.models.item_knn", "ItemKNNConfig", "ItemKNN"),
    "ease": ModelEntry("foretaste.models.ease", "EASEConfig", "EASE"),
    "als": ModelEntry("foretaste.models.als", "ALSConfig", "ALS"),
    "bpr_mf": ModelEntry("foretaste.models.bpr_mf", "BPRMFConfig", "BPRMF", "torch"),
    "ncf": ModelEntry("foretaste.models.ncf", "NCFConfig", "NCF", "torch"),
    "two_tower": ModelEntry("foretaste.models.two_tower.model", "TwoTowerConfig", "TwoTower", "torch"),
    "two_stage": ModelEntry("foretaste.models.two_stage.model", "TwoStageConfig", "TwoStage", "lightgbm"),
}


def entry(name: str) -> ModelEntry:
    """The entry of a model.

    Raises:
        ConfigError: there is no such model.
    """
    if name not in MODELS:
        raise ConfigError(f"unknown model '{name}'; expected one of {', '.join(sorted(MODELS))}.")
    return MODELS[name]


def check_trainable(name: str, config: Settings | None = None) -> None:
    """Refuse to train a model whose library or GPU is not there, before any data is read.

    Args:
        name: of the model.
        config: its hyperparameters; where they name models as `retrievers`, those are checked as well.

    Raises:
        ModelError: the library is missing; the message tells which extra brings it.
        ConfigError: it is to be trained on a GPU, and there is none.
    """
    library = entry(name).trained_with
    if library is not None and find_spec(library) is None:
        raise ModelError(
            f"training '{name}' needs {library}, which is not installed; "
            f"`pip install 'foretaste[{EXTRAS[library]}]'` brings it. Serving a trained one does without."
        )
    training = getattr(config, "training", None)
    if training is not None and training.device == "cuda":
        from foretaste.training.distributed import device_of

        device_of("cuda")
    for part in getattr(config, "retrievers", {}).values():
        check_trainable(part.type, part.hyperparameters)


def build(name: str, config: Settings | dict[str, Any]) -> Recommender:
    """A model that has learnt nothing yet."""
    found = entry(name)
    settings = found.config_class().model_validate(config) if isinstance(config, dict) else config
    return cast(Recommender, found.model_class()(settings))


def restore(name: str, config: dict[str, Any], state: State) -> Recommender:
    """A model as it was when `state()` was taken."""
    return build(name, config).load_state(state)
