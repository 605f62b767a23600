"""Accuracy of BPR-MF and NeuMF on MovieLens 100K, for stored users and for the same ones folded in.

    FORETASTE_DATA=... python benchmarks/gradient_models.py [--only neumf-ml-100k ...] [--threads 1]

Early stopping looks at a tenth of the events of train. The figures are of the model that is then trained on all of
train for the best number of epochs.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numba
import numpy as np
import torch

from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.data.splits import RandomSplit, split
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.models.protocol import FitContext, Query, Recommender
from foretaste.models.registry import build

RESULTS = Path(__file__).parent / "results" / "gradient_models.json"
RUNS = {
    "bpr_mf-ml-100k": {
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
}


class Strangers:
    """The users of a model, known to it by their histories alone."""

    def __init__(self, model: Recommender) -> None:
        self.model = model

    def score(self, query: Query) -> np.ndarray:
        return self.model.score(Query.of_history(query.history_BI))


def measure(name: str, folder: Path) -> dict:
    run = RUNS[name]
    prepared = prepare(read_source(MovielensConfig(path=folder / "ml-100k.zip")), PrepareConfig())
    parts = split(prepared, RandomSplit(valid=0, test=0.25, seed=0))
    is_valid_N = np.random.default_rng(0).random(len(parts.train)) < 0.1
    train, valid = parts.train.select(~is_valid_N), parts.train.select(is_valid_N)
    wall, cpu = time.perf_counter(), time.process_time()
    found = build(run["model"], run["config"]).fit(prepared.dataset.with_interactions(train), FitContext(valid=valid))
    config = found.refit_config()
    model = build(run["model"], config).fit(prepared.dataset.with_interactions(parts.train), FitContext())
    seconds = {"wall_seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - cpu}
    protocol = EvaluationConfig(cutoffs=(10,), metrics=("hit_rate", "ndcg"))
    figures, folded_in = (
        {metric: judged.mean(metric) for metric in judged.values}
        for judged in (evaluate(one, parts.train, parts.test, protocol) for one in (model, Strangers(model)))
    )
    return {
        "figures": figures,
        "figures_folded_in": folded_in,
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
