"""A training that begins where an earlier model ended: rows of ids that it knew are carried over, others begin cold.

The vocabularies may have grown, shrunk and been put into another order in between: rows are found by external id.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from scipy import sparse

from foretaste.arrays import IntArray
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ConfigError
from foretaste.models.protocol import WarmStart
from foretaste.settings import Settings


@dataclass(frozen=True)
class Continued:
    """What a model that can continue an earlier one needs of it; its config has it as `continued`."""

    same: tuple[str, ...]
    """Hyperparameters that must be the same, dotted: they decide shapes, or what the numbers mean."""
    arrays: tuple[str, ...]
    """Arrays that the earlier state must hold."""


def continues(config: Settings) -> Continued | None:
    """What a model of this config needs of an earlier one; None where it has nothing to go on from."""
    return getattr(config, "continued", None)


def obstacle(model: str, config: Settings, earlier: WarmStart) -> str | None:
    """Why a model cannot begin from an earlier one, with the remedy; None where it can.

    Args:
        model: its name in the registry.
        config: its hyperparameters.
        earlier: where it is to begin.
    """
    if earlier.model != model:
        return (
            f"'{earlier.source}' is a model of type '{earlier.model}', and what is to be trained is of type '{model}'; "
            f"name a bundle of type '{model}', or train from the start."
        )
    needed = continues(config)
    if needed is None:
        return f"'{model}' learns nothing that a training could go on from; train it from the start."
    try:
        before = type(config).model_validate(earlier.config)
    except ValidationError as error:
        return (
            f"the hyperparameters of '{earlier.source}' are not known to this foretaste "
            f"({error.errors()[0]['msg'].lower()}); train from the start."
        )
    both = {key: (_at(before, key), _at(config, key)) for key in needed.same}
    differing = [f"{key} was {was} and is now {now}" for key, (was, now) in both.items() if was != now]
    if differing:
        told = "; ".join(differing)
        return f"'{earlier.source}' has another shape: {told}. Set these as they were, or train from the start."
    missing = [name for name in needed.arrays if name not in earlier.state]
    if missing:
        return (
            f"'{earlier.source}' was written by a foretaste that did not keep {', '.join(missing)}, which a warm start "
            f"needs; train from the start once."
        )
    return None


def refuse_obstacle(model: str, config: Settings, earlier: WarmStart | None) -> WarmStart | None:
    """The earlier model, when it can be begun from.

    Raises:
        ConfigError: it cannot.
    """
    reason = None if earlier is None else obstacle(model, config, earlier)
    if reason is not None:
        raise ConfigError(f"warm start: {reason}")
    return earlier


def carried_over(
    begin_X: npt.NDArray[Any], now: Vocabulary, earlier_X: npt.NDArray[Any], before: Vocabulary
) -> npt.NDArray[Any]:
    """`begin_X` with the earlier row of every id that was known before.

    Args:
        begin_X: one row an id of `now`: where an unknown id begins. It is left as it is.
        now: ids of these rows.
        earlier_X: one row an id of `before`.
        before: ids of those rows.
    """
    row_X = before.indices(now.ids)
    is_known_X = row_X >= 0
    carried_X = np.array(begin_X)
    carried_X[is_known_X] = earlier_X[row_X[is_known_X]]
    return carried_X


def in_earlier_items(history_UI: sparse.csr_array, now: Vocabulary, before: Vocabulary) -> sparse.csr_array:
    """The same histories over the items of before; events with items that were not known then are left out."""
    column_I: IntArray = before.indices(now.ids)
    events = history_UI.tocoo()
    column_N = column_I[events.col]
    is_known_N = column_N >= 0
    matrix = sparse.coo_array(
        (events.data[is_known_N], (events.row[is_known_N], column_N[is_known_N])),
        shape=(history_UI.shape[0], len(before)),
        dtype=np.float32,
    ).tocsr()
    matrix.sum_duplicates()
    return matrix


def checkpoint_settings(config: Settings, earlier: WarmStart | None) -> dict[str, Any]:
    """What a run must share with the one that wrote a checkpoint, beside its training and its data."""
    begun_at = {} if earlier is None else {"warm start": earlier.source}
    return {**config.model_dump(mode="json", exclude={"training"}), **begun_at}


def _at(config: Settings, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value
