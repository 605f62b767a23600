"""How often the guard is right: planted faults refused, good trainings promoted, and what becomes of slight faults.

    FORETASTE_DATA=... python benchmarks/guard.py [--seeds 20] [--fault-seeds 5]

Faults are those of `tests/pipelines/retraining/planted.py`: ten trainings that went wrong on data that is right, and
ten data sets that went wrong before the training, where history and holdout are wrong alike. The champion has learnt
from the oldest 70 % of the events, the challenger from 90 %, the rest is the holdout.
"""

import argparse
import json
import os
import runpy
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from foretaste.config import ExperimentConfig, load_config
from foretaste.pipelines.experiment import prepare_data
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.retraining.guard import Verdict, guard

RESULTS = Path(__file__).parent / "results" / "guard.json"
PLANTED = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "tests/pipelines/retraining/planted.py"), run_name="planted")
)
SLIGHT = (0.05, 0.1, 0.2, 0.4)
"""Shares of the training events that went to another user."""
Trial = Callable[[Any, np.random.Generator], Verdict]


def good(of: Any, rng: np.random.Generator) -> Verdict:  # noqa: ARG001
    """The newer training, as it should be."""
    return guard(of.champion, of.published(of.contents()), of.history, of.holdout)


def same_again(of: Any, rng: np.random.Generator) -> Verdict:  # noqa: ARG001
    """The champion has learnt the same events from another seed: there is no difference to be found."""
    return guard(of.published(of.contents(seed=2)), of.published(of.contents()), of.history, of.holdout)


def slightly_shuffled(share: float) -> Trial:
    """A share of the events went to another user."""

    def trial(of: Any, rng: np.random.Generator) -> Verdict:
        user_N = of.history.user_N.copy()
        wrong = np.flatnonzero(rng.random(len(user_N)) < share)
        user_N[wrong] = user_N[rng.permutation(wrong)]
        contents = PLANTED.as_if_from(of, of.contents(replace(of.history, user_N=user_N)))
        return guard(of.champion, of.published(contents), of.history, of.holdout)

    return trial


def training(fault: Callable[..., Any]) -> Trial:
    """A fault of the training."""
    return lambda of, rng: guard(of.champion, of.published(fault(of, rng)), of.history, of.holdout)


def data(fault: Callable[..., Any]) -> Trial:
    """A fault of the data."""

    def trial(of: Any, rng: np.random.Generator) -> Verdict:
        history, holdout = fault(of, rng)
        return guard(of.champion, of.published(of.contents(history)), history, holdout)

    return trial


FAULTS = {fault.__name__: training(fault) for fault in PLANTED.BAD}
FAULTS |= {fault.__name__: data(fault) for fault in PLANTED.BAD_DATA}


def trials(worlds: Iterator[tuple[int, Any]], kinds: dict[str, Trial]) -> dict[str, Any]:
    """Kind → how often each decision, the mean of the measured difference, and processor seconds of a verdict."""
    decisions: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    differences: dict[str, list[float]] = {kind: [] for kind in kinds}
    seconds = []
    for seed, world in worlds:
        for kind, trial in kinds.items():
            begun = time.process_time()
            verdict = trial(world, np.random.default_rng(seed))
            seconds.append(time.process_time() - begun)
            decisions[kind][verdict.decision] += 1
            if "champion" in verdict.figures:
                before, after = (verdict.figures[name]["mean"] for name in ("champion", "challenger"))
                differences[kind].append(after / before - 1)
        print(seed, {kind: dict(count) for kind, count in decisions.items()}, flush=True)
    found = {
        kind: {
            **decisions[kind],
            "mean_difference": float(np.mean(differences[kind])) if differences[kind] else None,
        }
        for kind in kinds
    }
    return {"kinds": found, "processor_seconds": float(np.median(seconds))}


def small_worlds(first: int, count: int) -> Iterator[tuple[int, Any]]:
    """Worlds of 1,000 users."""
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            yield seed, PLANTED.retraining(Path(folder) / "bundles", seed)


def movielens(count: int) -> Iterator[tuple[int, Any]]:
    """MovieLens 100K; the seed is that of the fault alone."""
    config = load_config(Path("configs/movielens-100k.yaml"), ExperimentConfig)
    dataset = prepare_data(config, Silence()).dataset
    for seed in range(count):
        with tempfile.TemporaryDirectory() as folder:
            yield seed, PLANTED.between_trainings(Path(folder) / "bundles", dataset)


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--fault-seeds", type=int, default=5)
    options = parser.parse_args()
    sound: dict[str, Trial] = {"good": good, "same again": same_again}
    sound |= {f"{share:.0%} shuffled": slightly_shuffled(share) for share in SLIGHT}
    found = {
        "worlds of 1,000 users": trials(small_worlds(100, options.seeds), sound),
        "worlds of 1,000 users, faults": trials(small_worlds(200, options.fault_seeds), FAULTS),
    }
    if "FORETASTE_DATA" in os.environ:
        found["MovieLens 100K"] = trials(movielens(1), {**sound, **FAULTS})
    RESULTS.write_text(json.dumps({"options": vars(options), **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
