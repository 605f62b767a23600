"""Full ranking of all Gowalla users: our evaluation, metrics included, beside the bare ranker of RecTools.

    FORETASTE_DATA=... python benchmarks/ranking.py [--rounds 5] [--threads 1]

Both rank the same vectors (ALS, 64 dimensions) over all 40,981 items at top 20 with train items left out, in turn
within one process. RecTools (`pip install rectools`) is asked for lists only; ours also computes six metrics at two
cut-offs. Where RecTools is not installed, ours is measured alone.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "ranking.json"
DIM = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for variable in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(options.threads)

    from foretaste.config import ExperimentConfig, load_config
    from foretaste.evaluation.protocol import EvaluationConfig, evaluate
    from foretaste.models.als import ALS, ALSConfig
    from foretaste.models.protocol import FitContext
    from foretaste.pipelines.experiment import divide
    from foretaste.pipelines.narration import Silence

    config = load_config(Path("configs/gowalla.yaml"), ExperimentConfig, ["split.valid=0"])
    divided = divide(config, Silence())
    history, test = divided.history, divided.split.test
    model = ALS(ALSConfig(embedding_dim=DIM, iterations=2)).fit(divided.dataset(history), FitContext())
    protocol = EvaluationConfig(cutoffs=(10, 20))

    contestants: dict[str, Callable[[], object]] = {
        "foretaste": lambda: evaluate(model, history, test, protocol),
    }
    try:
        contestants["rectools"] = _rectools(model, history, test, options.threads)
    except ImportError:
        print("RecTools is not installed; ours alone is measured")

    num_users = len(evaluate(model, history, test, protocol).user_B)
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant in contestants.values():
        contestant()  # compile and warm up
    for _ in range(options.rounds):
        for name, contestant in contestants.items():
            started = time.process_time()
            contestant()
            rates[name].append(num_users / (time.process_time() - started))

    told = {
        "command": f"python benchmarks/ranking.py --threads {options.threads}",
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "users": num_users,
        "items": history.num_items,
        "threads": options.threads,
        "users_per_cpu_second": {
            name: {"min": min(each), "median": statistics.median(each), "max": max(each)}
            for name, each in rates.items()
        },
    }
    for name, figures in told["users_per_cpu_second"].items():  # type: ignore[attr-defined]
        print(f"{name:<12}" + "  ".join(f"{key} {value:>8,.0f}" for key, value in figures.items()) + "  users/CPU-s")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")


def _rectools(model, history, test, threads: int) -> Callable[[], object]:  # type: ignore[no-untyped-def]
    """The same lists by RecTools' ranker for users with test events."""
    import numpy as np
    from rectools.models.rank import Distance, ImplicitRanker
    from scipy import sparse

    users = np.flatnonzero(test.user_counts())
    ranker = ImplicitRanker(
        Distance.DOT,
        np.ascontiguousarray(model.user_embeddings_UD),
        np.ascontiguousarray(model.item_embeddings_ID),
        num_threads=threads,
    )
    seen = sparse.csr_matrix(history.to_csr())[users]
    return lambda: ranker.rank(users, k=20, filter_pairs_csr=seen)


if __name__ == "__main__":
    main()
