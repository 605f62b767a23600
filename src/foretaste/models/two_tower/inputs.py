"""What the towers read of items and users, and how it is written down."""

import json
from dataclasses import asdict

import numpy as np
import polars as pl
from scipy import sparse

from foretaste.data.features import DenseColumn, FeatureTable, FittedFeatures
from foretaste.data.features.table import row_shares
from foretaste.models import sparse_state
from foretaste.models.protocol import State

HISTORY_ITEMS = "history items"
"""The bag of the items themselves that a user has met."""


def user_inputs(
    features: FittedFeatures,
    attributes: pl.DataFrame | None,
    history_BI: sparse.csr_array,
    items: FeatureTable,
    *,
    history_items: bool,
) -> FeatureTable:
    """Attributes and history of B users, the items of the history as a bag where `history_items` says so."""
    tables = [features.encode_users(attributes, history_BI, items)]
    if history_items:
        nothing_B0 = np.zeros((history_BI.shape[0], 0), dtype=np.float32)
        tables.append(FeatureTable((), nothing_B0, {HISTORY_ITEMS: row_shares(history_BI)}))
    return FeatureTable.beside(history_BI.shape[0], tables)


def pack(name: str, table: FeatureTable) -> State:
    """The arrays of a table, each named `<name>_…`."""
    told = {"columns": [asdict(column) for column in table.columns], "bags": list(table.bags)}
    state: State = {
        f"{name}_names": np.frombuffer(json.dumps(told).encode(), dtype=np.uint8),
        f"{name}_dense": table.dense_XF,
    }
    for number, bag in enumerate(table.bags.values()):
        state |= sparse_state.pack(f"{name}_bag{number}", bag)
    return state


def unpack(name: str, state: State) -> FeatureTable:
    """The table that `pack` took apart; it shares the arrays."""
    told = json.loads(state[f"{name}_names"].tobytes())
    bags = {bag: sparse_state.unpack(f"{name}_bag{number}", state) for number, bag in enumerate(told["bags"])}
    return FeatureTable(tuple(DenseColumn(**column) for column in told["columns"]), state[f"{name}_dense"], bags)
