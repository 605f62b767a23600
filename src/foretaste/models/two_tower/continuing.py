"""Towers that go on where earlier ones ended: what is kept of them, and how it is put back."""

import numpy as np
import torch

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Interactions
from foretaste.models.protocol import State, WarmStart
from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.inputs import HISTORY_ITEMS
from foretaste.models.two_tower.new_users import WEIGHTS
from foretaste.models.two_tower.placing import BY_ROW, TOWERS
from foretaste.models.two_tower.towers import TwoTowers
from foretaste.models.warm_start import carried_over


def kept_for_later(towers: TwoTowers, config: TwoTowerConfig) -> State:
    """All weights that are not served, named as in a model's state."""
    is_of_ids = config.fusion == "identity"
    kept = {
        TOWERS + name: tensor.cpu().numpy().copy()
        for name, tensor in towers.state_dict().items()
        if is_of_ids or not name.startswith("user.") or name.removeprefix("user.").startswith(BY_ROW)
    }
    for side, tower in (("user", towers.user), ("item", towers.item)):
        if tower.augmented is None:
            # Nothing was learnt of an id without events; should some come, it begins as a row without an id.
            has_events_X = tower.get_buffer("has_events_X").cpu().numpy()
            kept[f"{TOWERS}{side}.ids.weight"][~has_events_X] = tower.absent_D.detach().cpu().numpy()
    return kept


def begin_at(towers: TwoTowers, user_bags: list[str], earlier: WarmStart, events: Interactions) -> None:
    """Put the weights of `earlier` into the towers.

    An id that it did not know begins as a row without an id, which is placed by its features; an item that it did not
    know says nothing yet of the users who have met it.

    Args:
        towers: of the same config, and with the same encoders of features.
        user_bags: names of the bags in the tower of users, in their order.
        earlier: its state.
        events: whose vocabularies are the rows of the towers.
    """
    before = {
        **_named(earlier.state, TOWERS, ""),
        **_named(earlier.state, WEIGHTS, "user."),
    }
    begin = {name: tensor.numpy() for name, tensor in towers.state_dict().items()}
    for name, array in before.items():
        side, _, table = name.partition(".")
        now, known = (events.users, earlier.users) if side == "user" else (events.items, earlier.items)
        if table == "ids.weight" and f"{side}.augmented.weight" not in before:
            begin[name] = carried_over(np.tile(before[f"{side}.absent_D"], (len(now), 1)), now, array, known)
        elif table in ("ids.weight", "augmented.weight"):
            begin[name] = carried_over(begin[name], now, array, known)
        elif HISTORY_ITEMS in user_bags and name == _table_of_bag(user_bags.index(HISTORY_ITEMS)):
            begin[name] = carried_over(np.zeros_like(begin[name]), events.items, array, earlier.items)
        else:
            begin[name] = array
    towers.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in begin.items()})


def _table_of_bag(number: int) -> str:
    return f"user.encoder.bags.{number}.table.weight"


def _named(state: State, prefix: str, other: str) -> dict[str, FloatArray]:
    return {other + name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
