"""From features and events to vectors: build the towers, train them, place everyone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

from foretaste.arrays import FloatArray, LongArray
from foretaste.data.features import FeatureTable, FittedFeatures
from foretaste.data.interactions import Dataset
from foretaste.models.protocol import FitContext, State
from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.continuing import begin_at, kept_for_later
from foretaste.models.two_tower.inputs import user_inputs
from foretaste.models.two_tower.objective import Objective
from foretaste.models.two_tower.towers import Placed, Tower, TwoTowers
from foretaste.models.validation import Score, training_context
from foretaste.models.warm_start import checkpoint_settings
from foretaste.training.context import seeded
from foretaste.training.distributed import join_world
from foretaste.training.loop import train
from foretaste.training.task import Task, TrainingResult

_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the towers, as they stand, place everyone."""

    user_UD: FloatArray
    item_ID: FloatArray
    feature_share_I: FloatArray
    """Share of the features in each item's vector; empty where no gate decides."""
    user_tower: State
    """What the tower of users needs to place a user without an id."""
    towers: State
    """What else the towers hold, named as in a model's state."""


def train_towers(
    config: TwoTowerConfig,
    dataset: Dataset,
    features: FittedFeatures,
    items: FeatureTable,
    context: FitContext,
    keep: Callable[[Placement], Score],
) -> TrainingResult:
    """Train on the events of `dataset`.

    Args:
        config: of the model.
        dataset: its catalogue and users may hold rows without events.
        features: fitted on the same events.
        items: the catalogue as `features` encodes it.
        context: of the fit.
        keep: takes a placement over, for each validation and at last for good; returns how it scores.
    """
    events = dataset.interactions
    users = user_inputs(features, dataset.users, events.to_csr(), items, history_items=config.history_items)
    with join_world(config.training.device) as world, seeded(context.seed, world.device):
        towers = TwoTowers(
            Tower(users, events.user_counts() > 0, config.user, config),
            Tower(items, events.item_counts() > 0, config.item, config),
        )
        if context.warm_start is not None:
            begin_at(towers, list(users.bags), context.warm_start, events)
        training = config.training if context.warm_start is None else config.training.continued()
        category_I = torch.from_numpy(_categories(dataset.catalogue, config)).to(world.device)
        objective = Objective(towers, config, category_I)

        def snapshot() -> Score:
            return keep(_placement(towers, config, world.device))

        result = train(
            Task(towers, objective.loss, objective.score, settings=checkpoint_settings(config, context.warm_start)),
            events,
            training,
            training_context(context, events, world, snapshot),
        )
        snapshot()
    return result


def _placement(towers: TwoTowers, config: TwoTowerConfig, device: torch.device) -> Placement:
    user_UD, _ = _place_all(towers.user, device)
    item_ID, share_I = _place_all(towers.item, device)
    user_tower = {name: tensor.cpu().numpy().copy() for name, tensor in towers.user.idless_parameters().items()}
    return Placement(user_UD, item_ID, share_I, user_tower, kept_for_later(towers, config))


def _place_all(tower: Tower, device: torch.device) -> tuple[FloatArray, FloatArray]:
    """vector_XD and share_X of all rows of a tower."""
    tower.eval()
    with torch.no_grad():
        row_X = torch.arange(tower.num_rows, device=device)
        placed: list[Placed] = [tower(row_B) for row_B in torch.split(row_X, _ROWS_AT_A_TIME)]
    shares = [one.share_B for one in placed if one.share_B is not None]
    vector_XD = torch.cat([one.vector_BD for one in placed]).cpu().numpy()
    return vector_XD, torch.cat(shares).cpu().numpy() if shares else np.zeros(0, dtype=np.float32)


def _categories(catalogue: pl.DataFrame, config: TwoTowerConfig) -> LongArray:
    """category_I: index of the first value of the category column; -1 where an item has none."""
    name = config.augmentation.category_column if config.augmentation else None
    if name is None or name not in catalogue.columns:
        return np.full(len(catalogue), -1, dtype=np.int64)
    values = catalogue[name]
    first = values.list.first() if isinstance(values.dtype, pl.List) else values
    return (first.cast(pl.String).rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy(writable=True)
