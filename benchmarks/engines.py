"""Preparation by Polars and by a Spark on the same machine: CPU, wall time, memory, and whether the results are equal.

    python benchmarks/engines.py [--rows 1000000] [--rounds 1]

The rows are made by the synthetic source; a 5-core is asked of them. Each engine runs in a process of its own, in turn.
Spark is `local[*]` with the memory of its own defaults unless PYSPARK_SUBMIT_ARGS says otherwise; its Java counts
apart: `driver_gb` is the largest resident memory of this Python, where models would be trained next, `java_gb` Java's.
"""

import argparse
import hashlib
import json
import resource
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "engines.json"
ENGINES = ("polars", "spark")
EVENTS_PER_ITEM = 50
CORE = 5


def prepared(engine: str, path: Path) -> dict[str, float | str]:
    from foretaste.data.prepare import PrepareConfig, prepare
    from foretaste.data.sources import read_source
    from foretaste.data.sources.tables import TablesConfig

    config = PrepareConfig(engine=engine, min_user_interactions=CORE, min_item_interactions=CORE)
    started = time.perf_counter()
    events = prepare(read_source(TablesConfig(path=path)), config).dataset.interactions
    wall = time.perf_counter() - started
    digest = hashlib.sha256()
    for array in (events.user_N, events.item_N, events.weight_N, events.timestamp_N):
        digest.update(array.tobytes())
    own = resource.getrusage(resource.RUSAGE_SELF)
    java = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall,
        "cpu_s": sum(each.ru_utime + each.ru_stime for each in (own, java)),
        "driver_gb": own.ru_maxrss / 1e6,
        "java_gb": java.ru_maxrss / 1e6,
        "rows_kept": len(events),
        "sha256": digest.hexdigest(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help="a CSV that is there already")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(prepared(options.one, options.path)))
        return
    from preparation import make_csv, measured, record

    runs: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        path = options.path or Path(folder) / "events.csv"
        if not path.exists():
            make_csv(path, options.rows, EVENTS_PER_ITEM)
        for _ in range(options.rounds):
            for engine in ENGINES:
                runs[engine].append(measured(__file__, engine, path))
    hashes = {run.pop("sha256") for each in runs.values() for run in each}
    assert len(hashes) == 1, "the engines differ"
    record(RESULTS, f"python benchmarks/engines.py --rows {options.rows}", runs)


if __name__ == "__main__":
    main()
