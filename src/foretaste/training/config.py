"""What a training is told: the config sections of the loop.

Nothing here imports torch, so that a config is read and a bundle of plain embeddings is served without it.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from foretaste.settings import Settings


class SamplerConfig(Settings):
    """Where the negatives of a positive come from. None of them is ever an item of the user's own history."""

    kind: Literal["uniform", "popularity", "in_batch", "hard"] = "uniform"
    """`uniform`: every item alike. `popularity`: in proportion to events^`popularity_exponent`. `in_batch`: the
    positives of the other rows of the batch. `hard`: of `num_candidates` uniform draws the one that the model now
    scores highest.
    """
    num_negatives: int = Field(default=1, ge=1)
    """Negatives of each positive; with `shared`, negatives of the whole batch. Not used by `in_batch`."""
    popularity_exponent: float = Field(default=0.75, ge=0.0, le=2.0)
    """β of `popularity`: 0 draws all items alike, 1 draws an item as often as its events occur."""
    num_candidates: int = Field(default=8, ge=2)
    """Draws from which `hard` takes the highest score, for each negative."""
    shared: bool = False
    """Draw `num_negatives` items once a batch and let every row use those that its user has not met. One matrix product
    then scores them all, so that hundreds of negatives cost little. For `uniform` and `popularity`.
    """

    @model_validator(mode="after")
    def _shared_needs_a_fixed_distribution(self) -> Self:
        if self.shared and self.kind in ("in_batch", "hard"):
            raise ValueError(
                f"`shared` goes with kind `uniform` or `popularity`, not with `{self.kind}`: in-batch negatives are "
                f"shared as they are, hard ones belong to one row. Leave `shared` out."
            )
        return self


class OptimizerConfig(Settings):
    """How gradients become steps: a dense optimiser, and lazy Adam for the embedding tables with sparse gradients."""

    dense: Literal["adam", "adamw", "sgd"] = "adam"
    """Optimiser of every parameter that is not a sparse table."""
    sparse_learning_rate: float | None = Field(default=None, gt=0.0)
    """Step size of the sparse tables; None takes the `learning_rate` of the training."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """L2 weight (`adam`, `sgd`) or decoupled decay (`adamw`) of all parameters. Refused beside sparse tables."""
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Momentum of `sgd`."""
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Decay of the mean of the gradients, for every kind of Adam."""
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Decay of the mean of the squared gradients, for every kind of Adam."""
    epsilon: float = Field(default=1e-8, gt=0.0)
    """Added to the root of the squared gradients, for every kind of Adam."""

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> Self:
        if self.momentum and self.dense != "sgd":
            raise ValueError(f"`momentum` belongs to `dense: sgd`; `{self.dense}` has `beta1` instead.")
        return self


class ScheduleConfig(Settings):
    """How the learning rate moves; a factor on it, computed for each step."""

    kind: Literal["constant", "linear", "cosine"] = "constant"
    """After the warm-up: stay at 1, or fall to `final_factor` in a straight line or along half a cosine."""
    warmup_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of all steps in which the factor first climbs in a straight line from 0 to 1."""
    final_factor: float = Field(default=0.0, ge=0.0, le=1.0)
    """Factor at the last step of `linear` and `cosine`."""


class EarlyStoppingConfig(Settings):
    """When to stop because the validation no longer improves; the best weights are kept."""

    metric: str = "ndcg@10"
    """A figure of the validation; higher is better."""
    patience: int = Field(default=5, ge=1)
    """Validations without improvement after which the training stops."""
    min_delta: float = Field(default=0.0, ge=0.0)
    """By how much the metric must exceed the best one to count as an improvement."""
    every_epochs: int = Field(default=1, ge=1)
    """Epochs from one validation to the next."""


class WarmStartConfig(Settings):
    """What is different in a training that begins where an earlier model ended."""

    epochs: int | None = Field(default=None, ge=1)
    """Passes over all positives; null for a quarter of those of a cold start, rounded down. Where that is less than one
    it is one over three quarters, half or a quarter of the positives."""
    learning_rate_factor: float = Field(default=1.0, gt=0.0)
    """Multiplies the learning rate. The optimiser starts anew and knows nothing of the earlier steps."""


class TrainingConfig(Settings):
    """One training run of a torch model."""

    epochs: int = Field(default=20, ge=1)
    """Passes over all positives."""
    epoch_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the positives that an epoch takes, drawn anew for each."""
    batch_size: int = Field(default=2048, ge=1)
    """Positives a step, over all processes."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Step size, before the schedule."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """How gradients become steps."""
    schedule: ScheduleConfig = ScheduleConfig()
    """How the learning rate moves."""
    sampler: SamplerConfig = SamplerConfig()
    """Where the negatives come from."""
    users_together: bool = False
    """Take user after user in random order, each with all events, instead of all events in random order. Shared
    negatives are scored once for a user of a batch, so that ten times as many of them cost about the same.
    """
    gradient_clip_norm: float | None = Field(default=None, gt=0.0)
    """Largest norm of all gradients together; longer ones are scaled down to it. None never clips."""
    early_stopping: EarlyStoppingConfig | None = None
    """None trains for all `epochs` and keeps the last weights, as happens where nothing is held out to validate on."""
    mixed_precision: bool = False
    """Compute in bfloat16 where that is safe, on a GPU; a CPU computes in float32 either way."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes a GPU where there is one."""
    checkpoint_dir: Path | None = None
    """Folder of the resumable checkpoint; None writes none."""
    warm_start: WarmStartConfig = WarmStartConfig()
    """What is different where an earlier model is begun from."""
    checkpoint_every_epochs: int = Field(default=1, ge=1)
    """Epochs from one checkpoint to the next. An interrupted training leaves one whatever this says."""

    @model_validator(mode="after")
    def _users_together_share_negatives(self) -> Self:
        if self.users_together and not self.sampler.shared:
            raise ValueError(
                f"`users_together` scores shared negatives once for all events of a user; those of this sampler of "
                f"kind `{self.sampler.kind}` are not shared. Set `sampler: {{kind: uniform, shared: true}}`, or leave "
                f"`users_together` out."
            )
        return self

    def refuse_decay_of_sparse(self, *, sparse: bool) -> None:
        """Called by the config of a model whose tables may be sparse.

        Raises:
            ValueError: they are, and weights decay.
        """
        if sparse and self.optimizer.weight_decay:
            raise ValueError(
                f"sparse tables go without weight decay, and `training.optimizer.weight_decay` is "
                f"{self.optimizer.weight_decay:g}: decay moves every row at every step, a sparse step only those of "
                f"the batch. Set `sparse: false`, or leave the decay out"
            )

    def continued(self) -> "TrainingConfig":
        """The training that follows a warm start: a fixed number of epochs, for what is held out is known already."""
        changes, factor = self.warm_start, self.warm_start.learning_rate_factor
        sparse_rate = self.optimizer.sparse_learning_rate
        optimizer = self.optimizer.model_copy(
            update={"sparse_learning_rate": None if sparse_rate is None else sparse_rate * factor}
        )
        return self.model_copy(
            update={
                "epochs": changes.epochs or max(1, self.epochs // 4),
                "epoch_share": self.epoch_share * (1.0 if changes.epochs else min(1.0, self.epochs / 4)),
                "learning_rate": self.learning_rate * factor,
                "optimizer": optimizer,
                "early_stopping": None,
            }
        )
