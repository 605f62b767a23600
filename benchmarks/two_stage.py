"""Two stages beside each retriever alone: how good on test, by paired tests, and what a request costs beside ALS.

    FORETASTE_DATA=... python benchmarks/two_stage.py [--only goodbooks] [--splits shipped] [--part valid] [--serving]
        [--write]

The models are those of `configs/two-stage-*.yaml`, with the hyperparameters that stand there, fitted on everything
before test. The quality is that of `foretaste run` and `foretaste compare`. `rolling` has four test windows, each a
tenth of the events, one right after the other up to the newest; a user of several windows counts once, with the mean.
`--part valid` fits on train and judges on valid, to choose by. The serving part asks one engine of each
model in turns, round by round, and tells processor time of one request of ten items; run it with one thread.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.writing import write_bundle
from foretaste.config import ExperimentConfig, load_config
from foretaste.data.interactions import Dataset, Interactions
from foretaste.evaluation.protocol import Evaluation, EvaluationConfig, evaluate
from foretaste.evaluation.significance import compare, estimates_of
from foretaste.evaluation.windows import by_user
from foretaste.models.protocol import Recommender
from foretaste.pipelines.experiment import divide, fit
from foretaste.pipelines.narration import Silence
from foretaste.serving.engine import Engine, RecommendRequest

RESULTS = Path(__file__).parent / "results" / "two_stage.json"
ROOT = Path(__file__).parents[1]
CONFIGS = {"ml-100k": "two-stage-movielens-100k.yaml", "goodbooks": "two-stage-goodbooks.yaml"}
# Where what is on at the time tells nothing, other retrievers are worth their place.
RANDOM = [
    "split={method: random, valid: 0.1, test: 0.1}",
    "models.ease={regularization: 400}",
    "models.two_stage.retrievers={als: {embedding_dim: 64, unobserved_weight: 0.65, regularization: 0.011}, "
    "ease: {regularization: 400}}",
    "models.two_stage.holdout={method: random, share: 0.1, windows: 3}",
    "models.two_stage.ranker.truncation=30",
]
ROLLING = ["split={method: global_time, valid: 0.1, test: 0.1, windows: 4}"]
SPLITS: dict[str, list[str]] = {"shipped": [], "rolling": ROLLING, "random": RANDOM}
METRIC = "ndcg@10"
USERS, ROUNDS, HISTORY = 1000, 5, 10


def fitted(config: ExperimentConfig, dataset: Dataset) -> dict[str, Recommender]:
    models = {}
    for label, spec in config.models.items():
        models[label], seconds = fit(spec, dataset, None, config.seed, label, Silence())
        print(f"  {label}: fitted in {seconds:.0f} s", flush=True)
    return models


def judged(models: dict[str, Recommender], known: Interactions, held_out: Interactions) -> dict[str, Evaluation]:
    told = EvaluationConfig(cutoffs=(10,), metrics=("ndcg", "recall"))
    return {label: evaluate(model, known, held_out, told) for label, model in models.items()}


def quality(windows: list[dict[str, Evaluation]]) -> list[dict[str, Any]]:
    """NDCG@10 and Recall@10 over all windows, and two stages minus each retriever, paired by user."""
    models = list(windows[0])
    values, recall = (
        {label: by_user([window[label] for window in windows], metric) for label in models}
        for metric in (METRIC, "recall@10")
    )
    estimates = estimates_of(values)
    others = [label for label in models if label != "two_stage"]
    against = compare([("two_stage", label) for label in others], values)
    rows = []
    for label in models:
        estimate = estimates[label]
        row: dict[str, Any] = {
            "model": label,
            "users": len(values[label]),
            METRIC: [round(each, 4) for each in (estimate.mean, estimate.low, estimate.high)],
            "recall@10": round(float(recall[label].mean()), 4),
        }
        if len(windows) > 1:
            row["windows"] = [round(window[label].mean(METRIC), 4) for window in windows]
        if label in others:
            found = against[others.index(label)]
            gain = found.difference
            row["two_stage_minus_it"] = [round(each, 4) for each in (gain.mean, gain.low, gain.high)]
            row["permutation_p"], row["holm_p"] = found.permutation_p, found.corrected_p
        rows.append(row)
        print("  ", row, flush=True)
    return rows


def serving(models: dict[str, Recommender], config: ExperimentConfig, dataset: Dataset) -> list[dict[str, Any]]:
    """Processor microseconds of a request, the least of the rounds."""
    rng = np.random.default_rng(0)
    events = dataset.interactions
    known = [events.users.id(int(u)) for u in rng.choice(np.flatnonzero(events.user_counts() > 0), USERS)]
    weight_I = events.item_counts() / len(events)
    met = [
        events.items.ids_at(rng.choice(events.num_items, HISTORY, replace=False, p=weight_I).astype(np.int32))
        for _ in range(USERS)
    ]
    requests: dict[str, list[RecommendRequest]] = {
        "known user": [RecommendRequest(user_id) for user_id in known],
        f"stranger, {HISTORY} items": [RecommendRequest(history=history) for history in met],
        "known user, one item more": [
            RecommendRequest(user_id, history=history[:1]) for user_id, history in zip(known, met, strict=True)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        engines = {}
        for label, model in models.items():
            contents = BundleContents.of(config.models[label].type, model, dataset, seed=config.seed)
            engines[label] = Engine(write_bundle(Path(folder) / label, contents))
            engines[label].warm_up()
        rows = []
        for kind, asked in requests.items():
            least = {label: float("inf") for label in engines}
            for _ in range(ROUNDS):
                for label, engine in engines.items():
                    least[label] = min(least[label], _microseconds(engine.recommend, asked))
            ratios = {label: round(spent / least["als"], 2) for label, spent in least.items()}
            rows.append({"request": kind, "us": {label: round(us, 1) for label, us in least.items()}, "by_als": ratios})
            print("  ", rows[-1], flush=True)
    return rows


def _microseconds(recommend: Callable[[RecommendRequest], Any], asked: list[RecommendRequest]) -> float:
    started = time.process_time()
    for request in asked:
        recommend(request)
    return (time.process_time() - started) / len(asked) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(CONFIGS), help="one data set")
    parser.add_argument(
        "--splits", nargs="+", choices=list(SPLITS), default=list(SPLITS), help="how ml-100k is divided"
    )
    parser.add_argument("--part", choices=["valid", "test"], default="test", help="what is judged")
    parser.add_argument("--serving", action="store_true", help="also what a request costs")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="laid over the config")
    parser.add_argument("--write", action="store_true", help=f"to {RESULTS.name}, beside what stands there")
    options = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, file in CONFIGS.items():
        if options.only not in (None, name):
            continue
        for split in options.splits if name == "ml-100k" else ["shipped"]:
            config = load_config(ROOT / "configs" / file, ExperimentConfig, [*SPLITS[split], *options.set])
            divided = divide(config, Silence())
            key = f"{name}, {divided.split.method.replace('_', ' ')} split{', rolling' * (split == 'rolling')}"
            print(key, flush=True)
            told, windows = found.setdefault(key, {}), []
            for window in (*divided.earlier, divided.split):
                known, held_out = replace(divided, split=window).history, window.test
                if options.part == "valid":
                    known, held_out = window.train, window.valid
                models = fitted(config, divided.dataset(known))
                windows.append(judged(models, known, held_out))
            told["quality"] = quality(windows)
            if options.serving and split == "shipped":
                told["serving"] = serving(models, config, divided.dataset(known))
            if options.write:
                RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
