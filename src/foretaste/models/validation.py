"""How good a model is while it still learns: NDCG and recall at 10 of held-out events, by full ranking.

The protocol of the evaluation, which stands above the models and cannot be asked by them: binary relevance, items of
the training left out, ties against the model.

Torch is imported inside functions, so that a model that trains with it is served without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import AfterValidator
from scipy import sparse

from foretaste.arrays import DoubleArray, FloatArray, IntArray
from foretaste.data.interactions import Interactions
from foretaste.models.hits import hits, ndcg, recall
from foretaste.models.protocol import FitContext, Query
from foretaste.models.topk import queries_per_block, rank
from foretaste.training.config import TrainingConfig

if TYPE_CHECKING:
    from foretaste.training.context import TrainingContext
    from foretaste.training.distributed import World
    from foretaste.training.task import TrainingResult

Score = Callable[[Query], FloatArray]
"""query → scores_BI."""

CUTOFF = 10
METRICS = (f"ndcg@{CUTOFF}", f"recall@{CUTOFF}")


def _stops_by_what_is_measured(config: TrainingConfig) -> TrainingConfig:
    stopping = config.early_stopping
    if stopping is not None and stopping.metric not in METRICS:
        raise ValueError(
            f"early_stopping.metric is '{stopping.metric}'; expected {' or '.join(METRICS)}, "
            f"which a model measures while it learns"
        )
    return config


ModelTraining = Annotated[TrainingConfig, AfterValidator(_stops_by_what_is_measured)]
"""The training section of a model: its early stopping goes by one of `METRICS`."""


def validation_values(
    score: Callable[[IntArray], FloatArray],
    history_UI: sparse.csr_array,
    held_out_UI: sparse.csr_array,
    user_B: IntArray,
) -> DoubleArray:
    """values_BM: one column for each of `METRICS`.

    Args:
        score: user_B → scores_BI.
        history_UI: what the users have met, which is not ranked.
        held_out_UI: what should come first.
        user_B: users with held-out events.
    """
    size = queries_per_block(history_UI.shape[1])
    blocks = [user_B[start : start + size] for start in range(0, len(user_B), size)]
    values = [_values(score(block_B), history_UI[block_B], held_out_UI[block_B]) for block_B in blocks]
    return np.concatenate([np.zeros((0, len(METRICS))), *values])


def _values(scores_BI: FloatArray, history_BI: sparse.csr_array, held_out_BI: sparse.csr_array) -> DoubleArray:
    top = rank(scores_BI, CUTOFF, exclude_BI=history_BI, disfavour_BI=held_out_BI)
    hit_BK, num_relevant_B = hits(top.item_BK, held_out_BI), np.diff(held_out_BI.indptr)
    return np.column_stack([ndcg(hit_BK, num_relevant_B), recall(hit_BK, num_relevant_B)])


def validation_metric(
    score: Score, history_UI: sparse.csr_array, held_out_UI: sparse.csr_array, world: World
) -> dict[str, float]:
    """Means of `METRICS` over the users with a history and held-out events; 0 where there is no such user.

    The processes share the users, and each returns the figures that one process alone would.
    """
    import torch

    judged_B = np.flatnonzero((np.diff(held_out_UI.indptr) > 0) & (np.diff(history_UI.indptr) > 0)).astype(np.int32)
    values_BM = validation_values(
        lambda user_B: score(Query(user_B, history_UI[user_B])),
        history_UI,
        held_out_UI,
        judged_B[world.share(len(judged_B))],
    )
    gathered_BM = world.gather_rows(torch.from_numpy(values_BM).to(world.device)).cpu().numpy()
    mean_M = gathered_BM.sum(axis=0) / max(len(judged_B), 1)
    return dict(zip(METRICS, mean_M.tolist(), strict=True))


def training_context(
    context: FitContext, history: Interactions, world: World, snapshot: Callable[[], Score]
) -> TrainingContext:
    """What the loop is given: seed and listeners of `context`, and a validation where it holds events out.

    Args:
        context: what the model was given.
        history: the events that the model is trained on.
        world: the processes that train.
        snapshot: gives the score of the module as it stands, called once a validation.
    """
    from foretaste.training.context import TrainingContext

    told = TrainingContext(
        seed=context.seed,
        world=world,
        progress=context.progress,
        checkpoint_dir=context.checkpoint_dir,
        resume=context.resume,
        on_epoch=context.on_epoch,
    )
    if context.valid is None:
        return told
    history_UI, held_out_UI = history.to_csr(), context.valid.to_csr()
    return replace(told, validate=lambda: validation_metric(snapshot(), history_UI, held_out_UI, world))


def refit_training(config: TrainingConfig, result: TrainingResult) -> TrainingConfig:
    """The training that ends where `result` did: as many epochs as its kept weights had, and nothing to stop it."""
    epochs = result.best_epoch or len(result.history)
    return config.model_copy(update={"epochs": epochs, "early_stopping": None})
