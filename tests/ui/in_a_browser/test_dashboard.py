"""An operator goes through the dashboard of a service that was visited: every page, at a desk and on a phone."""

import os
import time
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
from foretaste.serving.logs.rows import FeedbackRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.policies import EpsilonGreedyPolicy
from foretaste.serving.slate_settings import SlateConfig

WORLD = SyntheticConfig(num_users=300, num_items=60, num_interactions=4000, taste_drift=0)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def visited(tmp_path_factory, as_logged):
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
            as_logged(
                engines[variant],
                request,
                answer,
                request_id=f"r{number}",
                timestamp=at,
                latency_ms=float(rng.lognormal(1, 0.5)),
                variant=variant,
                fallback_reason="unknown user: popular items" if answer.is_fallback else None,
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
def dashboard(browser, visited, start):
    """Started as an operator does."""
    places = ["--log", f"sqlite:///{visited}/log.db", "--store", visited / "bundles", "--runs", visited / "runs"]
    return start("dashboard", *map(str, places), "--headless", ready="/_stcore/health")


JOURNEY = [
    ("", "Health and traffic", None, ["All limits are kept.", "Requests an hour", "Shown most", "Clicked most"]),
    ("outcome", "Outcome", None, ["Clicked, of the items shown", "Split by"]),
    ("experiment", "Experiment", None, ["bold against the baseline", "A user counts as one draw."]),
    ("replay", "Replay", "Estimate", ["Reward of an item shown", "1,500 answers"]),
    ("drift", "Drift", "Compare with the training", ["How far each feature moved", "New users"]),
    ("trainings", "Data and trainings", None, ["What went live, and why", "No run in"]),
]


def test_every_page_tells_what_it_promises(dashboard, visit):
    visitor = visit(dashboard.url)
    for path, title, button, expected in JOURNEY:
        visitor.page.goto(f"{dashboard.url}/{path}")
        visitor.page.get_by_role("heading", name=title, exact=True).wait_for()
        if button:
            visitor.page.get_by_role("button", name=button).click()
        visitor.reads(*expected)
        visitor.expect(visitor.page.get_by_test_id("stSpinner")).to_have_count(0)
        visitor.check_layout()
        if folder := os.environ.get("FORETASTE_SCREENSHOTS"):
            width = visitor.page.viewport_size["width"]
            visitor.page.screenshot(path=Path(folder) / f"dashboard-{path or 'health'}-{width}.png")
