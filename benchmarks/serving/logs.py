"""What the logs cost: an append, the move into the database, and two ways to keep the slots of an answer.

    python benchmarks/serving/logs.py [--rows 100000] [--rounds 3]
    python tests/temporary_postgres.py python benchmarks/serving/logs.py      # with PostgreSQL

`elsewhere`: seconds until feedback that one worker took is known to another, with the default settings. `append`: the
call that a request waits for, beside an INSERT of its own into SQLite. `move`: from the journal into the database by
the mover. `slots`: answers of ten items as JSON arrays in the row, as the log has them, beside a table of one row a
slot: what writing takes, the space, and how long it takes to count how often each item was shown.
"""

import argparse
import json
import os
import platform
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import sqlalchemy as sa

from foretaste.data.log_tables import METADATA
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

RESULTS = Path(__file__).parents[1] / "results" / "serving_logs.json"
NUM_ITEMS, NUM_USERS, K = 27_000, 100_000, 10


def rows_made(count: int) -> list[RequestRow]:
    draw = random.Random(1)
    return [
        RequestRow(
            request_id=f"{1_790_000_000_000 + number * 10:012x}{draw.getrandbits(80):020x}",
            timestamp=1.79e9 + number / 100,
            endpoint="/recommend",
            status=200,
            latency_ms=draw.expovariate(1),
            user_id=f"user-{draw.randrange(NUM_USERS)}",
            user_known=True,
            model_version="20261120-als-3f9c",
            policy="epsilon_greedy",
            is_fallback=False,
            recommendations=[f"item-{int(draw.paretovariate(0.5)) % NUM_ITEMS}" for _ in range(K)],
            scores=[draw.random() for _ in range(K)],
            propensities=[0.9] * K,
        )
        for number in range(count)
    ]


def measured(action: Callable[[], object], count: int) -> dict[str, float]:
    """Wall and processor microseconds for each of `count`."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return {
        "wall_us": round((time.perf_counter() - wall) / count * 1e6, 2),
        "processor_us": round((time.process_time() - processor) / count * 1e6, 2),
    }


def through_the_logs(url: str, folder: Path, rows: list[RequestRow]) -> dict[str, dict[str, float]]:
    logs = ServiceLogs(LogConfig(url=url, journal_dir=folder / "journal", move_every_seconds=60))
    logs.start()
    found = {
        "append": measured(lambda: [logs.requests.append(row) for row in rows], len(rows)),
        "move": measured(logs.move_now, len(rows)),
    }
    assert logs.status().rows_moved == len(rows)
    logs.stop()
    return found


def seconds_until_known_elsewhere(url: str, folder: Path, trials: int) -> list[float]:
    config = LogConfig(url=url, journal_dir=folder / "journals of two")
    here, there = ServiceLogs(config), ServiceLogs(config)
    for logs in (here, there):
        logs.start()
    found = []
    for trial in range(trials):
        time.sleep(random.uniform(0, config.move_every_seconds))
        now, user_id = time.time(), f"user-{trial}"
        here.feedback.take(
            FeedbackRow(
                event_id=f"{now}", timestamp=now, received_at=now, kind="click", item_id="item-1", user_id=user_id
            )
        )
        while not there.recent.history(user_id).liked:
            time.sleep(0.005)
        found.append(time.time() - now)
    for logs in (here, there):
        logs.stop()
    return [round(each, 2) for each in (min(found), statistics.median(found), max(found))]


def one_insert_a_request(folder: Path, rows: list[RequestRow]) -> dict[str, float]:
    connection = sqlite3.connect(folder / "direct.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE requests (request_id TEXT UNIQUE, timestamp REAL, row TEXT)")

    def insert() -> None:
        for row in rows:
            values = (row.request_id, row.timestamp, orjson.dumps(row).decode())
            connection.execute("INSERT INTO requests VALUES (?, ?, ?)", values)

    return measured(insert, len(rows))


def slots_kept(folder: Path, rows: list[RequestRow], *, as_table: bool) -> dict[str, float]:
    path = folder / f"slots{as_table}.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if as_table:
        connection.execute("CREATE TABLE requests (seq INTEGER PRIMARY KEY, request_id TEXT UNIQUE)")
        connection.execute(
            "CREATE TABLE impressions (request INTEGER, slot INTEGER, item_id TEXT, score REAL, propensity REAL, "
            "PRIMARY KEY (request, slot)) WITHOUT ROWID"
        )
        count_shown = "SELECT item_id, count(*) FROM impressions GROUP BY item_id"
    else:
        connection.execute(
            "CREATE TABLE requests (seq INTEGER PRIMARY KEY, request_id TEXT UNIQUE, items TEXT, scores TEXT, "
            "propensities TEXT)"
        )
        count_shown = "SELECT value, count(*) FROM requests, json_each(items) GROUP BY value"

    def write() -> None:
        for first in range(0, len(rows), 2_000):
            batch = list(enumerate(rows[first : first + 2_000], start=first))
            connection.execute("BEGIN")
            if as_table:
                connection.executemany("INSERT INTO requests VALUES (?, ?)", [(n, row.request_id) for n, row in batch])
                slots = [
                    (n, *slot)
                    for n, row in batch
                    for slot in zip(range(K), row.recommendations, row.scores, row.propensities, strict=True)
                ]
                connection.executemany("INSERT INTO impressions VALUES (?, ?, ?, ?, ?)", slots)
            else:
                parameters = [
                    (n, row.request_id, *(orjson.dumps(each).decode() for each in _lists(row))) for n, row in batch
                ]
                connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?)", parameters)
            connection.execute("COMMIT")

    written = measured(write, len(rows))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    counted = measured(lambda: connection.execute(count_shown).fetchall(), len(rows))
    connection.close()
    return {
        "write_processor_us": written["processor_us"],
        "bytes": round(path.stat().st_size / len(rows)),
        "count_shown_processor_us": counted["processor_us"],
    }


def _lists(row: RequestRow) -> tuple[object, object, object]:
    return row.recommendations, row.scores, row.propensities


def spread(found: list[dict[str, float]]) -> dict[str, list[float]]:
    """Min, median and max of each figure."""
    return {
        name: [min(values), statistics.median(values), max(values)]
        for name in found[0]
        for values in [[each[name] for each in found]]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=40, help="of feedback seen elsewhere")
    options = parser.parse_args()
    rows = rows_made(options.rows)
    postgres = os.environ.get("FORETASTE_POSTGRES_URL")
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            moved = {"sqlite": through_the_logs(f"sqlite:///{folder}/log.db", folder, rows)}
            if postgres:
                moved["postgresql"] = through_the_logs(postgres, folder, rows)
                engine = sa.create_engine(postgres)
                METADATA.drop_all(engine)
                engine.dispose()
            for database, figures in moved.items():
                found.setdefault(f"move to {database}", []).append(figures["move"])
            found.setdefault("append", []).append(moved["sqlite"]["append"])
            found.setdefault("insert in the request, SQLite", []).append(one_insert_a_request(folder, rows))
            found.setdefault("slots as JSON", []).append(slots_kept(folder, rows, as_table=False))
            found.setdefault("slots as a table", []).append(slots_kept(folder, rows, as_table=True))
    elsewhere: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for url in [f"sqlite:///{name}/log.db", *([postgres] if postgres else [])]:
            database = url.split(":", maxsplit=1)[0]
            elsewhere[database] = seconds_until_known_elsewhere(url, Path(name), options.trials)
    result = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
        "rows": options.rows,
        "seconds until known elsewhere: min, median, max": elsewhere,
        "min, median, max a row": {name: spread(each) for name, each in found.items()},
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
