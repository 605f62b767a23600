"""What a user gets whom the training never saw, beside what the same user gets whom it did see.

    FORETASTE_DATA=... python benchmarks/serving/fold_in.py [--only als ...] [--seeds 0 1]

MovieLens 100K. Of 200 users, 10 events each are kept and the others held out. `hidden`: a bundle is trained without
these users, and the engine answers with the 10 events as the history of a request. `trained`: a bundle is trained with
the 10 events as well, and the engine answers for the user. NDCG@10 counts the held-out events. Trainings that stop
early look at a twentieth of the events of the other users, which neither bundle learns from.
"""

import argparse
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.writing import write_bundle
from foretaste.config import ExperimentConfig, load_config
from foretaste.data.interactions import Interactions
from foretaste.data.prepare import PrepareConfig, Prepared, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.models.hits import ndcg
from foretaste.models.protocol import FitContext
from foretaste.models.registry import build
from foretaste.serving.engine import Engine, RecommendRequest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "serving_fold_in.json"
CONFIGS = ("movielens-100k", "bpr-mf-movielens-100k", "ncf-movielens-100k", "two-tower-movielens-100k")
NUM_HIDDEN, NUM_GIVEN, VALID_SHARE = 200, 10, 0.05


@dataclass(frozen=True)
class Outcome:
    """NDCG@10 of the users in question, trained and hidden."""

    model: str
    seed: int
    hidden: float
    trained: float
    share: float
    """hidden / trained."""
    changed_by_first_event: float
    """Share of the users whose answer after one event differs from the answer before it."""


def models() -> dict[str, tuple[str, dict]]:
    """Label → model and hyperparameters, as the shipped configs have them."""
    specs = {}
    for name in CONFIGS:
        config = load_config(ROOT / "configs" / f"{name}.yaml", ExperimentConfig)
        specs |= {label: spec for label, spec in config.models.items() if label not in specs}
    return {label: (spec.type, spec.hyperparameters.resolved()) for label, spec in specs.items()}


def movielens(folder: Path) -> Prepared:
    """MovieLens 100K."""
    return prepare(read_source(MovielensConfig(path=folder / "ml-100k.zip")), PrepareConfig())


def divided(events: Interactions, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """hidden users, is_given_N and is_held_out_N."""
    rng = np.random.default_rng(seed)
    hidden = rng.choice(events.num_users, NUM_HIDDEN, replace=False)
    order_N = rng.permutation(len(events))
    order_N = order_N[np.argsort(events.user_N[order_N], kind="stable")]
    start_U = np.concatenate([[0], np.cumsum(events.user_counts())])
    place_N = np.empty(len(events), dtype=np.int64)
    place_N[order_N] = np.arange(len(events)) - start_U[events.user_N[order_N]]
    is_hidden_N = np.isin(events.user_N, hidden)
    return hidden, is_hidden_N & (place_N < NUM_GIVEN), is_hidden_N & (place_N >= NUM_GIVEN)


def compare(label: str, prepared: Prepared, seed: int) -> Outcome:
    """Train both ways and ask for every hidden user."""
    name, config = models()[label]
    events = prepared.dataset.interactions
    is_valid_N = np.random.default_rng(seed).random(len(events)) < VALID_SHARE
    hidden, is_given_N, is_held_out_N = divided(events, seed)
    is_other_N = ~is_given_N & ~is_held_out_N
    valid = events.select(is_other_N & is_valid_N)
    with tempfile.TemporaryDirectory() as folder:

        def engine(rows_N: np.ndarray) -> Engine:
            dataset = prepared.dataset.with_interactions(events.select(rows_N))
            model = build(name, config).fit(dataset, FitContext(seed=seed, valid=valid))
            return Engine(write_bundle(Path(folder), BundleContents.of(name, model, dataset, seed=seed)))

        without, including = engine(is_other_N & ~is_valid_N), engine((is_other_N & ~is_valid_N) | is_given_N)
        given, held_out = events.select(is_given_N), events.select(is_held_out_N)
        hits, num_changed = {"hidden": [], "trained": []}, 0
        for user in hidden:
            history = events.items.ids_at(given.item_N[given.user_N == user])
            relevant = set(events.items.ids_at(held_out.item_N[held_out.user_N == user]))
            answers = {
                "hidden": without.recommend(RecommendRequest("new", history=history)),
                "trained": including.recommend(RecommendRequest(events.users.id(user))),
            }
            for way, answer in answers.items():
                hits[way].append(([item in relevant for item in answer.items.item_ids], len(relevant)))
            before, after = (without.recommend(RecommendRequest("new", history=history[:n])) for n in (0, 1))
            num_changed += before.items.item_ids != after.items.item_ids
    means = {}
    for way, rows in hits.items():
        hit_BK, num_relevant_B = (np.array(column) for column in zip(*rows, strict=True))
        means[way] = float(ndcg(hit_BK.astype(np.float64), num_relevant_B).mean())
    share = means["hidden"] / means["trained"]
    return Outcome(label, seed, means["hidden"], means["trained"], share, num_changed / len(hidden))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FORETASTE_DATA"), help="folder of the archives")
    parser.add_argument("--only", nargs="+", default=list(models()), help="labels of models")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    prepared = movielens(options.data)
    for label in options.only:
        for seed in options.seeds:
            outcome = compare(label, prepared, seed)
            print(outcome, flush=True)
            if not options.dry:
                recorded = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                recorded[f"{label}, seed {seed}"] = asdict(outcome)
                RESULTS.write_text(json.dumps(recorded, indent=2) + "\n")


if __name__ == "__main__":
    main()
