"""Stops when the validation no longer improves, and remembers the weights of its best."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from foretaste.errors import ConfigError, ModelError
from foretaste.training.config import EarlyStoppingConfig


class EarlyStopping:
    """The best validation so far, and how many there have been since."""

    def __init__(self, config: EarlyStoppingConfig) -> None:
        self.config = config
        self.best_epoch: int | None = None
        self.best_value = float("-inf")
        self.validations_since = 0
        self.best_weights: dict[str, Tensor] = {}

    def is_due(self, epoch: int, epochs: int) -> bool:
        """True after every `every_epochs` epochs and after the last one."""
        return epoch % self.config.every_epochs == 0 or epoch == epochs

    def note(self, epoch: int, figures: Mapping[str, float], module: nn.Module) -> None:
        """Take in the validation after `epoch`; keep a copy of the weights if it is the best.

        Raises:
            ConfigError: the metric is not among the figures.
            ModelError: it is not a number, so that nothing can be better or worse.
        """
        if self.config.metric not in figures:
            raise ConfigError(
                f"early_stopping.metric: expected one of {', '.join(sorted(figures))}; found '{self.config.metric}'."
            )
        value = figures[self.config.metric]
        if math.isnan(value):
            raise ModelError(
                f"the validation after epoch {epoch} gave no number for '{self.config.metric}'. Hold out events that "
                f"it can be measured on, or leave early_stopping out."
            )
        if value > self.best_value + self.config.min_delta or self.best_epoch is None:
            self.best_epoch, self.best_value, self.validations_since = epoch, value, 0
            self.best_weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        else:
            self.validations_since += 1

    @property
    def has_run_out(self) -> bool:
        """True when the patience is used up."""
        return self.validations_since >= self.config.patience

    def state(self) -> dict[str, Any]:
        """All that it remembers."""
        return {
            "best_epoch": self.best_epoch,
            "best_value": self.best_value,
            "validations_since": self.validations_since,
            "best_weights": self.best_weights,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Remember what `state()` gave."""
        self.best_epoch, self.best_value = state["best_epoch"], state["best_value"]
        self.validations_since, self.best_weights = state["validations_since"], state["best_weights"]
