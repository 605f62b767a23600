"""A world of two tastes in which each user goes on as before."""

import numpy as np
import polars as pl
import pytest

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary


def make_tastes(num_users: int = 80, num_items: int = 40, *, timestamps: bool = True, seed: int = 0) -> Dataset:
    """Even users like even items, odd ones odd items; every user has events all the time."""
    rng = np.random.default_rng(seed)
    likes_UI = np.where(np.add.outer(np.arange(num_users), np.arange(num_items)) % 2 == 0, 0.6, 0.05)
    user_N, item_N = np.nonzero(rng.random(likes_UI.shape) < likes_UI)
    order = rng.permutation(len(user_N))
    events = Interactions(
        user_N[order].astype(np.int32),
        item_N[order].astype(np.int32),
        np.ones(len(order), dtype=np.float32),
        1_700_000_000 + 3600 * np.arange(len(order), dtype=np.int64) if timestamps else None,
        Vocabulary(pl.Series([f"u{user:03}" for user in range(num_users)])),
        Vocabulary(pl.Series([f"i{item:03}" for item in range(num_items)])),
    )
    genres = pl.Series([[["even", "odd"][item % 2]] for item in range(num_items)])
    titles = [f"Item {item}" for item in range(num_items)]
    catalogue = pl.DataFrame({"item_id": events.items.ids, "title": titles, "genres": genres})
    return Dataset(events, catalogue, SourceInfo("two tastes"))


@pytest.fixture
def tastes() -> Dataset:
    return make_tastes()


@pytest.fixture
def tastes_without_time() -> Dataset:
    return make_tastes(timestamps=False)
