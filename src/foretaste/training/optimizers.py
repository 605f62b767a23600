"""How gradients become steps: one optimiser for the dense parameters, lazy Adam for the sparse tables beside it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foretaste.errors import ModelError
from foretaste.training.config import ScheduleConfig, TrainingConfig
from foretaste.training.lazy_adam import LazyAdam


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are trained alike."""

    parameters: Sequence[nn.Parameter]
    sparse: bool = False
    """True for embedding tables with sparse gradients, and for nothing else."""
    learning_rate: float | None = None
    """Step size before the schedule; None takes that of the config."""
    weight_decay: float | None = None
    """As in `OptimizerConfig`, which None takes."""


def groups_of(module: nn.Module) -> list[ParameterGroup]:
    """The parameters of `module` in at most two groups: its sparse tables, and all the rest."""
    sparse_ids = {id(table.weight) for table in _tables(module) if table.sparse}
    sparse = [parameter for parameter in module.parameters() if id(parameter) in sparse_ids]
    dense = [parameter for parameter in module.parameters() if id(parameter) not in sparse_ids]
    groups = [ParameterGroup(dense), ParameterGroup(sparse, sparse=True)]
    return [group for group in groups if group.parameters]


def build_optimizers(
    module: nn.Module, config: TrainingConfig, groups: Sequence[ParameterGroup] | None = None
) -> list[torch.optim.Optimizer]:
    """The optimisers of all parameters of `module`: a dense one, a lazy one, or both.

    Args:
        module: on the device that it will be trained on.
        config: learning rate and optimiser.
        groups: parameters with settings of their own; None takes `groups_of(module)`.

    Raises:
        ModelError: a combination that would not train as asked: a sparse table with `max_norm` or with weight decay, a
            dense parameter in a sparse group, a sparse table in a dense one.
    """
    groups = groups_of(module) if groups is None else groups
    _refuse_illegal(module, config, groups)
    settings = config.optimizer
    dense = [_torch_group(group, config, config.learning_rate) for group in groups if not group.sparse]
    sparse_rate = settings.sparse_learning_rate or config.learning_rate
    sparse = [_torch_group(group, config, sparse_rate) for group in groups if group.sparse]
    betas = (settings.beta1, settings.beta2)
    optimizers: list[torch.optim.Optimizer] = []
    if dense and settings.dense == "sgd":
        optimizers.append(torch.optim.SGD(dense, momentum=settings.momentum, fused=True))
    elif dense:
        kind = torch.optim.AdamW if settings.dense == "adamw" else torch.optim.Adam
        optimizers.append(kind(dense, betas=betas, eps=settings.epsilon, fused=True))
    if sparse:
        optimizers.append(LazyAdam(sparse, betas=betas, eps=settings.epsilon))
    return optimizers


def _torch_group(group: ParameterGroup, config: TrainingConfig, learning_rate: float) -> dict[str, Any]:
    rate = learning_rate if group.learning_rate is None else group.learning_rate
    decay = config.optimizer.weight_decay if group.weight_decay is None else group.weight_decay
    made = {"params": list(group.parameters), "lr": rate, "base_lr": rate}
    return made if group.sparse else {**made, "weight_decay": decay}


def _tables(module: nn.Module) -> list[nn.Embedding | nn.EmbeddingBag]:
    return [part for part in module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)]


def _refuse_illegal(module: nn.Module, config: TrainingConfig, groups: Sequence[ParameterGroup]) -> None:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    sparse_ids = {id(table.weight) for table in _tables(module) if table.sparse}
    for table in _tables(module):
        if table.sparse and table.max_norm is not None:
            raise ModelError(
                f"table '{names[id(table.weight)]}' is sparse and has max_norm {table.max_norm:g}: max_norm rewrites "
                f"rows in every forward pass, behind the back of the moments that Adam keeps for them. Set "
                f"sparse: false, or leave max_norm out and use the model's regularization."
            )
    for group in groups:
        decay = config.optimizer.weight_decay if group.weight_decay is None else group.weight_decay
        for parameter in group.parameters:
            name, is_sparse = names[id(parameter)], id(parameter) in sparse_ids
            if group.sparse and not is_sparse:
                raise ModelError(
                    f"'{name}' is in a sparse group, and its gradient is dense: lazy Adam steps only the rows that a "
                    f"gradient names. Put it into a dense group, or make it an embedding table with sparse: true."
                )
            if is_sparse and not group.sparse:
                raise ModelError(
                    f"'{name}' is a sparse table in a dense group: {config.optimizer.dense} cannot take a sparse "
                    f"gradient. Put it into a group with sparse=True, or set sparse: false for the table."
                )
            if is_sparse and decay > 0:
                raise ModelError(
                    f"'{name}' is a sparse table with weight decay {decay:g}: decay moves every row at every step, "
                    f"and a sparse step touches only the rows of the batch. Set weight_decay: 0 and use the model's "
                    f"regularization, which counts the rows of the batch, or set sparse: false."
                )
    grouped = {id(parameter) for group in groups for parameter in group.parameters}
    assert all(id(parameter) in grouped for parameter in module.parameters() if parameter.requires_grad)


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> None:
    """Scale all gradients, sparse ones included, so that their common norm is at most `max_norm`."""
    grads: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                # Rows named twice must be added up before their norm means anything.
                parameter.grad = parameter.grad.coalesce()
            grads.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
    if grads:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        torch._foreach_mul_(grads, (max_norm / (norm + 1e-6)).clamp(max=1.0))


def learning_rate_factor(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """What the learning rate is multiplied by at `step`, the first being 0."""
    warmup_steps = round(config.warmup_fraction * total_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if config.kind == "constant":
        return 1.0
    done = (step - warmup_steps) / max(total_steps - 1 - warmup_steps, 1)
    left = 1 - done if config.kind == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.final_factor + (1 - config.final_factor) * left


def set_learning_rate(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Multiply the base learning rate of every group by `factor`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
