"""What the shop hands to a training: its tables of events, items and users, as files; whole, or spoiled on purpose."""

from pathlib import Path

import numpy as np
import polars as pl

from foretaste.data.schemas import TIMESTAMP, USER_ID
from foretaste.data.sources import synthetic
from foretaste.data.sources.synthetic_world import World
from foretaste.data.sources.tables import TablesConfig

EVENTS_FILE, ITEMS_FILE, USERS_FILE = "events.parquet", "items.parquet", "users.parquet"
_KEPT_SHARE = 0.2
"""Of the events, the oldest, where the data is truncated."""


def export(world: World, rows: pl.DataFrame, folder: Path, at_seconds: float) -> TablesConfig:
    """Write the tables as they are at a moment; a config that reads them is returned.

    Args:
        world: whose items and users.
        rows: the events, of before the service began; later ones are in its log.
        folder: where to.
        at_seconds: items that come out later are not in the catalogue, nor are users who come later.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items, users = synthetic.item_table(world), synthetic.user_table(world)
    rows.write_parquet(folder / EVENTS_FILE)
    items.filter(pl.Series(world.release_seconds_I <= at_seconds)).write_parquet(folder / ITEMS_FILE)
    users.filter(pl.Series(world.arrival_seconds_U <= at_seconds)).write_parquet(folder / USERS_FILE)
    return TablesConfig(
        path=folder / EVENTS_FILE,
        items_path=folder / ITEMS_FILE,
        users_path=folder / USERS_FILE,
        name="shop",
        item_noun="movie",
    )


def shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same events, each of a random one of their users: as after a join by the wrong column."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows.with_columns(rows[USER_ID].gather(order))


def truncated(rows: pl.DataFrame) -> pl.DataFrame:
    """The oldest fifth of the events: as after a transfer that broke off."""
    return rows.sort(TIMESTAMP, maintain_order=True).head(max(1, round(_KEPT_SHARE * len(rows))))
