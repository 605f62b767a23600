"""What figures over a month of a busy service cost: `foretaste monitor kpis` and the dashboard on 5 million answers.

    python benchmarks/monitoring.py [--rows 5000000] [--folder /tmp/monitoring] [--keep]

A log of four weeks in SQLite, written straight into the service's tables and counted by its own `count_traffic`: five
million answers of ten items to 100,000 users by two versions and two variants, and a click on one item in fifty. `kpis`
is the command, in a process of its own: processor and wall seconds, and the most memory it held. `first_paint` is the
dashboard's first page drawn by Streamlit in a fresh process (imports not counted: the server has done them): `limits`
until what is atop the page, `page` until all of it. `again` is the same page with its figures kept.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS, latency_bucket
from foretaste.serving.logs.traffic import count_traffic

RESULTS = Path(__file__).parent / "results" / "monitoring.json"
SCRIPT = Path(__file__).parents[1] / "src/foretaste/ui/dashboard.py"
NUM_ITEMS, NUM_USERS, K, CLICK_SHARE = 27_000, 100_000, 10, 0.02
SECONDS = 4 * 7 * 24 * 3600 - 3600
BATCH = 100_000
POOL = 50_000
"""Answers that are told apart; more would only make writing slower."""


def requests_and_clicks(count: int) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Batches of rows, oldest first."""
    rng, draw = np.random.default_rng(1), random.Random(1)
    begin = time.time() - SECONDS
    weight_I = 1 / np.arange(1, NUM_ITEMS + 1) ** 0.8
    item_PK = rng.choice(NUM_ITEMS, size=(POOL, K), p=weight_I / weight_I.sum())
    shown = [[f"item-{item}" for item in dict.fromkeys(row)] for row in item_PK.tolist()]
    texts = [json.dumps(items) for items in shown]
    scores = [json.dumps([round(draw.random(), 6) for _ in items]) for items in shown]
    propensities = [json.dumps([0.9] * len(items)) for items in shown]
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        answer_N = rng.integers(POOL, size=size).tolist()
        user_N = rng.integers(NUM_USERS, size=size).tolist()
        latency_N = rng.lognormal(1.0, 0.6, size=size).tolist()
        chance_N = rng.random((size, 3)).tolist()
        requests, clicks = [], []
        for place in range(size):
            number, answer, user, chance = start + place, answer_N[place], user_N[place], chance_N[place]
            is_known, has_failed = chance[0] < 0.85, chance[1] < 0.002
            row = {
                "request_id": f"{1_790_000_000_000 + number * 10:012x}{draw.getrandbits(80):020x}",
                "timestamp": begin + number / count * SECONDS,
                "endpoint": "/recommend" if chance[2] < 0.8 else "/similar" if chance[2] < 0.95 else "/popular",
                "status": 500 if has_failed else 200,
                "latency_ms": latency_N[place],
                "latency_bucket": latency_bucket(latency_N[place]),
                "user_id": f"user-{user}",
                "user_known": is_known,
                "model_version": "20261101-als-0a1b" if number < count * 0.6 else "20261115-als-2c3d",
                "experiment": "bolder",
                "variant": "bold" if user % 2 else "default",
                "policy": "epsilon_greedy",
                "is_fallback": not is_known,
                "fallback_reason": None if is_known or has_failed else "unknown user: popular items",
                "recommendations": None if has_failed else texts[answer],
                "scores": None if has_failed else scores[answer],
                "propensities": None if has_failed else propensities[answer],
                "num_items": 0 if has_failed else len(shown[answer]),
                "asked": '{"k": 10}',
            }
            requests.append(row)
            if not has_failed and chance[1] > 1 - CLICK_SHARE * K:
                slot = int(len(shown[answer]) * draw.random() ** 2)
                copied = ("request_id", "user_id", "timestamp", "endpoint", "model_version", "variant", "user_known")
                click = {name: row[name] for name in copied}
                clicks.append(
                    click
                    | {
                        "event_id": f"{draw.getrandbits(128):032x}",
                        "received_at": row["timestamp"],
                        "kind": "click",
                        "item_id": shown[answer][slot],
                        "request_known": True,
                        "slot": slot,
                    }
                )
        yield requests, clicks


def write_log(url: str, count: int) -> None:
    database = LogDatabase(url)
    database.prepare()
    indexes = [index for table in (REQUESTS, FEEDBACK) for index in table.indexes]
    with database.writing() as connection:
        for index in indexes:
            index.drop(connection)
    for requests, clicks in requests_and_clicks(count):
        with database.writing() as connection:
            for table, rows in ((REQUESTS, requests), (FEEDBACK, clicks)):
                names = list(rows[0])
                places = ", ".join("?" * len(names))
                statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"
                connection.exec_driver_sql(statement, [tuple(row[name] for name in names) for row in rows])
            count_traffic(connection)
    with database.writing() as connection:
        for index in indexes:
            index.create(connection)
    database.write_through()
    database.close()


def measured_command(command: list[str]) -> dict[str, float]:
    """Seconds and memory of a process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "wall_seconds": round(wall, 2),
        "most_memory_mb": round(after.ru_maxrss / 1024),
    }


def paint(url: str) -> None:
    """Draw the first page in this process, and print what it took."""
    from streamlit.testing.v1 import AppTest

    import foretaste.ui.dashboard_pages.health as health
    from foretaste.monitoring.settings import MonitoringConfig
    from foretaste.ui.dashboard_settings import DashboardSettings

    settings = DashboardSettings(monitoring=MonitoringConfig(log=url, window="4w"), store=Path("no-store"))
    sys.argv = [str(SCRIPT), settings.model_dump_json()]
    found: dict[str, Any] = {}
    shown = health._shown

    def until_shown(view: Any) -> None:
        found.setdefault("limits", clock())
        shown(view)

    health._shown = until_shown
    test = AppTest.from_file(str(SCRIPT), default_timeout=600)
    begin = time.perf_counter(), time.process_time()

    def clock() -> dict[str, float]:
        return {
            "wall_seconds": round(time.perf_counter() - begin[0], 2),
            "processor_seconds": round(time.process_time() - begin[1], 2),
        }

    test.run()
    assert not test.exception
    found["page"] = clock()
    begin = time.perf_counter(), time.process_time()
    test.run()
    found["again"] = clock()
    found["most_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/monitoring"))
    parser.add_argument("--keep", action="store_true", help="Do not delete the log; one that is there is used again.")
    parser.add_argument("--paint", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.paint:
        paint(options.paint)
        return
    path = options.folder / "log.db"
    url = f"sqlite:///{path}"
    if not path.exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        write_log(url, options.rows)
    import sqlite3

    with sqlite3.connect(path) as connection:
        sizes = {
            table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("requests", "feedback", "traffic")
        }
    command = [sys.executable, "-m", "foretaste", "monitor", "kpis", "--log", url, "--window"]
    results = {
        "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}, {platform.system()}",
        "rows": sizes,
        "file_gb": round(path.stat().st_size / 1e9, 2),
        "kpis": {window: measured_command([*command, window]) for window in ("24h", "4w")},
        "first_paint": json.loads(
            subprocess.run(
                [sys.executable, __file__, "--paint", url], capture_output=True, text=True, check=True
            ).stdout.splitlines()[-1]
        ),
    }
    print(json.dumps(results, indent=2))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    if not options.keep:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
