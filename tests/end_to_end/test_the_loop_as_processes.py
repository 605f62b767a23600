"""`make up`: the services of the compose file as plain processes, from a recommendation to the model that learnt of it.

People are recommended items and click by their taste, among them some whom the training never saw; the retrainer
learns from it, the service takes the new model, and the dashboard tells so.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import yaml

from foretaste.artifacts.store import BundleStore
from foretaste.data.sources.synthetic_world import SyntheticConfig, make_world

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
WORLD = {"num_users": 300, "num_items": 120, "num_interactions": 8000}
EXPERIMENT = {
    "data": {"source": "synthetic", **WORLD},
    "split": {"method": "global_time", "valid": 0.1, "test": 0.1},
    "models": {"popularity": {}, "ease": {}},
}
RETRAIN = {
    "experiment": "world.yaml",
    "min_new_events": 300,
    # It is the way that is under test, not the judge: some hundred clicks decide nothing by themselves.
    "guard": {"margin": 0.5, "min_users": 20, "slice_margin": 0.9, "replay": None},
    "schedule": {"every_hours": None, "new_events": 300, "rest_hours": 0, "check_seconds": 1},
}
NEWCOMERS = [f"newcomer-{number}" for number in range(20)]
SERVICES = ("api", "ui", "dashboard", "mlflow")
PATIENCE_SECONDS = 600

pytestmark = pytest.mark.slow


class Loop:
    """The running services."""

    def __init__(self, folder, ports, process, output):
        self.folder, self.ports, self.process, self.output = folder, ports, process, output

    def url(self, service):
        return f"http://127.0.0.1:{self.ports[service]}"

    def lines(self):
        return self.output.read_text(errors="replace")

    def wait_for(self, what, found):
        """What `found` gives, as soon as it gives anything."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not (result := found()):
            assert self.process.poll() is None, self.lines()[-6000:]
            assert time.monotonic() < ends_at, f"{what} did not come.\n{self.lines()[-6000:]}"
            time.sleep(0.5)
        return result

    def call(self, path, body=None, key=None):
        key = (self.folder / "artifacts/service/web-app/key").read_text().strip() if key is None else key
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url('api')}{path}", data, headers)
        return json.load(urllib.request.urlopen(request, timeout=30))


