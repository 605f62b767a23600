"""An operator goes through the dashboard of a service that was visited: every page, at a desk and on a phone."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig, make_world
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.policies import EpsilonGreedyPolicy
from foretaste.serving.slate_settings import SlateConfig

CHROMIUM = Path("/usr/bin/chromium")
WORLD = SyntheticConfig(num_users=300, num_items=60, num_interactions=4000, taste_drift=0)
WAIT_MS = 60_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def visited(tmp_path_factory):
    """A folder with a store and the log of 1,500 visits to two variants, the second of which shows better lists."""
    folder = tmp_path_factory.mktemp("service")
    dataset, world = prepare(read_source(WORLD), PrepareConfig()).dataset, make_world(WORLD)
    store = BundleStore(folder / "bundles")
    slate = SlateConfig(policy=EpsilonGreedyPolicy(epsilon=0.5, candidates=60))
    engines = {}
    for variant, name, config in (
        ("bold", "als", {"embedding_dim": 8, "iterations": 5}),
        ("default", "popularity", {}),
    ):
        model = registry.build(name, config).fit(dataset, FitContext())
        contents = BundleContents.of(name, model, dataset, seed=0)
        engines[variant] = Engine(store.publish(contents, reason=f"{name} of the season"), slate=slate)
    logs = ServiceLogs(LogConfig(url=f"sqlite:///{folder}/log.db", journal_dir=folder / "journal"))
    logs.start()
    rng, now = np.random.default_rng(0), time.time()
    for number in range(1500):
        user = int(rng.integers(WORLD.num_users))
        variant = ("default", "bold")[user % 2]
        request = RecommendRequest(f"u{user + 1}", k=5, seed=number)
        answer = engines[variant].recommend(request)
        at = now - 20 * 3600 * (1 - number / 1500)
        logs.requests.append(
            RequestRow(
                request_id=f"r{number}",
                timestamp=at,
                endpoint="/recommend",
                status=200,
                latency_ms=float(rng.lognormal(1, 0.5)),
                user_id=request.user_id,
                user_known=engines[variant].knows(request.user_id),
                model_version=answer.model_version,
                variant=variant,
                fallback_reason="unknown user: popular items" if answer.is_fallback else None,
                recommendations=answer.items.item_ids,
                scores=answer.items.scores,
                propensities=answer.items.propensities,
                asked=request.asked(),
            )
        )
        liking_I = world.preference(np.array([user]), WORLD.end_seconds - 1)[0]
        for item_id in answer.items.item_ids:
            if rng.random() < liking_I[int(item_id[1:]) - 1]:
                event = {"event_id": f"{number}-{item_id}", "kind": "click", "item_id": item_id}
                logs.feedback.take(FeedbackRow(timestamp=at, received_at=at, request_id=f"r{number}", **event))
    logs.stop()
    return folder


@pytest.fixture(scope="module")
def address(visited):
    """Of the dashboard, started as a user does."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "foretaste", "dashboard", "--log", f"sqlite:///{visited}/log.db", "--headless"]
    command += ["--store", str(visited / "bundles"), "--runs", str(visited / "runs"), "--port", str(port)]
    with (visited / "output").open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"HOME": str(visited)}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, (visited / "output").read_text()
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


JOURNEY = [
    ("", "Health and traffic", None, ["All limits are kept.", "Requests an hour", "Shown most", "Clicked most"]),
    ("outcome", "Outcome", None, ["Clicked, of the items shown", "Split by"]),
    ("experiment", "Experiment", None, ["bold against the baseline", "A user counts as one draw."]),
    ("replay", "Replay", "Estimate", ["Reward of an item shown", "1,500 answers"]),
    ("drift", "Drift", "Compare with the training", ["How far each feature moved", "New users"]),
    ("trainings", "Data and trainings", None, ["What went live, and why", "No run in"]),
]


@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_tells_what_it_promises(address, browser, width, tmp_path):
    page = browser.new_page(viewport={"width": width, "height": 900})
    for path, title, button, expected in JOURNEY:
        page.goto(f"{address}/{path}")
        page.get_by_role("heading", name=title, exact=True).wait_for(timeout=WAIT_MS)
        if button:
            page.get_by_role("button", name=button).click()
        for text in expected:
            page.get_by_text(text).first.wait_for(timeout=WAIT_MS)
        page.wait_for_function("!document.querySelector('[data-testid=stSpinner]')", timeout=WAIT_MS)
        assert page.locator('[data-testid="stException"]').count() == 0, title
        assert "Traceback" not in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{title} is wider than the screen"
        if folder := os.environ.get("FORETASTE_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"dashboard-{path or 'health'}-{width}.png")
    page.close()
