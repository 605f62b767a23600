"""Scores that are equal to the bit in any batch, beside the matrix product of OpenBLAS, which are not.

    python benchmarks/dot_product.py [--rounds 15] [--threads 1 2]

Each case multiplies a batch of user vectors with the vectors of a catalogue, in turn within one process, and counts how
many of the batch's rows come out otherwise when they are scored alone. Each number of threads runs in its own process.
One thread is measured by its processor time, which other work on the machine hardly moves; several by the clock.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "dot_product.json"
CASES = [
    {"queries": queries, "items": items, "dim": dim}
    for queries in (1, 512)
    for items, dim in ((3_706, 128), (40_981, 64), (400_000, 64))
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        clock = time.process_time if options.threads == [1] else time.perf_counter
        print(json.dumps([measure(**case, rounds=options.rounds, clock=clock) for case in CASES]))
        return
    results = []
    for threads in options.threads:
        limits = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
        command = [sys.executable, __file__, "--worker", "--threads", str(threads), "--rounds", str(options.rounds)]
        told = subprocess.run(command, env={**os.environ, **limits}, stdout=subprocess.PIPE, check=True).stdout
        results += [{"threads": threads, **figures} for figures in json.loads(told)]
    for each in results:
        ours, blas = each["foretaste_ms"]["median"], each["openblas_ms"]["median"]
        print(
            f"{each['threads']} threads  {each['queries']:>3} × {each['items']:>7,} × {each['dim']:<3}  "
            f"{ours:>8.2f} ms  OpenBLAS {blas:>8.2f} ms  {blas / ours:.2f} times its rate  "
            f"rows that change alone: {each['foretaste_rows_changed']} and {each['openblas_rows_changed']}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    told_all = {
        "command": f"python benchmarks/dot_product.py --rounds {options.rounds} "
        f"--threads {' '.join(map(str, options.threads))}",
        "machine": machine(),
        "results": results,
    }
    RESULTS.write_text(json.dumps(told_all, indent=2) + "\n")


def measure(queries: int, items: int, dim: int, rounds: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Milliseconds of either, and how many rows depend on the batch."""
    import numpy as np

    from foretaste.models.dot_product import dot_scores

    rng = np.random.default_rng(0)
    user_BD = rng.standard_normal((queries, dim), dtype=np.float32)
    item_DI = rng.standard_normal((dim, items), dtype=np.float32)
    contestants = {"foretaste": dot_scores, "openblas": np.matmul}
    milliseconds: dict[str, list[float]] = {name: [] for name in contestants}
    changed: dict[str, int] = {}
    for name, product in contestants.items():
        scores_BI = product(user_BD, item_DI)  # compiles and warms up
        alone = [product(user_BD[[b]], item_DI)[0] for b in range(min(queries, 32))]
        changed[name] = sum(not np.array_equal(row_I, scores_BI[b]) for b, row_I in enumerate(alone))
    for _ in range(rounds):
        for name, product in contestants.items():
            started = clock()
            product(user_BD, item_DI)
            milliseconds[name].append(1000 * (clock() - started))
    return {
        "queries": queries,
        "items": items,
        "dim": dim,
        **{f"{name}_ms": spread(values) for name, values in milliseconds.items()},
        **{f"{name}_rows_changed": count for name, count in changed.items()},
        "rows_compared": min(queries, 32),
    }


def spread(values: list[float]) -> dict[str, float]:
    """min, median, max."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import numba
    import numpy as np

    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    main()
