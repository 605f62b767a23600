import pytest

from foretaste.config import ExperimentConfig, check

SMALL = {
    "name": "small",
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}, "item_knn": {}, "als": {"embedding_dim": 4, "iterations": 2}},
}


@pytest.fixture
def small_config():
    """A config that runs in a moment; keyword arguments replace sections."""
    return lambda **sections: check({**SMALL, **sections}, ExperimentConfig, where="small")
