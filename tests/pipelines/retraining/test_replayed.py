"""A challenger on the log of what served: a world of 40 items, shown at random half of the time."""

import time

import numpy as np
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig, make_world
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.pipelines.retraining.guard_settings import ReplayLimits
from foretaste.pipelines.retraining.replayed import check_replay
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.logs.rows import FeedbackRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.policies import EpsilonGreedyPolicy
from foretaste.serving.slate_settings import SlateConfig

pytestmark = pytest.mark.slow
WORLD = SyntheticConfig(num_users=300, num_items=40, num_interactions=2800, taste_drift=0)
LIMITS = ReplayLimits(window="1h", slots=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return BundleStore(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def bundles(store):
    """ALS as it should be, and with the sign of every item turned; popularity, which served."""
    dataset = prepare(read_source(WORLD), PrepareConfig()).dataset
    als = registry.build("als", {"embedding_dim": 8, "iterations": 5}).fit(dataset, FitContext())
    contents = BundleContents.of("als", als, dataset, seed=0)
    good = store.publish(contents)
    contents.state["item_embeddings"] *= -1
    popularity = registry.build("popularity", {}).fit(dataset, FitContext())
    return {
        "good": good,
        "bad": store.publish(contents),
        "served": store.publish(BundleContents.of("popularity", popularity, dataset, seed=0)),
    }


@pytest.fixture(scope="module")
def database(bundles, tmp_path_factory, as_logged):
    folder = tmp_path_factory.mktemp("log")
    url, world, rng, now = f"sqlite:///{folder}/log.db", make_world(WORLD), np.random.default_rng(0), time.time()
    policy = EpsilonGreedyPolicy(epsilon=0.8, candidates=40)
    engine = Engine(bundles["served"], slate=SlateConfig(policy=policy))
    logs = ServiceLogs(LogConfig(url=url, journal_dir=folder / "journal"))
    logs.start()
    for number in range(3000):
        user = int(rng.integers(WORLD.num_users))
        request = RecommendRequest(f"u{user + 1}", k=1, seed=int(rng.integers(2**31)))
        answer = engine.recommend(request)
        (item_id,) = answer.items.item_ids
        logs.requests.append(as_logged(engine, request, answer, request_id=f"r{number}", timestamp=now))
        liking = world.preference(np.array([user]), WORLD.end_seconds - 1)[0, int(item_id[1:]) - 1]
        if rng.random() < liking:
            event = {"event_id": f"e{number}", "kind": "click", "item_id": item_id, "request_id": f"r{number}"}
            logs.feedback.take(FeedbackRow(timestamp=now, received_at=now, **event))
    logs.stop()
    database = LogDatabase(url)
    yield database
    database.close()


def test_what_the_log_speaks_for_passes_and_what_it_speaks_against_is_refused(bundles, database):
    good, bad = (check_replay(bundles[name], database, LIMITS, None, time.time()) for name in ("good", "bad"))
    assert good.passed
    assert not bad.passed
    assert bad.leads_to == "refuse"
    assert bad.figure < bad.limit < good.figure
    assert "on the log of 3,000 answers an item shown, had it been served by score alone, as no service" in bad.sentence


def test_a_challenger_is_replayed_by_the_policy_of_the_service(bundles, database):
    """Four of five answers are drawn at random: whoever serves so earns little more than what was served so."""
    as_served = SlateConfig(policy=EpsilonGreedyPolicy(epsilon=0.8, candidates=40))
    alone, same = (check_replay(bundles["good"], database, LIMITS, slate, time.time()) for slate in (None, as_served))
    label = as_served.policy.label
    assert f"had it been served by {label}, as the service does it, would" in same.sentence
    assert f"where what served, by {label}, earned" in same.sentence
    served = float(same.sentence.rpartition("earned ")[2].partition("%")[0]) / 100
    assert alone.figure > same.figure
    assert same.figure - served < 0.4 * (alone.figure - served)


def test_a_log_that_cannot_tell_is_told_with_its_reason_and_passes(bundles, database):
    elsewhen = check_replay(bundles["bad"], database, LIMITS, None, time.time() - 86_400)
    assert elsewhen.passed
    assert elsewhen.sentence.startswith("the log says nothing of it: the window has no answer of /recommend")
    few = ReplayLimits.model_validate({"window": "1h", "slots": 1, "estimates": {"min_effective_rows": 1e6}})
    refused = check_replay(bundles["bad"], database, few, None, time.time())
    assert refused.passed
    assert "the log says nothing of it: " in refused.sentence
    assert refused.figure is None
