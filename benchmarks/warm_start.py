"""Training from the start beside training from an earlier model, on MovieLens 100K that has grown by a tenth.

    FORETASTE_DATA=... python benchmarks/warm_start.py [--only als bpr_mf] [--part valid] [--chain]
        [--set als.warm_iterations=2]

The champion learns from the first 10/11 of the events of train, by time, over the users and items in them. Then 10 %
more events are there, with users and items of their own. The cold start and the warm start learn from all of them, in
turn, and are judged on the same test by full ranking. `--chain` begins with half of train and grows to all of it in ten
steps, each a warm start from the one before.

Three tests: `time`, the newest tenth of all events; `earlier`, the newest tenth of what was before that; and `users`, a
random tenth of all events, which judges nearly every user and so tells smaller differences. `--part valid` does the
same within train, to choose hyperparameters by.

How many epochs the champion and the cold start have is found on events that the champion's part holds out in the same
way; the time of that is told apart.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from foretaste.arrays import DoubleArray, LongArray
from foretaste.config import ExperimentConfig, load_config
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.evaluation.significance import bootstrap
from foretaste.models.protocol import FitContext, Recommender, WarmStart
from foretaste.models.registry import build
from foretaste.pipelines.experiment import prepare_data
from foretaste.pipelines.narration import Silence

RESULTS = Path(__file__).parent / "results" / "warm_start.json"
CONFIGS = {
    "als": "configs/movielens-100k.yaml",
    "bpr_mf": "configs/bpr-mf-movielens-100k.yaml",
    "ncf": "configs/ncf-movielens-100k.yaml",
    "two_tower": "configs/two-tower-movielens-100k.yaml",
}
TESTS = ["time", "earlier", "users"]
HELD_OUT, GROWN, STEPS = 0.1, 0.1, 10
PROTOCOL = EvaluationConfig(cutoffs=(10,), metrics=("ndcg",))
METRIC = "ndcg@10"


def hold_out(events: Interactions, test: str) -> tuple[Interactions, Interactions]:
    """What is known, oldest first, and what is hoped for."""
    if test != "users":
        is_held_out_N = np.arange(len(events)) >= (1 - HELD_OUT) * len(events)
    else:
        is_held_out_N = np.random.default_rng(len(events)).random(len(events)) < HELD_OUT
    return events.select(~is_held_out_N), events.select(is_held_out_N)


def first(dataset: Dataset, num_events: int) -> Dataset:
    """The oldest events, over the users and items in them alone."""
    events = dataset.interactions.select(slice(num_events))
    user_U, item_I = np.unique(events.user_N), np.unique(events.item_N)
    known = replace(
        events,
        user_N=np.searchsorted(user_U, events.user_N).astype(np.int32),
        item_N=np.searchsorted(item_I, events.item_N).astype(np.int32),
        users=_of(events.users, user_U),
        items=_of(events.items, item_I),
    )
    users = None if dataset.users is None else dataset.users[user_U]
    return Dataset(known, dataset.catalogue[item_I], dataset.info, users)


def _of(vocabulary: Vocabulary, index_X: LongArray) -> Vocabulary:
    return Vocabulary(vocabulary.ids.gather(index_X))


def with_length(label: str, spec: dict[str, Any], dataset: Dataset, test: str) -> dict[str, Any]:
    """The hyperparameters with the number of epochs that is best on held-out events, as `foretaste train` finds it."""
    events = dataset.interactions
    model = build(label, spec)
    if not hasattr(model, "refit_config"):
        return spec
    known, valid = hold_out(events, test)
    model.fit(dataset.with_interactions(known), FitContext(valid=valid))
    return model.refit_config().resolved()


def as_start(label: str, model: Recommender, dataset: Dataset) -> WarmStart:
    events = dataset.interactions
    return WarmStart("earlier", label, model.config.resolved(), model.state(), events.users, events.items)


def fitted(label: str, spec: dict[str, Any], dataset: Dataset, context: FitContext) -> tuple[Recommender, float]:
    """The model and the processor seconds of its fit."""
    started = time.process_time()
    model = build(label, spec).fit(dataset, context)
    return model, time.process_time() - started


def judged(model: Recommender, known: Interactions, held_out: Interactions) -> DoubleArray:
    """NDCG@10 of the users with a history; who has none is answered by popularity, whatever the model."""
    found = evaluate(model, known, held_out, PROTOCOL)
    return found.values[METRIC][known.user_counts()[found.user_B] > 0]


def grown_once(label: str, spec: dict[str, Any], dataset: Dataset, test: str, seeds: int) -> dict[str, Any]:
    known, held_out = hold_out(dataset.interactions, test)
    now = dataset.with_interactions(known)
    before = first(now, round(len(known) / (1 + GROWN)))
    started = time.process_time()
    with_length(label, spec, now, test)  # as `foretaste train` does first, and a warm start has no need to
    looking = time.process_time() - started
    spec = with_length(label, spec, before, test)
    seconds: dict[str, list[float]] = {"champion": [], "cold": [], "warm": []}
    values: dict[str, list[DoubleArray]] = {"champion": [], "cold": [], "warm": []}
    for seed in range(seeds):
        champion, spent = fitted(label, spec, before, FitContext(seed))
        seconds["champion"].append(spent)
        starts = {"cold": None, "warm": as_start(label, champion, before)}
        for name in list(starts) if seed % 2 == 0 else list(reversed(starts)):
            model, spent = fitted(label, spec, now, FitContext(seed, warm_start=starts[name]))
            seconds[name].append(spent)
            values[name].append(judged(model, known, held_out))
    del values["champion"]
    return {
        "seconds_to_find_the_length": round(looking, 3),
        "epochs": spec["training"]["epochs"] if "training" in spec else spec["iterations"],
        "users_judged": len(values["cold"][0]),
        "new_users": known.num_users - before.interactions.num_users,
        "new_items": known.num_items - before.interactions.num_items,
        "processor_seconds": {name: [round(one, 3) for one in spent] for name, spent in seconds.items()},
        "share_of_the_time": round(float(np.median(seconds["warm"]) / np.median(seconds["cold"])), 3),
        **compared(values, "warm"),
    }


def chained(label: str, spec: dict[str, Any], dataset: Dataset, test: str, seeds: int) -> dict[str, Any]:
    known, held_out = hold_out(dataset.interactions, test)
    now = dataset.with_interactions(known)
    sizes = np.linspace(len(known) / 2, len(known), STEPS + 1).round().astype(int)
    spec = with_length(label, spec, first(now, sizes[0]), test)
    values: dict[str, list[DoubleArray]] = {"cold": [], "one warm start": [], "ten warm starts": []}
    for seed in range(seeds):
        values["cold"].append(judged(fitted(label, spec, now, FitContext(seed))[0], known, held_out))
        almost = first(now, sizes[-2])
        champion, _ = fitted(label, spec, almost, FitContext(seed))
        model, _ = fitted(label, spec, now, FitContext(seed, warm_start=as_start(label, champion, almost)))
        values["one warm start"].append(judged(model, known, held_out))
        part = first(now, sizes[0])
        model, _ = fitted(label, spec, part, FitContext(seed))
        for size in sizes[1:]:
            start = as_start(label, model, part)
            part = now if size == len(known) else first(now, size)
            model, _ = fitted(label, spec, part, FitContext(seed, warm_start=start))
        values["ten warm starts"].append(judged(model, known, held_out))
    return {"users_judged": len(values["cold"][0]), **compared(values, "ten warm starts")}


def compared(values: dict[str, list[DoubleArray]], name: str) -> dict[str, Any]:
    """Means over seeds, with intervals over users."""
    mean = {each: np.mean(of_seeds, axis=0) for each, of_seeds in values.items()}
    return {
        METRIC: {each: _interval(mean[each]) for each in mean},
        "seeds": {each: [round(float(one.mean()), 4) for one in of_seeds] for each, of_seeds in values.items()},
        f"{name} minus cold": _interval(mean[name] - mean["cold"]),
    }


def _interval(value_B: DoubleArray) -> dict[str, float]:
    found = bootstrap(value_B[:, None])[0]
    return {"mean": round(found.mean, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--tests", nargs="*", choices=TESTS, default=TESTS)
    parser.add_argument("--part", choices=["valid", "test"], default="test")
    parser.add_argument("--chain", action="store_true", help="ten warm starts in a row")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], metavar="MODEL.KEY=VALUE", help="laid over the configs")
    parser.add_argument("--write", action="store_true", help=f"to {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    archive = Path(os.environ.get("FORETASTE_DATA", "data/raw")) / "ml-100k.zip"
    for label in options.only:
        changes = [f"models.{one}" for one in options.set if one.startswith(f"{label}.")]
        config = load_config(Path(CONFIGS[label]), ExperimentConfig, [f"data.path={archive}", *changes])
        dataset, spec = prepare_data(config, Silence()).dataset, config.models[label]
        hyperparameters = spec.hyperparameters.resolved()
        for test in options.tests:
            part = dataset
            for _ in range((options.part == "valid") + (test == "earlier")):
                part = dataset.with_interactions(hold_out(part.interactions, test)[0])
            measure, kind = (chained, "chain") if options.chain else (grown_once, "once")
            found = measure(label, hyperparameters, part, test, options.seeds)
            print(json.dumps({f"{label}, {test}": found}), flush=True)
            if options.write:
                # Read anew for each: one that ran beside this one has left its own.
                results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                results.setdefault(kind, {})[f"{label}, {test}"] = found
                RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
