"""Hot swap under load: 50 swaps, every fifth after an attempt with one bit flipped in a file of the new bundle.

    python benchmarks/serving/swap.py [--swaps 50] [--connections 4]

Requests come without a pause over 4 connections while bundles are promoted in turn. The file whose bit is flipped is
another each time. Targets: no request fails, every corruption is refused and told by /ready, and the old bundle goes
on answering.
"""

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import uvloop
from engine import contents
from load import Outcome, closed_loop
from over_http import free_port, request, start

RESULTS = Path(__file__).parents[1] / "results" / "serving_swap.json"
EVERY = 5
PATIENCE_SECONDS = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    from foretaste.artifacts import atomic
    from foretaste.artifacts.store import PRODUCTION, BundleStore

    with tempfile.TemporaryDirectory() as folder:
        store = BundleStore(Path(folder) / "bundles")
        store.publish(contents(options.items))
        store.publish(contents(options.items))
        names = [each.bundle_id for each in store.list()]
        files = sorted(path.name for path in (store.root / names[0]).iterdir())
        port = free_port()
        server = start("recommend", Path(folder), port, min(os.sched_getaffinity(0)), 0.1)
        is_over = threading.Event()
        outcomes: list[Outcome] = []
        load = threading.Thread(target=lambda: outcomes.extend(keep_asking(port, options.connections, is_over)))
        load.start()
        seconds, told, refused = [], 0, 0
        try:
            for swap in range(options.swaps):
                old = store.production_id()
                new = names[0] if old == names[1] else names[1]
                if swap % EVERY == EVERY - 1:
                    path = store.root / new / files[refused % len(files)]
                    good = path.read_bytes()
                    bad = bytearray(good)
                    bad[len(bad) * 2 // 3] ^= 1 << refused % 8
                    path.write_bytes(bad)
                    atomic.replace_link(store.root / PRODUCTION, new)
                    ready = wait_until(port, lambda each: each["problems"])
                    told += ready["status"] == "ready" and new in str(ready["problems"])
                    refused += ready["model_version"] == old
                    path.write_bytes(good)
                    atomic.replace_link(store.root / PRODUCTION, old)
                    wait_until(port, lambda each: not each["problems"])
                    time.sleep(0.6)  # a bundle that was refused is tried again after half a second
                begun = time.perf_counter()
                store.promote(new)
                promoted = time.perf_counter()
                wait_until(port, lambda each, new=new: each["model_version"] == new)
                seconds.append(time.perf_counter() - promoted)
                print(
                    f"swap {swap + 1}: promoted {promoted - begun:.2f} s, serving {seconds[-1]:.2f} s later", flush=True
                )
        finally:
            is_over.set()
            load.join()
            server.terminate()
            exit_code = server.wait()
    statuses: dict[str, int] = {}
    for outcome in outcomes:
        for status, latencies in outcome.latencies.items():
            statuses[str(status)] = statuses.get(str(status), 0) + len(latencies)
    figures = {
        "command": f"python benchmarks/serving/swap.py --swaps {options.swaps}",
        "swaps": len(seconds),
        "corruptions": options.swaps // EVERY,
        "corruptions_refused": refused,
        "corruptions_told_by_ready": told,
        "answers_by_status": statuses,
        "connections_broken": sum(outcome.broken for outcome in outcomes),
        "seconds_from_promotion_to_serving": {"median": sorted(seconds)[len(seconds) // 2], "max": max(seconds)},
        "exit_code": exit_code,
    }
    print(json.dumps(figures, indent=2))
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


def keep_asking(port: int, connections: int, is_over: threading.Event) -> list[Outcome]:
    requests = [request(n) for n in range(200)]

    async def asking() -> list[Outcome]:
        outcomes: list[Outcome] = []
        while not is_over.is_set():
            outcomes.append(await closed_loop(port, requests, connections, 1.0))
            await asyncio.sleep(0)
        return outcomes

    return uvloop.run(asking())


def wait_until(port: int, condition: Any) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=30) as answer:
            ready: dict[str, Any] = json.load(answer)
        if condition(ready):
            return ready
        time.sleep(0.05)
    raise RuntimeError(f"/ready did not come to say so: {ready}")


if __name__ == "__main__":
    main()
