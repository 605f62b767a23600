"""The loop: draw a batch, take a step, and again; on a CPU, a GPU, or many processes under torchrun.

    with join_world(config.device) as world, seeded(seed, world.device):
        module = ...
        train(Task(module, loss), interactions, config, TrainingContext(seed=seed, world=world))

Nothing is done by row in Python: positives are tensors on the device, a batch is a slice of one permutation an epoch.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from foretaste.data.interactions import Interactions
from foretaste.errors import ConfigError, ModelError
from foretaste.training.batches import InteractionTensors
from foretaste.training.checkpoint import (
    Interrupt,
    deferred_interrupt,
    load_checkpoint,
    make_folder,
    save_checkpoint,
)
from foretaste.training.config import ScheduleConfig, TrainingConfig
from foretaste.training.context import (
    TrainingContext,
    derived_seed,
    deterministic,
    random_state,
    seeded,
    set_random_state,
)
from foretaste.training.distributed import broadcast_module
from foretaste.training.early_stopping import EarlyStopping
from foretaste.training.not_finite import describe_rows, not_finite_message
from foretaste.training.optimizers import (
    build_optimizers,
    clip_gradients,
    learning_rate_factor,
    set_learning_rate,
)
from foretaste.training.sampling import build_sampler
from foretaste.training.task import Task, TrainingResult

_SECONDS_BETWEEN_REPORTS = 0.2
_PROCESSES, _NEGATIVES, _ORDERS = 1, 2, 3
"""What the run's seed is used for."""


@dataclass
class Position:
    """How far a training has come."""

    epoch: int = 0
    """Whole epochs done."""
    step: int = 0
    """Steps done in the epoch after those."""
    loss_sum: float = 0.0
    """Over the rows of those steps."""
    history: list[dict[str, float]] = field(default_factory=list)
    """The figures of each whole epoch."""


def train(
    task: Task, interactions: Interactions, config: TrainingConfig, context: TrainingContext | None = None
) -> TrainingResult:
    """Train `task.module` in place; it ends on the device of the context, in evaluation mode, with its best weights.

    Raises:
        ArtifactError: the checkpoint cannot be written.
        ModelError: a user without a negative, an illegal optimiser, or a loss, weight or validation that is no number.
        ConfigError: the checkpoint to resume belongs to another run; the metric of early stopping does not exist.
        KeyboardInterrupt: someone asked to stop; with a `checkpoint_dir` a resumable checkpoint is written first.
    """
    run = _Run(task, interactions, config, context or TrainingContext())
    world = run.context.world
    with (
        seeded(derived_seed(run.context.seed, _PROCESSES, world.rank), world.device),
        deterministic(world.device),
        deferred_interrupt() as interrupt,
    ):
        run.resume()
        while not run.is_done:
            run.train_epoch(interrupt)
        if interrupt.requested:
            raise KeyboardInterrupt
        if run.stopping and run.stopping.best_weights:
            run.module.load_state_dict(run.stopping.best_weights)
        run.module.eval()
    stopping = run.stopping
    return TrainingResult(
        run.position.history,
        stopping.best_epoch if stopping else None,
        bool(stopping and stopping.has_run_out and run.position.epoch < config.epochs),
    )