def free_ports(names):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request, new_schema):
    """URL of the database that is named to the loop; None where none is, as on a laptop without one."""
    if request.param == "sqlite":
        yield None
        return
    with new_schema(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture(scope="module")
def loop(tmp_path_factory, database):
    folder = tmp_path_factory.mktemp("loop")
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "world.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    (folder / "retrain.yaml").write_text(yaml.safe_dump(RETRAIN))
    ports = free_ports(SERVICES)
    variables = {f"FORETASTE_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    variables |= {"FORETASTE_CONFIG": "world.yaml", "FORETASTE_RETRAIN": "retrain.yaml", "HOME": str(folder)}
    environment = {key: value for key, value in os.environ.items() if key != "FORETASTE_DATABASE"} | variables
    if database:
        environment["FORETASTE_DATABASE"] = database
    output = folder / "output"
    with output.open("w") as file:
        command = [sys.executable, ROOT / "deploy/up.py", "--folder", folder]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    try:
        running = Loop(folder, ports, process, output)
        running.wait_for("a running loop", lambda: "up        Ctrl-C" in running.lines())
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)


@pytest.fixture(scope="module")
def learnt(loop):
    """What `/health` told before people clicked, and what it tells of the model that learnt from them."""
    before = loop.call("/health")
    config = SyntheticConfig(**WORLD)
    world = make_world(config)
    rng = np.random.default_rng(0)
    # Newcomers have the tastes of some whom the world knows.
    tastes = {name: number for number, name in enumerate(NEWCOMERS)}
    tastes |= {f"u{number + 1}": number for number in range(100, 200)}
    # A second for each of them, newcomers first: the newest events are held out, and those of one second together.
    began = time.time() - len(tastes)
    for second, (name, user) in enumerate(tastes.items()):
        answer = loop.call("/recommend", {"user_id": name, "k": 10})
        assert len(answer["recommendations"]) == 10
        assert answer["model_version"] == before["model_version"]
        liked = np.argsort(-world.preference(np.array([user]), config.end_seconds)[0])[:20]
        clicked = [f"m{item + 1}" for item in rng.choice(liked, size=5, replace=False)]
        events = [
            {
                "kind": "click",
                "item_id": item,
                "user_id": name,
                "request_id": answer["request_id"],
                "timestamp": began + second,
            }
            for item in clicked
        ]
        loop.call("/feedback", {"events": events})

    def swapped():
        told = loop.call("/health")
        return told if told["model_version"] != before["model_version"] else None

    return before, loop.wait_for("a new version", swapped)


def test_every_service_is_told_with_its_place(loop, database):
    told = loop.lines()
    for service in SERVICES:
        assert f"ready     {service}  {loop.url(service)}" in told
    assert ("no PostgreSQL: logs and keys go to sqlite" in told) == (database is None)


def test_the_service_asks_for_a_key(loop):
    with pytest.raises(urllib.error.HTTPError, match="401"):
        loop.call("/recommend", {"user_id": "u1", "k": 3}, key="")


def test_what_people_did_becomes_the_model_that_serves(loop, learnt, database):
    before, after = learnt
    assert after["n_users"] == before["n_users"] + len(NEWCOMERS)
    answer = loop.call("/recommend", {"user_id": NEWCOMERS[0], "k": 5})
    assert answer["model_version"] == after["model_version"]
    assert not answer["is_fallback"]
    store = BundleStore(loop.folder / "artifacts/bundles")
    assert store.production_id() == after["model_version"]
    verdict = store.verdicts()[0]
    assert (verdict.decision, verdict.bundle_id, verdict.against) == (
        "promote",
        after["model_version"],
        before["model_version"],
    )
    trained_on = store.open().manifest.experiment["feedback"]
    assert trained_on["log"] == (database or "sqlite:///artifacts/service/log.db")
    assert (loop.folder / "artifacts/service/log.db").exists() == (database is None)
    assert trained_on["up_to"] >= RETRAIN["min_new_events"]


def test_the_first_model_is_tracked(loop):
    asked = f"{loop.url('mlflow')}/api/2.0/mlflow/registered-models/search?max_results=10"
    models = json.load(urllib.request.urlopen(asked, timeout=30))["registered_models"]
    assert [model["name"] for model in models] == ["world"]


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")
def test_the_pages_show_the_new_version(loop, learnt):
    from playwright.sync_api import sync_playwright

    before, after = learnt
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 1400})
        page.goto(f"{loop.url('dashboard')}/trainings")
        page.get_by_text(f"Promoted: {after['model_version']}.").first.wait_for(timeout=120_000)
        page.locator("[data-testid=stDataFrame] canvas").first.wait_for(timeout=120_000)
        if folder := os.environ.get("FORETASTE_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / "loop-trainings.png")
        page.goto(loop.url("dashboard"))
        page.get_by_role("heading", name="Health and traffic").wait_for(timeout=120_000)
        page.goto(loop.url("ui"))
        page.get_by_text(after["model_version"]).first.wait_for(timeout=120_000)
        if folder := os.environ.get("FORETASTE_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / "loop-ui.png")
        chromium.close()
    assert before["model_version"] != after["model_version"]


def test_ctrl_c_stops_every_service(loop):
    """The last one: nothing runs after it."""
    loop.process.send_signal(signal.SIGINT)
    assert loop.process.wait(timeout=120) == 0, loop.lines()[-3000:]
    for service, port in loop.ports.items():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, service
    assert "nothing was left half done" in loop.lines()
