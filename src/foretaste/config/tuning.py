"""What `foretaste tune` tries, and how."""

from typing import Literal

from pydantic import Field

from foretaste.models.search_space import Dimension
from foretaste.settings import NAME_PATTERN, Settings


class TuneConfig(Settings):
    """A search over the hyperparameters of one model. Those of the config itself are tried first."""

    model: str | None = None
    """Label of the model; may be left out where the config has one."""
    study: str | None = Field(default=None, pattern=NAME_PATTERN)
    """Name under which the study can be continued. Default: the config's name and the model's label."""
    trials: int = Field(default=20, ge=1)
    """In all: those of earlier starts, and of other processes, count."""
    sampler: Literal["tpe", "random"] = "tpe"
    """`tpe` learns from the trials so far (Bergstra et al. 2011; its first ten are random); `random` does not."""
    seed: int = Field(default=0, ge=0)
    """Of the sampler; the training has its own."""
    prune: bool = True
    """End a training by gradient that is on valid, after as many epochs, worse than the median of those before it."""
    warmup_epochs: int = Field(default=3, ge=1)
    """Epochs that every training has."""
    space: dict[str, Dimension] = Field(min_length=1)
    """Hyperparameter, by its dotted path, → the values to try."""
