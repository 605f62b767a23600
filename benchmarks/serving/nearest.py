"""Nearest items, exactly and by FAISS, by the size of the catalogue: where does an index begin to gain?

    python benchmarks/serving/nearest.py [--items 27000 100000 300000]

Vectors of 64 dimensions around 300 centres. Processor microseconds of a search for the ten nearest, one thread.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np

from foretaste.retrieval import ann
from foretaste.retrieval.inner_product import InnerProduct, unit_rows

RESULTS = Path(__file__).parents[1] / "results" / "serving_nearest.json"
DIM, NUM_CENTRES, NUM_SEARCHES = 64, 300, 200


def microseconds(search: Callable[[int], object]) -> float:
    """Processor time a search; the median of five runs."""
    runs = []
    search(0)
    for _ in range(5):
        start = time.process_time_ns()
        for item in range(NUM_SEARCHES):
            search(item)
        runs.append((time.process_time_ns() - start) / NUM_SEARCHES / 1000)
    return float(np.median(runs))


def measure(num_items: int) -> dict:
    """Both ways on one catalogue."""
    rng = np.random.default_rng(0)
    centre_CD = rng.standard_normal((NUM_CENTRES, DIM))
    noise_ID = 0.8 * rng.standard_normal((num_items, DIM))
    unit_ID = unit_rows((centre_CD[rng.integers(0, NUM_CENTRES, num_items)] + noise_ID).astype(np.float32))
    exact, eligible_I = InnerProduct(unit_ID), np.ones(num_items, dtype=bool)
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        info = ann.build(unit_ID, Path(name))
        build_seconds = time.perf_counter() - start
        index = ann.NearestItems(Path(name), num_items)
        size_mb = (Path(name) / ann.INDEX_FILE).stat().st_size / 1e6
    return {
        "items": num_items,
        "exact_us": round(microseconds(lambda item: exact.contenders(unit_ID[item], 11, eligible_I)), 1),
        "faiss_us": round(microseconds(lambda item: index.search(unit_ID[item], 22)), 1),
        "recall_at_10": info.recall_at_10,
        "cells": info.cells,
        "probes": info.probes,
        "build_seconds": round(build_seconds, 1),
        "file_mb": round(size_mb, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", nargs="+", type=int, default=[27_000, 100_000, 300_000])
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    results = []
    for num_items in options.items:
        results.append(measure(num_items))
        print(json.dumps(results[-1]), flush=True)
    if not options.dry:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
