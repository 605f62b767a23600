"""Full ranking at top 20 with seen items left out: our evaluation, every metric included, beside the rankers of others.

    FORETASTE_DATA=... python benchmarks/ranking.py [--rounds 7] [--peer NAME=PYTHON ...]

NAME is implicit, rectools or recbole; PYTHON an interpreter that has it, since their requirements exclude each other.
All rank for the same users with the same vectors (ALS, 64 dimensions) on one thread: ML-1M with a tenth of each user's
events held out, and Gowalla in the split of LightGCN. Each contestant is a process of its own that stays alive; they
take turns, and processor time is counted. implicit and RecTools are asked for lists only; RecBole for lists and five
metrics of hits; ours for what `metrics` says: the lists with NDCG alone, or every metric of foretaste at 5, 10 and 20
with slices. `peak_mib` is how far the evaluation raised the peak memory of its process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "ranking.json"
DIM, DEPTH = 64, 20
CUTOFFS = (5, 10, 20)
CASES = {
    "ml-1m": {
        "data": {"source": "movielens", "path": "ml-1m-without-timestamps.zip"},
        "split": {"method": "random", "valid": 0, "test": 0.1},
    },
    "gowalla": {"data": {"source": "lightgcn", "path": "gowalla.zip"}, "split": {"method": "given"}},
}
RECBOLE_USERS_A_BATCH = 64
"""On ML-1M from 32 to 256 are alike, within a twentieth; 16 and 512 are slower."""
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker[0], Path(options.worker[1]))
        return
    peers = dict(peer.split("=", 1) for peer in options.peer)
    interpreters = {"foretaste": sys.executable, "foretaste, ndcg alone": sys.executable} | peers
    told = {
        "command": f"python benchmarks/ranking.py --rounds {options.rounds}"
        + "".join(f" --peer {name}=PYTHON" for name in peers),
        "machine": machine(),
        "threads": 1,
        "results": [measure(case, interpreters, options.rounds) for case in CASES],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")


def measure(case: str, interpreters: dict[str, str], rounds: int) -> dict[str, Any]:
    """All contestants in turn on one data set."""
    with tempfile.TemporaryDirectory() as scratch:
        sizes = prepare(case, Path(scratch))
        workers = {
            name: subprocess.Popen(
                [python, __file__, "--worker", name, scratch],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | ONE_THREAD,
            )
            for name, python in interpreters.items()
        }
        rates: dict[str, list[float]] = {name: [] for name in workers}
        peaks: dict[str, float] = {}
        for turn in range(rounds + 1):
            for name, worker in workers.items():
                assert worker.stdin is not None
                assert worker.stdout is not None
                worker.stdin.write("go\n")
                worker.stdin.flush()
                figures = json.loads(worker.stdout.readline())
                peaks[name] = figures["peak_mib"]
                if turn:  # the first compiles and warms up
                    rates[name].append(sizes["users"] / figures["cpu_seconds"])
        for worker in workers.values():
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait()
    for name, each in rates.items():
        low, middle, high = min(each), statistics.median(each), max(each)
        print(f"{case:<8} {name:<24}{low:>9,.0f} /{middle:>8,.0f} /{high:>8,.0f} users/CPU-s  +{peaks[name]:,.0f} MiB")
    return {
        "case": case,
        **sizes,
        "users_per_cpu_second": {
            name: {"min": min(each), "median": statistics.median(each), "max": max(each)}
            for name, each in rates.items()
        },
        "peak_mib": peaks,
    }


def prepare(case: str, folder: Path) -> dict[str, int]:
    """Vectors, what was seen, what is relevant, and the genres, as plain arrays that every contestant reads."""
    import numpy as np
    from scipy import sparse

    from foretaste.config import ExperimentConfig, check
    from foretaste.models.als import ALS, ALSConfig
    from foretaste.models.protocol import FitContext
    from foretaste.pipelines.experiment import divide
    from foretaste.pipelines.narration import Silence

    divided = divide(check({**CASES[case], "models": {"popularity": None}}, ExperimentConfig, where=case), Silence())
    history, test = divided.history, divided.split.test
    model = ALS(ALSConfig(embedding_dim=DIM, iterations=2)).fit(divided.dataset(history), FitContext())
    np.save(folder / "user_UD.npy", model.user_embeddings_UD)
    np.save(folder / "item_ID.npy", model.item_embeddings_ID)
    for name, matrix in (
        ("seen", history.to_csr()),
        ("relevant", test.to_csr()),
        ("genres", divided.prepared.dataset.genre_matrix()[0]),
    ):
        sparse.save_npz(folder / f"{name}.npz", sparse.csr_matrix(matrix))
    return {"users": int((test.user_counts() > 0).sum()), "items": history.num_items, "events": len(history)}


def work(name: str, folder: Path) -> None:
    """Load, then rank once for each line that comes in, and tell the processor seconds."""
    task = Task.load(folder)
    contestant = {
        "foretaste": foretaste(None),
        "foretaste, ndcg alone": foretaste(("ndcg",)),
        "implicit": implicit,
        "rectools": rectools,
        "recbole": recbole,
    }[name]
    rank = contestant(task)
    before = peak_mib()
    for _ in sys.stdin:
        started = time.process_time()
        rank()
        cpu_seconds = time.process_time() - started
        print(json.dumps({"cpu_seconds": cpu_seconds, "peak_mib": round(peak_mib() - before)}), flush=True)


def peak_mib() -> float:
    """The most memory that this process has held. `getrusage` would tell its parent's, where that was more."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@dataclass(frozen=True)
