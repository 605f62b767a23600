"""An iteration of ALS beside one of `implicit` (conjugate gradients), and the ranking that each reaches.

    FORETASTE_DATA=... python benchmarks/als.py [--rounds 3] [--threads 1 2]

Both train on the same events with the same number of dimensions, iterations and conjugate gradient steps, each with the
hyperparameters that served it best on a validation cut of train. A round is a whole training of either, in turn,
within one process; an iteration counts from one report of progress to the next, the first left out. The time of
compiling is measured apart, in fresh processes with an empty and with a filled cache. Needs `pip install implicit`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "als.json"
ITERATIONS = 16
CG_STEPS = 3
CASES: dict[str, dict[str, Any]] = {
    "gowalla": {
        "config": "configs/gowalla.yaml",
        "split": ["split.valid=0"],
        "judged_on": "test",
        "embedding_dim": 64,
        "foretaste": {"unobserved_weight": 0.01, "regularization": 0.003},
        "implicit": {"alpha": 100.0, "regularization": 100.0},
    },
    "ncf-movielens-1m": {
        # The test part has one item a user, too few to tell two models apart: a tenth of train says ten times as much.
        "config": "configs/ncf-movielens-1m.yaml",
        "split": ["split.valid=0.1", "split.seed=1"],
        "judged_on": "valid",
        "embedding_dim": 128,
        "foretaste": {"unobserved_weight": 0.2, "regularization": 0.01},
        "implicit": {"alpha": 5.0, "regularization": 70.0},
    },
}


class Stopwatch:
    """Wall and processor seconds between reports of progress."""

    def __init__(self) -> None:
        self.marks = [(time.perf_counter(), time.process_time())]

    def __call__(self, *_: object) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    def iterations(self) -> list[tuple[float, float]]:
        """(wall, processor) of each iteration but the first."""
        return [
            (later[0] - earlier[0], later[1] - earlier[1])
            for earlier, later in zip(self.marks[1:], self.marks[2:], strict=False)
        ]


class ImplicitVectors:
    """The vectors of `implicit` as a model that evaluation can rank."""

    def __init__(self, user_UD: Any, item_ID: Any) -> None:
        import numpy as np

        self.user_UD, self.item_DI = user_UD, np.ascontiguousarray(item_ID.T)

    def score(self, query: Any) -> Any:
        from foretaste.models.dot_product import dot_scores

        return dot_scores(self.user_UD[query.user_B], self.item_DI)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    # implicit asks for this: its own threads and those of BLAS would fight.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

    results = [measure(name, threads, options.rounds) for name in CASES for threads in options.threads]
    told = {
        "command": f"python benchmarks/als.py --rounds {options.rounds} "
        f"--threads {' '.join(map(str, options.threads))}",
        "machine": machine(),
        "first_fit_seconds": first_fit_seconds(),
        "results": results,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")


def measure(name: str, threads: int, rounds: int) -> dict[str, Any]:
    """Train both in turn and compare."""
    import numba
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy import sparse

    from foretaste.config import ExperimentConfig, load_config
    from foretaste.evaluation.protocol import EvaluationConfig, evaluate
    from foretaste.models.als import ALS, ALSConfig
    from foretaste.models.protocol import FitContext
    from foretaste.pipelines.experiment import divide
    from foretaste.pipelines.narration import Silence

    case = CASES[name]
    divided = divide(load_config(Path(case["config"]), ExperimentConfig, case["split"]), Silence())
    train, held_out = divided.split.train, getattr(divided.split, case["judged_on"])
    dataset, matrix = divided.dataset(train), sparse.csr_matrix(train.to_csr())
    protocol = EvaluationConfig(cutoffs=(20,), metrics=("ndcg",), select_by="ndcg@20")
    dim = case["embedding_dim"]
    numba.set_num_threads(threads)

    def ours(seed: int, clock: Stopwatch) -> Any:
        config = ALSConfig(embedding_dim=dim, iterations=ITERATIONS, cg_steps=CG_STEPS, **case["foretaste"])
        return ALS(config).fit(dataset, FitContext(seed=seed, progress=clock))

    def theirs(seed: int, clock: Stopwatch) -> Any:
        model = AlternatingLeastSquares(
            factors=dim, iterations=ITERATIONS, use_cg=True, num_threads=threads, random_state=seed, **case["implicit"]
        )
        model.cg_steps = CG_STEPS
        model.fit(matrix, show_progress=False, callback=clock)
        return ImplicitVectors(model.user_factors, model.item_factors)

    contestants = {"foretaste": ours, "implicit": theirs}
    seconds: dict[str, list[tuple[float, float]]] = {contestant: [] for contestant in contestants}
    quality: dict[str, list[float]] = {contestant: [] for contestant in contestants}
    for seed in range(rounds):
        for contestant, train_one in contestants.items():
            clock = Stopwatch()
            model = train_one(seed, clock)
            seconds[contestant] += clock.iterations()
            quality[contestant].append(evaluate(model, train, held_out, protocol).mean("ndcg@20"))
    figures = {
        contestant: {
            "config": case[contestant],
            "wall_seconds_per_iteration": spread([wall for wall, _ in seconds[contestant]]),
            "cpu_seconds_per_iteration": spread([cpu for _, cpu in seconds[contestant]]),
            "ndcg@20": spread(quality[contestant]),
        }
        for contestant in contestants
    }
    for contestant, each in figures.items():
        wall, quality_median = each["wall_seconds_per_iteration"]["median"], each["ndcg@20"]["median"]
        print(f"{name:<18} {threads} threads  {contestant:<10} {wall:.4f} s an iteration  NDCG@20 {quality_median:.4f}")
    return {
        "data": name,
        "users": train.num_users,
        "items": train.num_items,
        "events": len(train),
        "embedding_dim": dim,
        "iterations": ITERATIONS,
        "cg_steps": CG_STEPS,
        "threads": threads,
        "judged_on": case["judged_on"],
        **figures,
    }


def spread(values: list[float]) -> dict[str, float]:
    """min, median, max."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def first_fit_seconds() -> dict[str, float]:
    """A tiny fit in a fresh process: with nothing compiled yet, and again from Numba's cache."""
    code = (
        "import time, numpy as np; from foretaste.models import least_squares as ls; from scipy import sparse\n"
        "start = time.perf_counter()\n"
        "vectors, x = np.eye(8, dtype=np.float32), np.zeros((8, 8), dtype=np.float32)\n"
        "axes, energy = ls.principal_axes(vectors)\n"
        "events = sparse.csr_array(vectors)\n"
        "ls.solve_rows(events, ls.turned(vectors, axes), energy, np.ones(8, np.float32), x, steps=1)\n"
        "print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        seconds = [
            float(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
            for _ in range(2)
        ]
    return {"compiling": seconds[0], "cached": seconds[1]}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import implicit
    import numba
    import numpy as np

    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
        "implicit": implicit.__version__,
    }


def processor() -> str:
    """The name of the processor, where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
