"""Overload: 2.5 times what the server can do, in an open loop. What still gets answered, and how late?

    python benchmarks/serving/overload.py [--rounds 5] [--seconds 5]

The server has one core, the load another. Each round measures capacity (a closed loop over 6 connections), the latency
at a twentieth of it, the overload, and capacity again; the round's capacity is the mean of the two. `goodput` compares
rates; `goodput_by_processor` compares answers for each second of processor time that the server got, so that it holds
on a machine where others take time from it. A round says something about latency only where `capacity_drift`, the later
capacity over the earlier, is within .9 and 1.1, and as far as `kept_waiting` is small: the part of the overload in
which the thread that answers could have run and others had the core. Targets: goodput at least .9 of capacity, p99 of
those admitted at most 5 times that without load, all others 503 with Retry-After.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Coroutine
from pathlib import Path

import uvloop
from engine import contents
from load import Outcome, closed_loop, open_loop
from over_http import cpu_seconds, free_port, request, start

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
                rounds.append(one_round(server.pid, port, requests, options.seconds, number))
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


def with_processor(pid: int, load: Coroutine[None, None, Outcome]) -> tuple[Outcome, float]:
    """What became of a load, and the seconds of processor time that the server took for it."""
    begun = cpu_seconds(pid)
    return uvloop.run(load), cpu_seconds(pid) - begun


def waited_seconds(pid: int) -> float:
    """How long the first thread of a process was ready to run and others had the core."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9


def one_round(pid: int, port: int, requests: list[bytes], seconds: float, seed: int) -> dict[str, float]:
    before, seconds_before = with_processor(pid, closed_loop(port, requests, 6, seconds))
    capacity = before.rate(200)
    unloaded: Outcome = uvloop.run(open_loop(port, requests, capacity / 20, seconds, seed))
    waited = waited_seconds(pid)
    loaded, seconds_loaded = with_processor(pid, open_loop(port, requests, FACTOR * capacity, seconds, seed))
    waited = waited_seconds(pid) - waited
    after, seconds_after = with_processor(pid, closed_loop(port, requests, 6, seconds))
    capacity = (before.rate(200) + after.rate(200)) / 2
    by_processor = (before.count(200) + after.count(200)) / (seconds_before + seconds_after)
    answered = sum(map(len, loaded.latencies.values()))
    return {
        "capacity_per_second": round(capacity),
        "goodput": round(loaded.rate(200) / capacity, 3),
        "goodput_by_processor": round(loaded.count(200) / seconds_loaded / by_processor, 3),
        "capacity_drift": round(after.rate(200) / before.rate(200), 3),
        "kept_waiting": round(waited / seconds, 3),
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
