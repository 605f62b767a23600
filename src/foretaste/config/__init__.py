"""One YAML an experiment."""

from foretaste.config.experiment import ExperimentConfig, ModelSpec
from foretaste.config.reading import check, lay_over, load_config
from foretaste.config.tuning import TuneConfig

__all__ = ["ExperimentConfig", "ModelSpec", "TuneConfig", "check", "lay_over", "load_config"]
