"""Two tastes that the features tell apart, with items and users that have no events."""

import numpy as np
import polars as pl
import pytest

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary

NUM_USERS, NUM_ITEMS, NUM_COLD = 40, 30, 6


@pytest.fixture(scope="session")
def tastes():
    """Even users like even items, odd ones odd items; the last 6 items and the last user have no events."""
    rng = np.random.default_rng(0)
    is_liked_UI = np.add.outer(np.arange(NUM_USERS), np.arange(NUM_ITEMS)) % 2 == 0
    is_met_UI = rng.random(is_liked_UI.shape) < np.where(is_liked_UI, 0.6, 0.04)
    is_met_UI[-1], is_met_UI[:, -NUM_COLD:] = False, False
    user_N, item_N = np.nonzero(is_met_UI)
    events = Interactions(
        user_N.astype(np.int32),
        item_N.astype(np.int32),
        np.ones(len(user_N), dtype=np.float32),
        None,
        Vocabulary(pl.Series([f"u{user}" for user in range(NUM_USERS)])),
        Vocabulary(pl.Series([f"i{item}" for item in range(NUM_ITEMS)])),
    )
    catalogue = pl.DataFrame(
        {"item_id": events.items.ids, "genres": [[["even", "odd"][item % 2]] for item in range(NUM_ITEMS)]}
    )
    users = pl.DataFrame(
        {"user_id": events.users.ids, "group": [["a", "b"][user % 3 > 0] for user in range(NUM_USERS)]}
    )
    return Dataset(events, catalogue, SourceInfo("two tastes"), users)


@pytest.fixture
def config():
    """A function from what differs to a small config."""

    def build(**told):
        from foretaste.models.two_tower.config import TwoTowerConfig

        small = {"hidden_dims": [16], "bag_dim": 4}
        training = {"epochs": 30, "batch_size": 256, "learning_rate": 0.03, "sampler": {"kind": "in_batch"}}
        return TwoTowerConfig.model_validate(
            {
                "embedding_dim": 8,
                "temperature": 0.3,
                **told,
                "user": {**small, **told.get("user", {})},
                "item": {**small, **told.get("item", {})},
                "training": {**training, **told.get("training", {})},
            }
        )

    return build
