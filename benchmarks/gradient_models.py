"""Accuracy of BPR-MF and NeuMF on MovieLens 100K and the NCF split of MovieLens 1M, and of BPR-MF on Gowalla.

    FORETASTE_DATA=... python benchmarks/gradient_models.py [--only bpr_mf-ncf ...] [--threads 1]

Early stopping looks at a part cut from train: one event of each user on the NCF split, a tenth of the events
elsewhere. The figures are of the model that is then trained on all of train for the best number of epochs.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numba
import numpy as np
import torch

from foretaste.data.interactions import Interactions
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.lightgcn import LightGCNConfig
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.data.sources.ncf import NCFConfig as NCFSource
from foretaste.data.splits import GivenSplit, RandomSplit, split
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.models.protocol import FitContext, Query, Recommender
from foretaste.models.registry import build

RESULTS = Path(__file__).parent / "results" / "gradient_models.json"
STOPPING = {"patience": 2, "every_epochs": 2}
RUNS = {
    "bpr_mf-ml-100k": {
        "data": "ml-100k",
        "model": "bpr_mf",
        "config": {
            "embedding_dim": 64,
            "loss": "softmax",
            "regularization": {"user": 0.02, "item": 0.02},
            "training": {
                "epochs": 40,
                "batch_size": 1024,
                "learning_rate": 0.003,
                "sampler": {"num_negatives": 200, "shared": True},
                "early_stopping": {"patience": 3},
            },
        },
    },
    "neumf-ml-100k": {
        "data": "ml-100k",
        "model": "ncf",
        "config": {
            "embedding_dim": 16,
            "mlp_embedding_dim": 32,
            "hidden_dims": [64, 32, 16],
            "regularization": 0.01,
            "training": {
                "epochs": 20,
                "batch_size": 1024,
                "learning_rate": 0.002,
                "sampler": {"num_negatives": 4},
                "early_stopping": {"patience": 3},
            },
        },
    },
    "bpr_mf-ncf": {
        "data": "ncf",
        "model": "bpr_mf",
        "config": {
            "embedding_dim": 64,
            "loss": "softmax",
            "regularization": {"user": 0.01, "item": 0.01},
            "training": {
                "epochs": 30,
                "batch_size": 4096,
                "learning_rate": 0.005,
                "sampler": {"num_negatives": 200, "shared": True},
                "early_stopping": STOPPING,
            },
        },
    },
    "neumf-ncf": {
        "data": "ncf",
        "model": "ncf",
        "config": {
            "regularization": 0.01,
            "training": {
                "epochs": 20,
                "batch_size": 4096,
                "learning_rate": 0.002,
                "sampler": {"num_negatives": 4},
                "early_stopping": STOPPING,
            },
        },
    },
    "bpr_mf-gowalla": {
        "data": "gowalla",
        "model": "bpr_mf",
        "config": {
            "embedding_dim": 64,
            "similarity": "cosine",
            "item_bias": False,
            "loss": "softmax",
            "temperature": 0.12,
            "regularization": {},
            "training": {
                "epochs": 24,
                "batch_size": 8192,
                "learning_rate": 0.005,
                "sampler": {"num_negatives": 1024, "shared": True},
                "early_stopping": {"patience": 2, "every_epochs": 4},
            },
        },
    },
}
FLOORS = {
    "bpr_mf-ncf": {"hit_rate@10": 0.700, "ndcg@10": 0.425},
    "neumf-ncf": {"hit_rate@10": 0.7093, "ndcg@10": 0.4349},
    "bpr_mf-gowalla": {"recall@20": 0.180, "ndcg@20": 0.148},
}


def cut(train: Interactions, data: str) -> tuple[Interactions, Interactions]:
    """Train without the part that early stopping looks at, and that part."""
    rng = np.random.default_rng(0)
    if data != "ncf":
        is_valid_N = rng.random(len(train)) < 0.1
    else:
        order = rng.permutation(len(train))
        is_valid_N = np.zeros(len(train), dtype=bool)
        is_valid_N[order[np.unique(train.user_N[order], return_index=True)[1]]] = True
    return train.select(~is_valid_N), train.select(is_valid_N)


class Strangers:
    """The users of a model, known to it by their histories alone."""

    def __init__(self, model: Recommender) -> None:
        self.model = model

    def score(self, query: Query) -> np.ndarray:
        return self.model.score(Query.of_history(query.history_BI))


def measure(name: str, folder: Path) -> dict:
    run = RUNS[name]
    is_gowalla, is_ncf = run["data"] == "gowalla", run["data"] == "ncf"
    source = {
        "gowalla": LightGCNConfig(path=folder / "gowalla.zip"),
        "ml-100k": MovielensConfig(path=folder / "ml-100k.zip"),
        "ncf": NCFSource(path=folder / "ncf-ml-1m.zip"),
    }[run["data"]]
    prepared = prepare(read_source(source), PrepareConfig())
    parts = split(prepared, GivenSplit() if is_gowalla or is_ncf else RandomSplit(valid=0, test=0.25, seed=0))
    train, valid = cut(parts.train, run["data"])
    wall, cpu = time.perf_counter(), time.process_time()
    found = build(run["model"], run["config"]).fit(prepared.dataset.with_interactions(train), FitContext(valid=valid))
    config = found.refit_config()
    model = build(run["model"], config).fit(prepared.dataset.with_interactions(parts.train), FitContext())
    seconds = {"wall_seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - cpu}
    protocol = EvaluationConfig(
        cutoffs=(20,) if is_gowalla else (10,),
        metrics=("recall", "ndcg") if is_gowalla else ("hit_rate", "ndcg"),
        candidates="given" if is_ncf else "all",
        select_by="ndcg@20" if is_gowalla else "ndcg@10",
    )
    negatives = prepared.negatives if is_ncf else None
    figures, folded_in = (
        {metric: judged.mean(metric) for metric in judged.values}
        for judged in (evaluate(one, parts.train, parts.test, protocol, negatives) for one in (model, Strangers(model)))
    )
    return {
        "figures": figures,
        "figures_folded_in": folded_in,
        "above_floor": {metric: figures[metric] - floor for metric, floor in FLOORS.get(name, {}).items()},
        "epochs": config.training.epochs,
        **{name: round(value) for name, value in seconds.items()},
        "config": config.resolved(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FORETASTE_DATA"), help="folder of the archives")
    parser.add_argument("--only", nargs="*", choices=RUNS, default=list(RUNS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    numba.set_num_threads(options.threads)
    for name in options.only:
        # Read anew for each run: one that ran beside this one has left its own.
        found = {name: measure(name, Path(options.data))}
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**known, **found}, indent=2) + "\n")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
