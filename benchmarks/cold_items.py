"""Items without training events: where the two towers place them by metadata alone, beside chance and content cosine.

    FORETASTE_DATA=... python benchmarks/cold_items.py [--only ml-100k] [--rounds 1]

A fifth of the items, drawn at random, loses all its events to the cold test part; a tenth of the other events, drawn at
random, is the warm test part. Cold items are ranked among themselves, warm ones among the warm items that the user has
not met in training. The model sections of the shipped configs are run as they are, but for the fusion.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from foretaste.arrays import BoolArray, FloatArray
from foretaste.config import ExperimentConfig, load_config
from foretaste.data.features import FeaturesConfig, fit_features
from foretaste.data.interactions import Dataset, Interactions
from foretaste.models.hits import ndcg
from foretaste.models.protocol import FitContext, Query
from foretaste.models.topk import rank
from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.model import TwoTower
from foretaste.pipelines.experiment import prepare_data
from foretaste.pipelines.narration import Silence

RESULTS = Path(__file__).parent / "results" / "cold_items.json"
CONFIGS = {"ml-100k": "configs/two-tower-movielens-100k.yaml", "goodbooks": "configs/two-tower-goodbooks.yaml"}
K = 10
COLD_SHARE, WARM_TEST_SHARE = 0.2, 0.1
FUSIONS: dict[str, dict[str, Any]] = {
    "identity": {"fusion": "identity"},
    "sum": {"fusion": "sum"},
    "concat": {"fusion": "concat"},
    "adaptive_mimic": {"fusion": "adaptive_mimic"},
    "adaptive_mimic, augmented": {"fusion": "adaptive_mimic", "augmentation": {}},
}


class ColdSplit:
    """Train, warm test and cold test events."""

    def __init__(self, events: Interactions, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.is_cold_I = np.zeros(events.num_items, dtype=bool)
        self.is_cold_I[rng.permutation(events.num_items)[: round(COLD_SHARE * events.num_items)]] = True
        is_cold_N = self.is_cold_I[events.item_N]
        is_warm_test_N = ~is_cold_N & (rng.random(len(events)) < WARM_TEST_SHARE)
        self.train = events.select(~is_cold_N & ~is_warm_test_N)
        self.warm_test, self.cold_test = events.select(is_warm_test_N), events.select(is_cold_N)
        # An item whose few events all fell into the warm test part is no warm item.
        self.is_warm_I = self.train.item_counts() > 0

    def judge(self, score: Callable[[Query], FloatArray]) -> dict[str, float]:
        """NDCG@10 of cold and of warm items."""
        return {
            "cold": self._ndcg(score, self.cold_test, self.is_cold_I),
            "warm": self._ndcg(score, self.warm_test, self.is_warm_I),
        }

    def chance(self) -> float:
        """Expected NDCG@10 of a random order of the cold items."""
        relevant_U = self._relevant(self.cold_test, self.is_cold_I).sum(axis=1)
        relevant_B = relevant_U[relevant_U > 0].astype(int)
        gain_K = 1 / np.log2(np.arange(K) + 2)
        ideal_B = gain_K.cumsum()[np.minimum(relevant_B, K) - 1]
        return float((relevant_B / self.is_cold_I.sum() * gain_K.sum() / ideal_B).mean())

    def _relevant(self, held_out: Interactions, eligible_I: BoolArray) -> sparse.csr_array:
        known_U = self.train.user_counts() > 0
        kept = held_out.select(known_U[held_out.user_N] & eligible_I[held_out.item_N]).to_csr()
        kept.data[:] = 1
        return kept

    def _ndcg(self, score: Callable[[Query], FloatArray], held_out: Interactions, eligible_I: BoolArray) -> float:
        relevant_UI, history_UI = self._relevant(held_out, eligible_I), self.train.to_csr()
        values = []
        for user_B in np.array_split(np.flatnonzero(np.diff(relevant_UI.indptr)), 50):
            query, relevant_BI = Query(user_B.astype(np.int32), history_UI[user_B]), relevant_UI[user_B]
            top = rank(score(query), K, exclude_BI=query.history_BI, eligible_I=eligible_I, disfavour_BI=relevant_BI)
            is_relevant_BI = relevant_BI.toarray() > 0
            hit_BK = np.take_along_axis(is_relevant_BI, np.maximum(top.item_BK, 0), axis=1) & (top.item_BK >= 0)
            values.append(ndcg(hit_BK, is_relevant_BI.sum(axis=1)))
        return float(np.concatenate(values).mean())


def content_cosine(dataset: Dataset, config: FeaturesConfig) -> Callable[[Query], FloatArray]:
    """Item-item on metadata: the summed cosine of an item with those of the history.

    The features are those of the towers without popularity. Each column of the catalogue is scaled to length 1, so that
    wide ones do not drown out the rest.
    """
    features = fit_features(dataset, config.model_copy(update={"popularity": False}))
    items = features.encode_items(dataset.catalogue)
    parts = [sparse.csr_array(bag) for bag in items.bags.values()]
    for source in dict.fromkeys(column.source for column in items.columns):
        parts.append(sparse.csr_array(items.dense_XF[:, [column.source == source for column in items.columns]]))
    item_IF = _unit_rows(sparse.hstack([_unit_rows(part) for part in parts], format="csr"))
    return lambda query: (query.history_BI @ item_IF @ item_IF.T).toarray().astype(np.float32)


def _unit_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    length = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(length, 1e-12)) @ matrix)


def measure(path: str, seed: int, fusions: list[str], overrides: list[str]) -> list[dict[str, Any]]:
    config = load_config(Path(path), ExperimentConfig, [*overrides, "data.path=" + _archive(path)])
    dataset = prepare_data(config, Silence()).dataset
    parts = ColdSplit(dataset.interactions, seed)
    train = dataset.with_interactions(parts.train)
    shipped = config.models["two_tower"].hyperparameters
    assert isinstance(shipped, TwoTowerConfig)
    rows: list[dict[str, Any]] = [{"model": "random order", "cold": parts.chance()}]
    rows.append({"model": "content cosine", **parts.judge(content_cosine(train, shipped.features))})
    for row in rows:
        print(row, flush=True)
    for name in fusions:
        training = shipped.training.model_copy(update={"early_stopping": None})
        told = {**shipped.resolved(), "augmentation": None, **FUSIONS[name], "training": training.resolved()}
        model = TwoTower(TwoTowerConfig.model_validate(told)).fit(train, FitContext(seed=seed))
        row = {"model": name, **parts.judge(model.score)}
        if len(model.item_feature_share_I):
            share_I = model.item_feature_share_I
            row["gate_cold"], row["gate_warm"] = (
                float(share_I[chosen_I].mean()) for chosen_I in (parts.is_cold_I, parts.is_warm_I)
            )
        rows.append(row)
        print(row, flush=True)
    return rows


def _archive(path: str) -> str:
    folder = os.environ.get("FORETASTE_DATA", "data/raw")
    return str(Path(folder) / ("ml-100k.zip" if "movielens" in path else "goodbooks-10k.zip"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(CONFIGS), help="one data set")
    parser.add_argument("--fusions", nargs="*", choices=list(FUSIONS), default=list(FUSIONS))
    parser.add_argument("--rounds", type=int, default=1, help="splits, each with a seed of its own")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="laid over the config")
    parser.add_argument("--write", action="store_true", help=f"to {RESULTS.name}")
    options = parser.parse_args()
    found = {
        name: [measure(path, seed, options.fusions, options.set) for seed in range(options.rounds)]
        for name, path in CONFIGS.items()
        if options.only in (None, name)
    }
    if options.write:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
