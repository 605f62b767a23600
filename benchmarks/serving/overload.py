"""Overload: 2.5 times what the server can do, in an open loop. What still gets answered, and how late?

    python benchmarks/serving/overload.py [--rounds 5] [--seconds 5]

The server has one core, the load another. Each round measures the latency at a twentieth of capacity, capacity (a
closed loop over 6 connections), and the overload. Targets: goodput at least .9 of capacity, p99 of those admitted at
most 5 times that without load, all others 503 with Retry-After.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import uvloop
from engine import contents
from load import Outcome, closed_loop, open_loop
from over_http import free_port, request, start

RESULTS = Path(__file__).parents[1] / "results" / "serving_overload.json"
FACTOR = 2.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    from foretaste.artifacts.store import BundleStore

    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        BundleStore(Path(folder) / "bundles").publish(contents(options.items))
        cores = sorted(os.sched_getaffinity(0))
        port = free_port()
        server = start("recommend", Path(folder), port, cores[0])
        os.sched_setaffinity(0, {cores[-1]})
        requests = [request(n) for n in range(200)]
        try:
            uvloop.run(closed_loop(port, requests, 6, 2))  # warm up
            for number in range(options.rounds):
                rounds.append(one_round(port, requests, options.seconds, number))
                print(json.dumps(rounds[-1]))
        finally:
            server.terminate()
            server.wait()
    told = {
        "command": f"python benchmarks/serving/overload.py --rounds {options.rounds}",
        "cores": os.cpu_count(),
        "factor": FACTOR,
        "median": {name: statistics.median(each[name] for each in rounds) for name in rounds[0]},
        "rounds": rounds,
    }
    print(json.dumps(told["median"], indent=2))
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")


def one_round(port: int, requests: list[bytes], seconds: float, seed: int) -> dict[str, float]:
    capacity = uvloop.run(closed_loop(port, requests, 6, seconds)).rate(200)
    unloaded: Outcome = uvloop.run(open_loop(port, requests, capacity / 20, seconds, seed))
    loaded: Outcome = uvloop.run(open_loop(port, requests, FACTOR * capacity, seconds, seed))
    answered = sum(map(len, loaded.latencies.values()))
    return {
        "capacity_per_second": round(capacity),
        "goodput": round(loaded.rate(200) / capacity, 3),
        "unloaded_p50_ms": round(1000 * unloaded.quantile(200, 0.5), 2),
        "unloaded_p99_ms": round(1000 * unloaded.quantile(200, 0.99), 2),
        "admitted_p50_ms": round(1000 * loaded.quantile(200, 0.5), 2),
        "admitted_p99_ms": round(1000 * loaded.quantile(200, 0.99), 2),
        "p99_ratio": round(loaded.quantile(200, 0.99) / unloaded.quantile(200, 0.99), 2),
        "offered_per_second": round(answered / seconds),
        "refused_503": loaded.count(503),
        "without_retry_after": loaded.count(503) - loaded.retry_after,
        "neither_200_nor_503": answered - loaded.count(200) - loaded.count(503) + loaded.broken,
    }


if __name__ == "__main__":
    main()