class _Run:
    """One training under way: all that its steps share."""

    def __init__(
        self, task: Task, interactions: Interactions, config: TrainingConfig, context: TrainingContext
    ) -> None:
        if not len(interactions):
            raise ModelError("there are no interactions to train on.")
        if context.checkpoint_dir is not None:
            config = config.model_copy(update={"checkpoint_dir": context.checkpoint_dir})
        self.task, self.config, self.context, self.interactions = task, config, context, interactions
        self.world, self.device = context.world, context.world.device
        self.module = task.module.to(self.device)
        broadcast_module(self.module, self.world)
        self.positives = InteractionTensors.of(interactions, self.device)
        generator = torch.Generator(self.device).manual_seed(derived_seed(context.seed, _NEGATIVES))
        self.sampler = build_sampler(config.sampler, interactions, self.positives, generator, task.score)
        self.optimizers = build_optimizers(self.module, config, task.groups)
        self.stopping = EarlyStopping(config.early_stopping) if config.early_stopping and context.validate else None
        self.rows_per_epoch = math.ceil(len(interactions) * config.epoch_share)
        self.steps_per_epoch = math.ceil(self.rows_per_epoch / config.batch_size)
        self.position = Position()
        self.reported_at = 0.0

    @property
    def is_done(self) -> bool:
        """True after the last epoch, or when the patience is used up."""
        return self.position.epoch >= self.config.epochs or bool(self.stopping and self.stopping.has_run_out)

    def train_epoch(self, interrupt: Interrupt) -> None:
        """The rest of the current epoch, its validation, report and checkpoint."""
        position, config = self.position, self.config
        order_N = self.order_of_epoch(position.epoch)
        started_at, first_step = time.perf_counter(), position.step
        self.module.train()
        for step in range(first_step, self.steps_per_epoch):
            rows_G = order_N[step * config.batch_size : (step + 1) * config.batch_size]
            loss_sum, interrupted = self.train_step(rows_G, interrupt)
            position.step, position.loss_sum = step + 1, position.loss_sum + loss_sum
            self.report(first_step, started_at)
            if interrupted:
                self.refuse_broken_weights()
                self.save()
                raise KeyboardInterrupt
        self.refuse_broken_weights()
        figures = self.figures(first_step, started_at)
        position.epoch, position.step, position.loss_sum = position.epoch + 1, 0, 0.0
        figures |= self.validate()
        figures["seconds"] = time.perf_counter() - started_at
        position.history.append(figures)
        if self.world.is_writer:
            self.context.on_epoch(position.epoch, figures)
        if position.epoch % config.checkpoint_every_epochs == 0 or self.is_done:
            self.save()

    def train_step(self, rows_G: Tensor, interrupt: Interrupt) -> tuple[float, bool]:
        """One step on the global batch: (its sum of losses, whether any process is to stop)."""
        share = self.world.share(len(rows_G))
        user_G, positive_G = self.positives.user_N[rows_G].long(), self.positives.item_N[rows_G].long()
        batch = self.sampler.draw(user_G, positive_G, share)
        set_learning_rate(self.optimizers, self.learning_rate_factor(self.position.step))
        self.module.zero_grad(set_to_none=True)
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision and on_gpu):
            # A process without a row of this batch still takes part in the sums.
            loss_B = self.task.loss(batch) if len(batch) else torch.zeros(0, device=self.device)
        if self.positives.weight_N is not None:
            loss_B = loss_B * self.positives.weight_N[rows_G][share]
        # In double precision, because bfloat16 would lose most rows of the sum.
        loss = loss_B.double().sum()
        sums = torch.stack([loss.detach(), loss.new_tensor(float(interrupt.requested))])
        loss_sum, interrupts = self.world.sum(sums).tolist()
        if not math.isfinite(loss_sum):
            raise ModelError(self.not_finite_message(describe_rows(batch, loss_B.detach(), self.interactions)))
        if len(batch):
            torch.autograd.backward(loss / len(rows_G))
        self.world.sum_gradients(self.module.parameters())
        if self.config.gradient_clip_norm is not None:
            clip_gradients(self.module.parameters(), self.config.gradient_clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        return loss_sum, interrupts > 0

    def order_of_epoch(self, epoch: int) -> Tensor:
        """The rows of an epoch in order, a function of seed and epoch alone."""
        generator = torch.Generator(self.device).manual_seed(derived_seed(self.context.seed, _ORDERS, epoch))
        order_N = torch.randperm(len(self.positives), generator=generator, device=self.device)
        if self.config.users_together:
            turn_U = torch.randperm(self.positives.num_users, generator=generator, device=self.device)
            order_N = order_N[turn_U[self.positives.user_N[order_N].long()].argsort(stable=True)]
        return order_N[: self.rows_per_epoch]

    def learning_rate_factor(self, step: int) -> float:
        """The schedule's factor at a step of the current epoch."""
        done = self.position.epoch * self.steps_per_epoch + step
        return learning_rate_factor(done, self.config.epochs * self.steps_per_epoch, self.config.schedule)

    def validate(self) -> dict[str, float]:
        """Figures of the module after the epoch just done; none where no validation is due."""
        epoch = self.position.epoch
        if self.context.validate is None or (self.stopping and not self.stopping.is_due(epoch, self.config.epochs)):
            return {}
        self.module.eval()
        with torch.no_grad():
            # NumPy's numbers could not be read back from a checkpoint.
            figures = {name: float(value) for name, value in self.context.validate().items()}
        if self.stopping:
            self.stopping.note(epoch, figures, self.module)
        return figures

    def figures(self, first_step: int, started_at: float) -> dict[str, float]:
        """Mean loss and learning rate of the current epoch so far, and its speed since `first_step`."""
        rows_done = min(self.position.step * self.config.batch_size, self.rows_per_epoch)
        rows_now = rows_done - min(first_step * self.config.batch_size, self.rows_per_epoch)
        return {
            "loss": self.position.loss_sum / rows_done,
            "samples_per_second": rows_now / (time.perf_counter() - started_at),
            "learning_rate": self.config.learning_rate * self.learning_rate_factor(self.position.step - 1),
        }

    def report(self, first_step: int, started_at: float) -> None:
        """Tell the progress, a few times a second and at the end of an epoch."""
        now, step = time.perf_counter(), self.position.step
        due = now - self.reported_at >= _SECONDS_BETWEEN_REPORTS or step == self.steps_per_epoch
        if due and self.world.is_writer:
            self.reported_at = now
            done = self.position.epoch * self.steps_per_epoch + step
            total = self.config.epochs * self.steps_per_epoch
            self.context.progress(done, total, self.figures(first_step, started_at))

    def not_finite_message(self, rows: str = "") -> str:
        """What the error says when training went wrong after this position."""
        when = f"after {self.position.epoch} epochs and {self.position.step:,} steps"
        rate = self.config.learning_rate * self.learning_rate_factor(self.position.step)
        return not_finite_message(when, rate, rows, self.module, self.config.checkpoint_dir)

    def refuse_broken_weights(self) -> None:
        """Raise if a weight is not finite: a finite loss may have a gradient that is not."""
        if not all(bool(parameter.isfinite().all()) for parameter in self.module.parameters()):
            raise ModelError(self.not_finite_message(" The last step broke the weights."))

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.config.checkpoint_dir is None:
            return
        state = {
            "module": self.module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "sampler": self.sampler.generator.get_state(),
            "random_RX": self.world.gather_rows(random_state(self.device)[None].to(self.device)).cpu(),
            "stopping": self.stopping.state() if self.stopping else None,
            "position": dict(vars(self.position)),
        }
        if self.world.is_writer:
            save_checkpoint(self.config.checkpoint_dir, self.identity(), state)

    def resume(self) -> None:
        """Go on where the checkpoint stands, if that is wanted and there is one."""
        folder = self.config.checkpoint_dir
        if folder is not None and self.world.is_writer:
            make_folder(folder)  # refused now, and not after an epoch
        state = load_checkpoint(folder, self.identity()) if folder and self.context.resume else None
        if state is None:
            return
        try:
            self.module.load_state_dict(state["module"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f"{folder}: the checkpoint belongs to a model of another shape: {error}") from error
        self.sampler.generator.set_state(state["sampler"])
        if len(state["random_RX"]) == self.world.size:
            set_random_state(state["random_RX"][self.world.rank], self.device)
        if self.stopping and state["stopping"]:
            self.stopping.load_state(state["stopping"])
        self.position = Position(**state["position"])
        if self.world.is_writer:
            for epoch, figures in enumerate(self.position.history, 1):
                self.context.on_epoch(epoch, figures)

    def identity(self) -> dict[str, Any]:
        """What a run must share with this one to continue its checkpoint."""
        free = {"device", "checkpoint_dir", "checkpoint_every_epochs", "warm_start"}
        if self.config.schedule == ScheduleConfig():
            # Without a schedule no step depends on how many follow: a run may be continued beyond its end.
            free.add("epochs")
        told = self.config.model_dump(mode="json", exclude=free)
        return {
            **told,
            "seed": self.context.seed,
            "data": self.interactions.fingerprint,
            "model": dict(self.task.settings),
        }
