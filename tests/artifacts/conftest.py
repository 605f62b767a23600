"""A small world to put in bundles: 4 users, 5 items, 8 events."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.models import registry
from foretaste.models.protocol import FitContext

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return lambda: NOON


@pytest.fixture
def dataset():
    events = Interactions(
        user_N=np.array([0, 0, 1, 1, 1, 2, 3, 3], dtype=np.int32),
        item_N=np.array([0, 1, 0, 2, 3, 0, 1, 4], dtype=np.int32),
        weight_N=np.ones(8, dtype=np.float32),
        timestamp_N=np.arange(8, dtype=np.int64) * 86_400,
        users=Vocabulary.of(["ann", "bob", "cyd", "dan"]),
        items=Vocabulary.of(["a", "b", "c", "d", "e"]),
    )
    catalogue = pl.DataFrame({"item_id": events.items.ids, "title": ["A", "B", "C", "D", "É"], "year": [1990] * 5})
    return Dataset(events, catalogue, SourceInfo("tiny", item_noun="movie", licence="none"))


@pytest.fixture
def contents(dataset):
    model = registry.build("popularity", {}).fit(dataset, FitContext())
    return BundleContents.of(
        "popularity", model, dataset, seed=7, metrics={"ndcg@10": {"mean": 0.5, "low": 0.4, "high": None}}, run_id="r1"
    )


@pytest.fixture
def full_contents(contents):
    """Every kind of file there is."""
    rng = np.random.default_rng(0)
    extra = {
        "user_embeddings": rng.normal(size=(4, 3)).astype(np.float32),
        "item_embeddings": np.asfortranarray(rng.normal(size=(5, 3)).astype(np.float32)),
        "odd_shape": np.float64(3.5) * np.ones(()),
        "empty": np.zeros((0, 2), dtype=np.int64),
        "flags": np.array([True, False]),
    }
    return replace(contents, state={**contents.state, **extra})
