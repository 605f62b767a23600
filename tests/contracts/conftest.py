"""A small world for the contracts: two tastes, a user and an item without events, one item without genres."""

import numpy as np
import polars as pl
import pytest

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary


def make_world(num_users: int, num_items: int, seed: int = 0) -> Dataset:
    """Even users like even items, odd ones odd items; the last user and the last item have no events."""
    rng = np.random.default_rng(seed)
    likes_UI = np.where(np.add.outer(np.arange(num_users), np.arange(num_items)) % 2 == 0, 0.5, 0.05)
    likes_UI[-1], likes_UI[:, -1] = 0.0, 0.0
    user_N, item_N = np.nonzero(rng.random(likes_UI.shape) < likes_UI)
    order = rng.permutation(len(user_N))
    events = Interactions(
        user_N[order].astype(np.int32),
        item_N[order].astype(np.int32),
        rng.choice([0.5, 1.0, 2.0], len(order)).astype(np.float32),
        1_700_000_000 + 3600 * np.arange(len(order), dtype=np.int64),
        Vocabulary(pl.Series([f"u{user:04}" for user in range(num_users)])),
        Vocabulary(pl.Series([f"i{item:04}" for item in range(num_items)])),
    )
    genres = [[["even", "odd"][item % 2], "any"] if item else [] for item in range(num_items)]
    catalogue = pl.DataFrame(
        {"item_id": events.items.ids, "title": [f"Item {item}" for item in range(num_items)], "genres": genres},
        schema_overrides={"genres": pl.List(pl.String)},
    )
    return Dataset(events, catalogue, SourceInfo("two tastes"))


@pytest.fixture(scope="session")
def worlds() -> dict[str, Dataset]:
    """More users than items, the reverse, and a single user."""
    worlds = {"tall": make_world(60, 24), "wide": make_world(20, 70)}
    tall = worlds["tall"]
    only = tall.interactions.user_N == 0
    return {**worlds, "single user": _one_user(tall.with_interactions(tall.interactions.select(only)))}


def _one_user(dataset: Dataset) -> Dataset:
    events = dataset.interactions
    users = Vocabulary(events.users.ids[:1])
    return dataset.with_interactions(
        Interactions(events.user_N, events.item_N, events.weight_N, events.timestamp_N, users, events.items)
    )
