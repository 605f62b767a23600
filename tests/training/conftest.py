"""Fixtures of the training tests: every device there is, and small interactions."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pytest
import torch

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small are slower on two threads, much so beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def make_interactions() -> Callable[..., Interactions]:
    def make(pairs, num_users: int | None = None, num_items: int | None = None, weights=None) -> Interactions:
        user_N, item_N = (np.array(column, dtype=np.int32) for column in zip(*pairs, strict=True))
        num_users, num_items = num_users or int(user_N.max()) + 1, num_items or int(item_N.max()) + 1
        return Interactions(
            user_N,
            item_N,
            np.ones(len(user_N), dtype=np.float32) if weights is None else np.array(weights, dtype=np.float32),
            None,
            Vocabulary(pl.Series("id", [f"u{index}" for index in range(num_users)], dtype=pl.String)),
            Vocabulary(pl.Series("id", [f"i{index}" for index in range(num_items)], dtype=pl.String)),
        )

    return make


@pytest.fixture
def random_interactions(make_interactions) -> Interactions:
    """300 events of 40 users with 30 items, some of them repeated, the first items the most popular."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 40, 300), (30 * random.random(300) ** 2).astype(int)
    return make_interactions(list(zip(users, items, strict=True)), num_users=40, num_items=30)
