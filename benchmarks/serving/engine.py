"""What a request costs in the engine, without HTTP: processor microseconds, one thread.

    python benchmarks/serving/engine.py [--items 27000] [--rounds 7]

A world of the size that is named: random vectors of 64 dimensions, users with 50 items each, four genres, years. The
ways to ask are interleaved round by round; the table gives min / median / max over the rounds.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.history import History
from foretaste.artifacts.writing import write_bundle
from foretaste.data.interactions import Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.models.als import ALSConfig
from foretaste.models.dot_product import dot_scores
from foretaste.models.topk import rank
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.policies import EpsilonGreedyPolicy, PlackettLucePolicy
from foretaste.serving.slate_settings import DiversityConfig, SlateConfig

RESULTS = Path(__file__).parents[1] / "results" / "serving_engine.json"
DIM, NUM_USERS, NUM_SEEN, NUM_REQUESTS = 64, 1000, 50, 300


def contents(num_items: int) -> BundleContents:
    """A world of random vectors, in the form of ALS."""
    rng = np.random.default_rng(0)
    user_N = np.repeat(np.arange(NUM_USERS, dtype=np.int32), NUM_SEEN)
    item_N = np.concatenate([rng.choice(num_items, NUM_SEEN, replace=False) for _ in range(NUM_USERS)])
    users = Vocabulary(pl.Series([f"u{user}" for user in range(NUM_USERS)]))
    items = Vocabulary(pl.Series([f"m{item}" for item in range(num_items)]))
    ones_N = np.ones(len(user_N), dtype=np.float32)
    events = Interactions(user_N, item_N.astype(np.int32), ones_N, None, users, items)
    genres = np.array([["Drama"], ["Comedy"], ["Action", "War"], ["Horror"]], dtype=object)
    catalogue = pl.DataFrame(
        {
            "item_id": items.ids,
            "title": [f"The {item}th Movie" for item in range(num_items)],
            "year": pl.Series(rng.integers(1950, 2020, num_items), dtype=pl.Int32),
            "genres": pl.Series([list(genres[n]) for n in rng.integers(0, 4, num_items)], dtype=pl.List(pl.String)),
            "popularity": events.item_counts(),
        }
    )
    config = ALSConfig(embedding_dim=DIM)
    user_UD = rng.standard_normal((NUM_USERS, DIM), dtype=np.float32)
    item_ID = rng.standard_normal((num_items, DIM), dtype=np.float32)
    energy_D = np.square(item_ID).sum(axis=0)
    state = {
        "user_embeddings": user_UD,
        "item_embeddings": item_ID,
        "item_energy": energy_D,
        "unobserved_weight": np.array([0.1]),
    }
    return BundleContents(
        "als",
        config.resolved(),
        state,
        users,
        items,
        catalogue,
        History(events.to_csr(), None),
        seed=0,
        source=SourceInfo("random vectors", item_noun="movie"),
        data_fingerprint="",
    )


def ways(engine: Engine, drawing: Engine) -> dict[str, Callable[[str], object]]:
    """Name → how to ask for one user."""
    model, bundle = engine.bundle.model(), engine.bundle
    item_DI = np.ascontiguousarray(model.item_embeddings_ID.T)

    def asks(**given) -> Callable[[str], object]:
        return lambda user: engine.recommend(RecommendRequest(user, **given))

    def full_scores(user: str) -> object:
        vector_1D = model.user_embeddings_UD[[bundle.users.index(user)]]
        return rank(dot_scores(vector_1D, item_DI), 10)

    return {
        "all scores in full, ranked (what the engine's kernel replaces)": full_scores,
        "recommend": asks(),
        "recommend, a quarter by genre": asks(filters={"genres": ["Drama"]}),
        "recommend, a quarter by genre, as JSON": lambda user: engine.recommend(
            RecommendRequest(user, filters={"genres": ["Drama"]})
        ).items.json(),
        "recommend, one year (1 in 70)": asks(filters={"year": 1990}),
        "recommend, genre and years": asks(filters={"genres": ["Drama"], "year_min": 1960, "year_max": 2000}),
        "recommend, exclude 100": asks(exclude=[f"m{item}" for item in range(100)]),
        "recommend, one more event (fold-in)": asks(history=["m1"]),
        "recommend, stranger with 10 events": lambda _: engine.recommend(
            RecommendRequest(None, history=[f"m{7 * n}" for n in range(10)])
        ),
        "recommend, unknown user": lambda _: engine.recommend(RecommendRequest("nobody")),
        "recommend, epsilon-greedy": asks(policy=EpsilonGreedyPolicy()),
        "recommend, Plackett-Luce": asks(policy=PlackettLucePolicy()),
        "recommend, variety": lambda user: drawing.recommend(RecommendRequest(user)),
        "similar": lambda user: engine.similar("m" + user[1:]),
        "popular": lambda _: engine.popular(),
    }


def microseconds(ask: Callable[[str], object], num_requests: int) -> float:
    """Processor time a request."""
    start = time.process_time_ns()
    for n in range(num_requests):
        ask(f"u{n % NUM_USERS}")
    return (time.process_time_ns() - start) / num_requests / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_bundle(Path(folder), contents(options.items))
        engine, drawing = Engine(bundle), Engine(bundle, slate=SlateConfig(diversity=DiversityConfig()))
        asked = ways(engine, drawing)
        for ask in asked.values():
            microseconds(ask, 3)
        rounds: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(options.rounds):
            for name, ask in asked.items():
                rounds[name].append(microseconds(ask, NUM_REQUESTS))
    results = {
        name: {"min": min(each), "median": statistics.median(each), "max": max(each)} for name, each in rounds.items()
    }
    print(f"| {options.items:,} items × {DIM} dims, k = 10, seen excluded | processor µs a request |\n|---|---|")
    for name, figures in results.items():
        print(f"| {name} | {figures['min']:.0f} / {figures['median']:.0f} / {figures['max']:.0f} |")
    if not options.dry:
        recorded = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(recorded | {f"{options.items} items": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
