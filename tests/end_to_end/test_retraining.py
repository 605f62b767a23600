"""A service that runs, people who use it, a retraining in a process of its own, and the new model in the answers."""

import json
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from foretaste.data.sources.synthetic import make_world
from foretaste.pipelines.retraining.plan import new_events

pytestmark = pytest.mark.slow
_LOOP = Path(__file__).parents[1] / "pipelines/retraining/loop.py"
_MAIN = [sys.executable, "-c", "from foretaste.cli import main; main()"]


@pytest.fixture
def loop(tmp_path):
    names = SimpleNamespace(**runpy.run_path(str(_LOOP), run_name="loop"))
    (tmp_path / "loop").mkdir()
    return names.Loop(tmp_path / "loop").begin()


@pytest.fixture
def service(loop):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "hot_swap.poll_seconds": 0.2,
        "log.url": loop.log_url,
        "log.journal_dir": loop.folder / "journal",
        "log.move_every_seconds": 0.1,
        "security.keys": loop.folder / "keys.json",
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = [*_MAIN, "serve", "--port", str(port), "--store", str(loop.artifacts / "bundles"), *overrides]
    with (loop.folder / "out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: is_ready(client), loop)
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()


def is_ready(client):
    try:
        return client.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition, loop):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, (loop.folder / "out").read_text()[-2000:]
        time.sleep(0.1)


def use(client, user, items):
    """Ask, and choose what one likes, whether it was in the answer or not."""
    answer = client.post("/recommend", json={"user_id": user, "k": 10}).json()
    named = {"user_id": user, "kind": "click", "request_id": answer["request_id"]}
    events = [{**named, "item_id": item} for item in items]
    assert client.post("/feedback", json={"events": events}).status_code == 200


def liked(loop):
    """Two items that each of 120 people likes: of those best for them, any."""
    world = make_world(loop.config().experiment.data)
    best_UK = np.argsort(-world.preference(np.arange(120), world.config.end_seconds), axis=1)[:, :15]
    chosen = np.random.default_rng(0).permuted(best_UK, axis=1)[:, :2]
    return {f"u{user + 1}": [f"m{item + 1}" for item in items] for user, items in enumerate(chosen)}


def test_what_people_do_is_in_the_next_model_without_a_restart(loop, service):
    before = service.get("/health").json()["model_version"]
    assert service.post("/users", json={"user_id": "newcomer", "attributes": {"country": "CH"}}).status_code == 200
    likes = liked(loop)
    likes["newcomer"] = likes.pop("u1")
    for user, items in likes.items():
        use(service, user, items)
    wait_until(lambda: new_events(loop.config(), loop.artifacts, loop.store.open()) == 240, loop)

    command = [*_MAIN, "retrain", str(loop.config_path), "--artifacts", str(loop.artifacts), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert (record["outcome"], record["new_events"], record["champion"]) == ("promoted", 240, before)

    wait_until(lambda: service.get("/health").json()["model_version"] == record["challenger"], loop)
    answer = service.post("/recommend", json={"user_id": "newcomer", "k": 10}).json()
    assert answer["model_version"] == record["challenger"]
    assert not answer["is_fallback"]
    assert not {item["item_id"] for item in answer["recommendations"]} & set(likes["newcomer"])
    live = loop.store.open()
    assert "newcomer" in live.users.ids
    assert live.manifest.experiment["feedback"]["up_to"] == 240
