"""Worlds to serve: a small one with every kind of attribute, and a model whose scores the test chooses."""

import shutil
import sys
import time
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.artifacts.writing import write_bundle
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.serving.app import create_app
from foretaste.serving.engine import Engine
from foretaste.serving.service import open_service
from foretaste.serving.settings import ServingConfig
from foretaste.settings import Settings


def dataset_of(user_N, item_N, num_users, catalogue, noun="movie"):
    events = Interactions(
        user_N=np.asarray(user_N, dtype=np.int32),
        item_N=np.asarray(item_N, dtype=np.int32),
        weight_N=np.ones(len(user_N), dtype=np.float32),
        timestamp_N=np.arange(len(user_N), dtype=np.int64),
        users=Vocabulary(pl.Series([f"u{user}" for user in range(num_users)])),
        items=Vocabulary(catalogue["item_id"]),
    )
    return Dataset(events, catalogue, SourceInfo("small", item_noun=noun))


@pytest.fixture(scope="session")
def make_dataset():
    """Builds a dataset from events and a catalogue; user n is `u<n>`."""
    return dataset_of


class FixedConfig(Settings):
    """No hyperparameters."""


class Fixed:
    """Gives everybody the scores of its state."""

    def __init__(self, config):
        self.config = config

    def score(self, query):
        return np.tile(self.scores_I, (len(query), 1))

    def state(self):
        return {"scores": self.scores_I}

    def load_state(self, state):
        self.scores_I = state["scores"]
        return self


@pytest.fixture
def fixed_model(monkeypatch):
    """Puts a model in the registry that returns the scores it was made with."""
    module = ModuleType("fixed_model")
    module.FixedConfig, module.Fixed = FixedConfig, Fixed
    monkeypatch.setitem(sys.modules, "fixed_model", module)
    monkeypatch.setitem(registry.MODELS, "fixed", registry.ModelEntry("fixed_model", "FixedConfig", "Fixed"))

    def made(scores_I):
        return Fixed(FixedConfig()).load_state({"scores": np.asarray(scores_I, dtype=np.float32)})

    return made


@pytest.fixture(scope="session")
def world():
    """60 users with tastes of one of two genres each, 40 items; u59 has no events."""
    rng = np.random.default_rng(5)
    num_users, num_items = 60, 40
    pairs = {
        (user, int(item))
        for user in range(num_users - 1)
        for item in rng.choice(num_items, 8, replace=False)
        if item % 2 == user % 2 or rng.random() < 0.2
    }
    user_N, item_N = np.array(sorted(pairs)).T
    catalogue = pl.DataFrame(
        {
            "item_id": [f"m{item}" for item in range(num_items)],
            "title": [None if item == 3 else f"Movie {item}" for item in range(num_items)],
            "genres": [["Comedy"] if item % 2 else ["Drama", "War"] for item in range(num_items)],
            "year": pl.Series([None if item == 4 else 1980 + item for item in range(num_items)], dtype=pl.Int32),
            "price": [item / 4 for item in range(num_items)],
        }
    )
    return dataset_of(user_N, item_N, num_users, catalogue)


@pytest.fixture(scope="session")
def engines(world, tmp_path_factory):
    """An engine of each of the models that come with the first release, all on the same world."""
    root = tmp_path_factory.mktemp("bundles")

    def engine(name, **config):
        model = registry.build(name, config).fit(world, FitContext())
        return Engine(write_bundle(root, BundleContents.of(name, model, world, seed=0)))

    return {
        "popularity": engine("popularity"),
        "item_knn": engine("item_knn"),
        "ease": engine("ease"),
        "als": engine("als", embedding_dim=8, iterations=3),
    }


@pytest.fixture(scope="session")
def engine(engines):
    return engines["als"]


@pytest.fixture(scope="session")
def als_contents(world):
    """A model of the world, to be published."""
    model = registry.build("als", {"embedding_dim": 8, "iterations": 3}).fit(world, FitContext())
    return BundleContents.of("als", model, world, seed=0)


@pytest.fixture(scope="session")
def popularity_contents(world):
    """Another one."""
    return BundleContents.of("popularity", registry.build("popularity", {}).fit(world, FitContext()), world, seed=0)


@pytest.fixture(scope="session")
def quiet_store(als_contents, tmp_path_factory):
    """A store of one bundle that no test changes."""
    store = BundleStore(tmp_path_factory.mktemp("store"))
    store.publish(als_contents)
    return store


@pytest.fixture(scope="session")
def two_bundles(als_contents, popularity_contents, tmp_path_factory):
    store = BundleStore(tmp_path_factory.mktemp("two"))
    store.publish(popularity_contents)
    store.publish(als_contents)
    return store.root


@pytest.fixture
def store(two_bundles, tmp_path):
    """A store of two bundles, the ALS one live and the popularity one live before it."""
    return BundleStore(shutil.copytree(two_bundles, tmp_path / "bundles", symlinks=True))


@pytest.fixture
def make_service(quiet_store, tmp_path):
    """Builds a service from keys of the config; its API keys are in a file of the test."""

    def made(*, clock=time.time, **config):
        security = {"keys": str(tmp_path / "keys.json"), **config.pop("security", {})}
        hot_swap = {"poll_seconds": None, **config.pop("hot_swap", {})}
        log = {"url": f"sqlite:///{tmp_path}/log.db", "journal_dir": str(tmp_path / "journal")}
        defaults = {"log": log, "store": quiet_store.root, "access_log": False}
        settings = ServingConfig(**{**defaults, **config, "security": security, "hot_swap": hot_swap})
        return open_service(settings, clock=clock)

    return made


@pytest.fixture
def client_of():
    """A client that speaks to a service as to one of this machine."""

    def made(service, **options):
        return TestClient(create_app(service), base_url="http://localhost", **options)

    return made
