"""What a training is given, and what becomes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from foretaste.training.batches import Batch
from foretaste.training.optimizers import ParameterGroup
from foretaste.training.sampling import Score


@dataclass(frozen=True)
class Task:
    """A module, and what it is to learn."""

    module: nn.Module
    loss: Callable[[Batch], Tensor]
    """batch → loss_B, one for each row. What concerns the batch as a whole is added to every row."""
    score: Score | None = None
    """What the module thinks of given items; only hard negatives ask."""
    groups: Sequence[ParameterGroup] | None = None
    """Parameters with a learning rate or weight decay of their own; None treats all as the config says."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Plain values that make module and loss what they are; a checkpoint made with others is refused."""


@dataclass(frozen=True)
class TrainingResult:
    """What became of a training; the weights are in the module."""

    history: list[dict[str, float]]
    """For each epoch `loss`, `samples_per_second`, `learning_rate`, what the validation gave, and `seconds` in all."""
    best_epoch: int | None
    """The epoch, the first being 1, whose weights were kept; None where the last ones were."""
    stopped_early: bool
