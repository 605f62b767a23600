"""The message of a training that is no longer finite: where, whose rows, and how large the weights are."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from foretaste.data.interactions import Interactions
from foretaste.training.batches import Batch
from foretaste.training.checkpoint import checkpoint_path

_EXAMPLES = 3


def not_finite_message(
    when: str, learning_rate: float, rows: str, module: nn.Module, checkpoint_dir: Path | None
) -> str:
    """What the error says.

    Args:
        when: the step, in words.
        learning_rate: of the step.
        rows: what `describe_rows` gave.
        module: whose weights are named with their norms, those that are not finite or largest first.
        checkpoint_dir: where the last good checkpoint lies, if any was wanted.
    """
    norms = {name: float(torch.linalg.vector_norm(p.detach().double())) for name, p in module.named_parameters()}
    largest = sorted(norms, key=lambda name: norms[name] if math.isfinite(norms[name]) else math.inf, reverse=True)
    weights = ", ".join(f"{name} {norms[name]:.3g}" for name in largest[:_EXAMPLES])
    path = checkpoint_path(checkpoint_dir) if checkpoint_dir else None
    kept = f" The last good checkpoint stands: {path}." if path and path.exists() else ""
    return (
        f"training is no longer finite {when}, at learning rate {learning_rate:g}.{rows} Norms of the weights: "
        f"{weights}. Lower learning_rate, or set gradient_clip_norm.{kept}"
    )


def describe_rows(batch: Batch, loss_B: Tensor, interactions: Interactions) -> str:
    """How many rows of the batch have a loss that is not finite, and the first of them by their external ids."""
    bad_X = (~loss_B.isfinite()).nonzero()[:, 0]
    if not len(bad_X):
        return " The rows are those of another process, or their sum overflows."
    bad_users, bad_items = batch.user_B[bad_X].tolist(), batch.positive_B[bad_X].tolist()
    examples = ", ".join(
        f"user {interactions.users.id(user)} with item {interactions.items.id(item)}"
        for user, item in zip(bad_users[:_EXAMPLES], bad_items[:_EXAMPLES], strict=True)
    )
    return f" {len(bad_X):,} of {len(batch):,} rows have no finite loss: {examples}."