class Task:
    """What every contestant is given."""

    user_UD: Any
    item_ID: Any
    seen_UI: Any
    relevant_UI: Any
    genres_IG: Any

    @classmethod
    def load(cls, folder: Path) -> Task:
        import numpy as np
        from scipy import sparse

        vectors = (np.load(folder / f"{name}.npy") for name in ("user_UD", "item_ID"))
        return cls(*vectors, *(sparse.load_npz(folder / f"{name}.npz") for name in ("seen", "relevant", "genres")))

    @property
    def user_B(self) -> Any:
        """Those with something to find."""
        import numpy as np

        return np.flatnonzero(np.diff(self.relevant_UI.indptr))


Contestant = Callable[[Task], Callable[[], object]]


def foretaste(metrics: tuple[str, ...] | None) -> Contestant:
    """The evaluation as `foretaste run` calls it, means included; None for every metric."""

    def contestant(task: Task) -> Callable[[], object]:
        import numpy as np
        from scipy import sparse

        from foretaste.data.interactions import Interactions
        from foretaste.data.vocabulary import Vocabulary
        from foretaste.evaluation.metrics import METRICS
        from foretaste.evaluation.protocol import EvaluationConfig, evaluate
        from foretaste.models.dot_product import dot_scores

        class Vectors:
            item_DI = np.ascontiguousarray(task.item_ID.T)

            def score(self, query: Any) -> Any:
                return dot_scores(task.user_UD[query.user_B], self.item_DI)

        users, items = (Vocabulary.of([f"{place:06}" for place in range(size)]) for size in task.seen_UI.shape)

        def events(matrix: Any) -> Interactions:
            pairs = matrix.tocoo()
            return Interactions(
                pairs.row.astype(np.int32), pairs.col.astype(np.int32), pairs.data, None, users=users, items=items
            )

        history, test = events(task.seen_UI), events(task.relevant_UI)
        genres_IG = sparse.csr_array(task.genres_IG)
        config = EvaluationConfig(cutoffs=CUTOFFS, metrics=metrics or tuple(METRICS), select_by="ndcg@20")

        def rank() -> object:
            judged = evaluate(Vectors(), history, test, config, genres_IG=genres_IG)  # type: ignore[arg-type]
            return [judged.mean(metric) for metric in judged.values]

        return rank

    return contestant


def implicit(task: Task) -> Callable[[], object]:
    """Lists by its `recommend`."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=DIM, num_threads=1)
    model.user_factors, model.item_factors = task.user_UD, task.item_ID
    users = task.user_B
    seen = task.seen_UI[users]
    return lambda: model.recommend(users, seen, N=DEPTH, filter_already_liked_items=True)


def rectools(task: Task) -> Callable[[], object]:
    """Lists by its ranker for vectors."""
    from rectools.models.rank import Distance, ImplicitRanker

    users = task.user_B
    ranker = ImplicitRanker(Distance.DOT, task.user_UD, task.item_ID, num_threads=1)
    seen = task.seen_UI[users]
    return lambda: ranker.rank(users, k=DEPTH, filter_pairs_csr=seen)


def recbole(task: Task) -> Callable[[], object]:
    """Lists and five metrics by its collector and evaluator, called as `Trainer.evaluate` calls them."""
    import numpy as np
    import torch
    from recbole.evaluator import Evaluator
    from recbole.evaluator.collector import Collector

    torch.set_num_threads(1)
    vars(np)["float"] = float  # RecBole 1.2.1 asks for a name that NumPy has dropped
    config = {
        "metrics": ["Recall", "MRR", "NDCG", "Hit", "Precision"],
        "topk": list(CUTOFFS),
        "metric_decimal_place": 4,
        "eval_args": {"mode": "full"},
        "device": torch.device("cpu"),
    }
    users = task.user_B
    item_vectors, user_vectors = torch.from_numpy(task.item_ID), torch.from_numpy(task.user_UD)
    batches = []
    for start in range(0, len(users), RECBOLE_USERS_A_BATCH):
        chosen = users[start : start + RECBOLE_USERS_A_BATCH]
        seen, relevant = (
            torch.from_numpy(np.array(matrix[chosen].nonzero())) for matrix in (task.seen_UI, task.relevant_UI)
        )
        batches.append((torch.from_numpy(chosen), tuple(seen), relevant))

    def rank() -> object:
        collector, evaluator = Collector(config), Evaluator(config)
        with torch.no_grad():
            for chosen, seen, (row, item) in batches:
                scores = torch.matmul(user_vectors[chosen], item_vectors.T)
                scores[seen] = -np.inf
                collector.eval_batch_collect(scores, None, row, item)
        return evaluator.evaluate(collector.get_data_struct())

    return rank


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"processor": processor, "cores": os.cpu_count()}


if __name__ == "__main__":
    main()
