"""A command line to call, and a store with two bundles of a small world."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.cli import create_app
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.models import registry
from foretaste.models.protocol import FitContext


@pytest.fixture
def foretaste():
    """Calls a command in this process; an error comes as `result.exception`."""
    runner, app = CliRunner(), create_app()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


@pytest.fixture
def shell():
    """Calls a command as a user does, in a process of its own."""
    code = "from foretaste.cli import main; main()"
    return lambda *arguments: subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def store(tmp_path):
    """A store of two bundles, the second of them live."""
    rng = np.random.default_rng(3)
    user_N, item_N = np.nonzero(rng.random((12, 15)) < 0.3)
    catalogue = pl.DataFrame(
        {
            "item_id": [f"m{item}" for item in range(15)],
            "title": [f"Star Wars {item}" if item < 3 else f"[b]Film[/b] {item}" for item in range(15)],
            "genres": [["War"] if item < 8 else ["Comedy", "Drama"] for item in range(15)],
            "year": pl.Series(range(1990, 2005), dtype=pl.Int32),
            "price": [item / 2 for item in range(15)],
        }
    )
    events = Interactions(
        user_N=user_N.astype(np.int32),
        item_N=item_N.astype(np.int32),
        weight_N=np.ones(len(user_N), dtype=np.float32),
        timestamp_N=np.arange(len(user_N), dtype=np.int64),
        users=Vocabulary(pl.Series([f"u{user}" for user in range(12)])),
        items=Vocabulary(catalogue["item_id"]),
    )
    dataset = Dataset(events, catalogue, SourceInfo("small", item_noun="movie"))
    store = BundleStore(tmp_path / "bundles")
    for name in ("popularity", "item_knn"):
        store.publish(BundleContents.of(name, registry.build(name, {}).fit(dataset, FitContext()), dataset, seed=0))
    return store
