"""`kill -9` under load, again and again: is anything lost that was acknowledged?

    python benchmarks/serving/kill.py [--rounds 100] [--workers 1]
    python tests/temporary_postgres.py python benchmarks/serving/kill.py      # with PostgreSQL

Each round starts `foretaste serve` on the same logs, asks and gives feedback from 8 clients at once, and kills the
process group at a random moment, now and then before it is ready. In the end the service is started once more and
stopped in peace, and the database is compared with what the clients were told.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, METADATA, REQUESTS

RESULTS = Path(__file__).parents[1] / "results" / "serving_kill.json"
NUM_CLIENTS = 8
NUM_USERS = 50
LOAD_SECONDS = 1.5
"""At most; a round is killed at a random moment until then."""
SHARE_KILLED_BEFORE_READY = 0.2
READY_SECONDS = 120


@dataclass
class Told:
    """What the clients were told by answers that arrived whole."""

    request_ids: list[str] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    model_versions: set[str] = field(default_factory=set)
    seconds_to_ready: list[float] = field(default_factory=list)
    refused: Counter = field(default_factory=Counter)
    """Answers other than 200, by status."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def kill_under_load(command: list[str], port: int, rounds: int, seed: int = 0) -> Told:
    """Start, load and kill the service `rounds` times; then start it once more and stop it in peace."""
    told, draw = Told(), random.Random(seed)
    for _ in range(rounds):
        if draw.random() < SHARE_KILLED_BEFORE_READY:
            process = start(command)
            time.sleep(draw.uniform(0, max(told.seconds_to_ready, default=1.0)))
        else:
            process = start_ready(command, port, told)
            killing = draw.uniform(0, LOAD_SECONDS)
            asyncio.run(load(port, told, draw.randrange(1 << 30), killing, process))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process = start_ready(command, port, told)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) in (0, -signal.SIGTERM)
    return told


def start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_ready(command: list[str], port: int, told: Told) -> subprocess.Popen:
    started = time.monotonic()
    process = start(command)
    while time.monotonic() - started < READY_SECONDS:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready", timeout=5).status_code == 200:
                told.seconds_to_ready.append(time.monotonic() - started)
                return process
        except httpx.HTTPError:
            assert process.poll() is None, f"{' '.join(command)} ended with {process.returncode}"
        time.sleep(0.02)
    raise AssertionError(f"not ready within {READY_SECONDS} s")


async def load(port: int, told: Told, seed: int, seconds: float, process: subprocess.Popen) -> None:
    """Ask and give feedback without a pause, until the process group is killed under it."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        clients = [asyncio.create_task(client(http, told, seed + number)) for number in range(NUM_CLIENTS)]
        await asyncio.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.gather(*clients)


async def client(http: httpx.AsyncClient, told: Told, seed: int) -> None:
    draw = random.Random(seed)
    while True:
        user_id = f"u{draw.randrange(NUM_USERS)}"
        try:
            answer = await http.post("/recommend", json={"user_id": user_id, "k": 5})
            if answer.status_code != 200:
                told.refused[answer.status_code] += 1
                continue
            found = answer.json()
            told.request_ids.append(found["request_id"])
            told.model_versions.add(found["model_version"])
            event_id = f"{draw.getrandbits(64):016x}"
            event = {"kind": "click", "item_id": "m1", "user_id": user_id, "request_id": found["request_id"]}
            sent = await http.post("/feedback", json={"events": [{"event_id": event_id, **event}]})
            if sent.status_code != 200:
                told.refused[sent.status_code] += 1
                continue
            told.event_ids.append(event_id)
        except httpx.HTTPError:
            return


def compared(url: str, journal_dir: Path, told: Told) -> dict[str, object]:
    """What the database has, beside what was told."""
    database = LogDatabase(url)
    with database.reading() as connection:
        found = {
            "requests": Counter(connection.execute(sa.select(REQUESTS.c.request_id)).scalars()),
            "feedback": Counter(connection.execute(sa.select(FEEDBACK.c.event_id)).scalars()),
        }
        lists = connection.execute(sa.select(REQUESTS.c.recommendations, REQUESTS.c.scores, REQUESTS.c.propensities))
        torn = sum(len({len(json.loads(each)) for each in row}) != 1 for row in lists)
        unknown = connection.execute(sa.select(sa.func.count()).where(FEEDBACK.c.request_known.isnot(True))).scalar()
    database.close()
    left = [path for path in journal_dir.rglob("*") if path.is_file() and path.stat().st_size]
    return {
        "acknowledged": {"requests": len(told.request_ids), "feedback": len(told.event_ids)},
        "in the database": {name: counts.total() for name, counts in found.items()},
        "lost": {
            "requests": sum(each not in found["requests"] for each in told.request_ids),
            "feedback": sum(each not in found["feedback"] for each in told.event_ids),
        },
        "doubled": {name: sum(count > 1 for count in counts.values()) for name, counts in found.items()},
        "torn rows": torn,
        "feedback without its request": unknown,
        "files left in the journal": len(left),
        "model versions": len(told.model_versions),
        "answers other than 200": dict(told.refused),
        "seconds from start to ready": {
            "median": round(statistics.median(told.seconds_to_ready), 2),
            "max": round(max(told.seconds_to_ready), 2),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    configs = Path(__file__).parents[2] / "configs"
    foretaste = [sys.executable, "-c", "from foretaste.cli import main; main()"]
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        os.chdir(folder)
        (folder / "configs").symlink_to(configs)
        subprocess.run([*foretaste, "run", "configs/demo.yaml"], check=True, capture_output=True)
        url = os.environ.get("FORETASTE_POSTGRES_URL", f"sqlite:///{folder}/log.db")
        settings = {"log.url": url, "log.journal_dir": str(folder / "journal"), "workers": options.workers}
        overrides = [each for key, value in settings.items() for each in ("--set", f"{key}={value}")]
        command = [*foretaste, "serve", "--config", "configs/serving.yaml", "--port", str(port), *overrides]
        started = time.monotonic()
        told = kill_under_load(command, port, options.rounds, options.seed)
        result = compared(url, folder / "journal", told)
        if not url.startswith("sqlite"):
            METADATA.drop_all(sa.create_engine(url))
    result = {
        "rounds": options.rounds,
        "workers": options.workers,
        "database": url.split(":", maxsplit=1)[0],
        "seconds": round(time.monotonic() - started),
        **result,
    }
    print(json.dumps(result, indent=1))
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[f"{result['database']}, workers {options.workers}"] = result
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    assert not any([*result["lost"].values(), *result["doubled"].values(), result["torn rows"]])


if __name__ == "__main__":
    main()
