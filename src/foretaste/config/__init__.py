"""One YAML an experiment."""

from foretaste.config.experiment import ExperimentConfig
from foretaste.config.reading import check, config_of, load_config
from foretaste.config.tracking import TrackingConfig
from foretaste.config.tuning import TuneConfig
from foretaste.models.spec import ModelSpec

__all__ = ["ExperimentConfig", "ModelSpec", "TrackingConfig", "TuneConfig", "check", "config_of", "load_config"]
