"""One YAML an experiment."""

from foretaste.config.experiment import ExperimentConfig, ModelSpec
from foretaste.config.reading import check, load_config

__all__ = ["ExperimentConfig", "ModelSpec", "check", "load_config"]
