"""Accuracy of models learned by gradient on splits that others published figures for, beside the floors we want.

    FORETASTE_DATA=... python benchmarks/published_splits.py --part valid --only mf-gowalla \\
        --set models.bpr_mf.temperature=0.1
    FORETASTE_DATA=... python benchmarks/published_splits.py --part test

Hyperparameters, epochs included, are those of the shipped configs; they were chosen by `--part valid` alone. It
trains without a part of train and ranks that part by the protocol of the test: on the NCF split one random event of
each user against 99 random items that the user has not met, on Gowalla the last tenth of the lists of 6,000 users
against all items, because the test looks like what comes next in those lists. `--set` tries others, and writes
nothing. `--part test` is `foretaste run` of the config: it trains on all of train, and ranks the test part.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numba
import numpy as np
import torch

from foretaste.arrays import BoolArray
from foretaste.config import ExperimentConfig, load_config
from foretaste.data.interactions import Interactions
from foretaste.data.prepare import prepare
from foretaste.data.sources import read_source
from foretaste.data.splits import split
from foretaste.evaluation.protocol import evaluate
from foretaste.models.protocol import FitContext
from foretaste.models.registry import build
from foretaste.pipelines.run import run

RESULTS = Path(__file__).parent / "results" / "published_splits.json"
CONFIGS = Path(__file__).parents[1] / "configs"
RUNS = {
    "bpr_mf-ncf": ("bpr-mf-ncf-movielens-1m", "bpr_mf"),
    "neumf-ncf": ("neumf-ncf-movielens-1m", "ncf"),
    "mf-gowalla": ("mf-gowalla", "bpr_mf"),
}
FLOORS = {
    "bpr_mf-ncf": {"hit_rate@10": 0.700, "ndcg@10": 0.425},
    "neumf-ncf": {"hit_rate@10": 0.7093, "ndcg@10": 0.4349},
    "mf-gowalla": {"recall@20": 0.180, "ndcg@20": 0.148},
}
NUM_NEGATIVES = 99
NUM_JUDGED = 6000


def cut(train: Interactions, is_ranked_among_given: bool) -> tuple[Interactions, Interactions, Interactions | None]:
    """Train without the part to validate on, that part, and the negatives it is ranked against, if not all items."""
    rng = np.random.default_rng(0)
    if not is_ranked_among_given:
        is_valid_N = last_of_each_user(train, 0.1, rng)
        judged_U = rng.permutation(train.num_users)[:NUM_JUDGED]
        return train.select(~is_valid_N), train.select(is_valid_N & np.isin(train.user_N, judged_U)), None
    order = rng.permutation(len(train))
    is_valid_N = np.zeros(len(train), dtype=bool)
    is_valid_N[order[np.unique(train.user_N[order], return_index=True)[1]]] = True
    is_met_UI = train.to_csr().toarray() > 0
    item_US = np.stack([rng.choice(np.flatnonzero(~is_met_I), NUM_NEGATIVES, replace=False) for is_met_I in is_met_UI])
    user_X = np.repeat(np.arange(train.num_users, dtype=np.int32), NUM_NEGATIVES)
    negatives = replace(
        train,
        user_N=user_X,
        item_N=item_US.ravel().astype(np.int32),
        weight_N=np.ones(len(user_X), dtype=np.float32),
        timestamp_N=None,
    )
    return train.select(~is_valid_N), train.select(is_valid_N), negatives


def last_of_each_user(train: Interactions, share: float, rng: np.random.Generator) -> BoolArray:
    """is_last_N: True for the last `share` of each user's events in the order of the file, fractions by chance."""
    count_U = np.bincount(train.user_N, minlength=train.num_users)
    order = np.argsort(train.user_N, kind="stable")
    first_U = np.cumsum(count_U) - count_U
    rank_N = np.empty(len(train), dtype=np.int64)
    rank_N[order] = np.arange(len(train)) - first_U[train.user_N[order]]
    num_last_U = np.floor(share * count_U + rng.random(train.num_users))
    is_last_N: BoolArray = rank_N >= (count_U - num_last_U)[train.user_N]
    return is_last_N


def on_valid(config: ExperimentConfig, label: str) -> tuple[dict[str, float], float]:
    """The figures on a part of train, and the seconds of the fit."""
    prepared = prepare(read_source(config.data), config.prepare)
    train, judged, negatives = cut(split(prepared, config.split).train, config.evaluation.candidates == "given")
    spec, started_at = config.models[label], time.perf_counter()
    model = build(spec.type, spec.hyperparameters)
    model.fit(prepared.dataset.with_interactions(train), FitContext(seed=config.seed))
    fit_seconds = time.perf_counter() - started_at
    found = evaluate(model, train, judged, config.evaluation, negatives)
    return {metric: found.mean(metric) for metric in found.values}, fit_seconds


def on_test(config: ExperimentConfig, label: str) -> tuple[dict[str, float], float]:
    """The figures on test of a whole `foretaste run`, and the seconds of the fit."""
    with TemporaryDirectory() as artifacts:
        result = run(config, Path(artifacts), ["foretaste", "run", f"configs/{config.name}.yaml"])
    (found,) = (model for model in result.to_json()["models"] if model["model"] == label)
    return {metric: value["mean"] for metric, value in found["metrics"].items()}, found["fit_seconds"]


def measure(name: str, part: str, overrides: list[str]) -> dict:
    """The figures of one run on one part, what it took, and with what."""
    file, label = RUNS[name]
    config = load_config(CONFIGS / f"{file}.yaml", ExperimentConfig, overrides)
    processor_seconds = time.process_time()
    figures, fit_seconds = {"valid": on_valid, "test": on_test}[part](config, label)
    measured = {
        "figures": {metric: figures[metric] for metric in FLOORS[name]},
        "fit_seconds": round(fit_seconds),
        "processor_seconds": round(time.process_time() - processor_seconds),
        "hyperparameters": config.models[label].hyperparameters.model_dump(mode="json", exclude_unset=True),
    }
    if part == "test":
        measured["above_floor"] = {metric: figures[metric] - floor for metric, floor in FLOORS[name].items()}
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("valid", "test"), required=True)
    parser.add_argument("--only", nargs="*", choices=RUNS, default=list(RUNS))
    parser.add_argument("--set", nargs="*", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if "FORETASTE_DATA" not in os.environ:
        parser.error("FORETASTE_DATA should name the folder of the archives, as in FORETASTE_DATA=data")
    torch.set_num_threads(options.threads)
    numba.set_num_threads(options.threads)
    for name in options.only:
        found = measure(name, options.part, options.overrides)
        print(json.dumps({name: {options.part: found}}), flush=True)
        if options.overrides:
            continue
        # Read anew for each run: one that ran beside this one has left its own.
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known.setdefault(name, {})[options.part] = found
        RESULTS.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
