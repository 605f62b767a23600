"""18 million rows of CSV through parse, 5-core, encode and global time split, beside plain Polars.

    python benchmarks/preparation.py [--rows 18000000] [--rounds 3]

The rows are made by the synthetic source. Each contestant runs in a process of its own, in turn; CPU and wall seconds
and the largest resident memory are the operating system's. `polars` reads ids as integers and does just the four steps.
`foretaste` reads ids as text, checks every row, drops repeated pairs, hashes the file and audits each step.
`polars_same` does with Polars' expressions what foretaste does, but for the checks, the hash and the audit.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "preparation.json"
EVENTS_PER_USER, EVENTS_PER_ITEM = 12, 180
"""However many rows are asked for: a 5-core of few rows among many users would leave nothing."""
LEAST_ROWS = 10_000
"""Fewer would be of too few items."""
CORE = 5


def plain_polars(path: Path, *, same_work: bool = False) -> int:
    import polars as pl

    id_type = pl.String if same_work else pl.Int64
    events = pl.scan_csv(
        path, schema_overrides={"user_id": id_type, "item_id": id_type, "rating": pl.Float32, "timestamp": pl.Int64}
    ).collect(engine="streaming")
    if same_work:
        events = events.sort("timestamp", maintain_order=True).unique(["user_id", "item_id"], keep="last")
    size = -1
    while size != len(events):
        size = len(events)
        events = events.filter((pl.len().over("user_id") >= CORE) & (pl.len().over("item_id") >= CORE))
    for column in ("user_id", "item_id"):
        index = events.select(pl.col(column).unique().sort()).with_row_index(f"{column}_index")
        events = events.join(index, on=column, maintain_order="left")
    events = events.sort("timestamp")
    size = len(events)
    parts = events[: int(size * 0.8)], events[int(size * 0.8) : int(size * 0.9)], events[int(size * 0.9) :]
    return sum(len(part) for part in parts)


def ours(path: Path) -> int:
    from foretaste.data.prepare import PrepareConfig, prepare
    from foretaste.data.sources import read_source
    from foretaste.data.sources.tables import TablesConfig
    from foretaste.data.splits import GlobalTimeSplit, split

    config = PrepareConfig(min_user_interactions=CORE, min_item_interactions=CORE)
    parts = split(prepare(read_source(TablesConfig(path=path)), config), GlobalTimeSplit())
    assert parts.valid is not None
    return len(parts.train) + len(parts.valid) + len(parts.test)


CONTESTANTS: dict[str, Callable[[Path], int]] = {
    "foretaste": ours,
    "polars": plain_polars,
    "polars_same": partial(plain_polars, same_work=True),
}


def measured(script: str | Path, contestant: str, path: Path) -> dict[str, Any]:
    """The figures that a script prints of one contestant, in a process of its own; exits with what it failed of."""
    command = [sys.executable, str(script), "--one", contestant, "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        *_, last = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise SystemExit(f"{contestant} failed on {path.name}: {last}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=18_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help="a CSV that is there already")
    options = parser.parse_args()
    if options.one:
        started = time.perf_counter()
        rows = CONTESTANTS[options.one](options.path)
        wall = time.perf_counter() - started
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_gb": usage.ru_maxrss / 1e6, "rows_kept": rows}))
        return

    with tempfile.TemporaryDirectory() as folder:
        path = options.path or Path(folder) / "events.csv"
        if not path.exists():
            make_csv(path, options.rows)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
        measured(__file__, "foretaste", path)  # compiles what is then cached
        for _ in range(options.rounds):
            for name in CONTESTANTS:
                runs[name].append(measured(__file__, name, path))
    record(RESULTS, f"python benchmarks/preparation.py --rows {options.rows}", runs)


def record(results: Path, command: str, runs: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians of each contestant's figures, and write them beside all runs."""
    summary = {
        name: {key: statistics.median(run[key] for run in each) for key in each[0]} for name, each in runs.items()
    }
    for name, figures in summary.items():
        print(f"{name:<12}" + "  ".join(f"{key} {value:,.2f}" for key, value in figures.items()))
    told = {
        "command": command,
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "median": summary,
        "runs": runs,
    }
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(told, indent=2) + "\n")


def make_csv(path: Path, rows: int, events_per_item: int = EVENTS_PER_ITEM) -> None:
    """Synthetic events whose ids are plain numbers, so that plain Polars may read integers."""
    if rows < LEAST_ROWS:
        raise SystemExit(f"--rows {rows}: expected {LEAST_ROWS:,} or more.")
    import polars as pl

    from foretaste.data.sources.synthetic import SyntheticConfig, chunks

    num_users, num_items = rows // EVENTS_PER_USER, rows // events_per_item
    config = SyntheticConfig(num_users=num_users, num_items=num_items, num_interactions=rows)
    with path.open("wb") as file:
        for n, chunk in enumerate(chunks(config)):
            bare = chunk.with_columns(pl.col("user_id", "item_id").str.slice(1))
            bare.write_csv(file, include_header=n == 0)


if __name__ == "__main__":
    main()
