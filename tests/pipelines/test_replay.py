"""Another model on the log of the one that served, in a world whose truth is known."""

import time

import numpy as np
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig, make_world
from foretaste.errors import ArtifactError, EstimationError
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.monitoring.windows import Window
from foretaste.pipelines.replay import replay
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.logs.rows import FeedbackRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.policies import EpsilonGreedyPolicy, GreedyPolicy
from foretaste.serving.slate_settings import SlateConfig

WORLD = SyntheticConfig(num_users=300, num_items=40, num_interactions=2800, taste_drift=0)
EXPLORING = EpsilonGreedyPolicy(epsilon=0.5, candidates=40)


@pytest.fixture(scope="module")
def world():
    return make_world(WORLD)


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Popularity and ALS on the events of the world."""
    dataset = prepare(read_source(WORLD), PrepareConfig()).dataset
    store = BundleStore(tmp_path_factory.mktemp("bundles"))

    def engine(name, policy, **config):
        model = registry.build(name, config).fit(dataset, FitContext())
        return Engine(store.publish(BundleContents.of(name, model, dataset, seed=0)), slate=SlateConfig(policy=policy))

    return {
        "popularity": engine("popularity", EXPLORING),
        "als": engine("als", GreedyPolicy(), embedding_dim=8, iterations=5),
        "exploring als": engine("als", EXPLORING, embedding_dim=8, iterations=5),
    }


def ask(engine, world, rng):
    """A user of the world asks: (request, answer, whether each item is liked)."""
    user = int(rng.integers(WORLD.num_users))
    request = RecommendRequest(f"u{user + 1}", k=3, seed=int(rng.integers(2**31)))
    answer = engine.recommend(request)
    liking_I = world.preference(np.array([user]), WORLD.end_seconds - 1)[0]
    return request, answer, np.array([liking_I[int(item_id[1:]) - 1] for item_id in answer.items.item_ids])


def write_log(folder, engine, world, num_requests, as_logged):
    url = f"sqlite:///{folder}/log.db"
    logs = ServiceLogs(LogConfig(url=url, journal_dir=folder / "journal"))
    logs.start()
    rng, now = np.random.default_rng(0), time.time()
    for number in range(num_requests):
        request, answer, liking_K = ask(engine, world, rng)
        logs.requests.append(as_logged(engine, request, answer, request_id=f"r{number}", timestamp=now))
        for item_id in np.array(answer.items.item_ids)[rng.random(len(liking_K)) < liking_K]:
            event = {"event_id": f"{number}-{item_id}", "kind": "click", "item_id": str(item_id)}
            logs.feedback.take(FeedbackRow(timestamp=now, received_at=now, request_id=f"r{number}", **event))
    logs.stop()
    return LogDatabase(url)


@pytest.mark.slow
def test_a_model_that_never_served_is_estimated_from_the_log_of_another(tmp_path, world, engines, as_logged):
    database = write_log(tmp_path, engines["popularity"], world, num_requests=4000, as_logged=as_logged)
    rng = np.random.default_rng(1)
    truth = np.mean([ask(engines["als"], world, rng)[2][0] for _ in range(3000)])
    found = replay(database, engines["als"], Window.latest("1h"), num_slots=1)
    assert found.num_requests == 4000
    assert found.refused == {}
    for estimate in found.estimates:
        assert estimate.low <= truth <= estimate.high, estimate.estimator
        assert estimate.mean > found.served.high, estimate.estimator
    again = replay(database, engines["popularity"], Window.latest("1h"))
    for estimate in again.estimates:
        # The model of `dr` expects a little more or less of the draws that came than of those that might have.
        tolerance = 0.01 if estimate.estimator == "dr" else 1e-9
        assert estimate.mean == pytest.approx(again.served.mean, rel=tolerance)


def test_a_greedy_log_is_refused_with_the_reason(tmp_path, world, engines, as_logged):
    database = write_log(tmp_path, engines["als"], world, num_requests=60, as_logged=as_logged)
    found = replay(database, engines["exploring als"], Window.latest("1h"))
    assert found.estimates == []
    assert "the log is greedy" in found.refused["snips"]
    assert found.served.mean > 0
    assert found.hit_rate >= found.served.mean


def test_a_window_without_answers_and_a_place_without_a_log_are_refused(tmp_path, world, engines, as_logged):
    database = write_log(tmp_path, engines["als"], world, num_requests=1, as_logged=as_logged)
    with pytest.raises(EstimationError, match="no answer of /recommend to judge by; take a longer one"):
        replay(database, engines["als"], Window.latest("1h").before())
    with pytest.raises(ArtifactError, match="no log here"):
        replay(LogDatabase(f"sqlite:///{tmp_path}/none.db"), engines["als"], Window.latest("1h"))


def test_a_request_survives_the_log(engines):
    asked = RecommendRequest(
        "u1", k=4, exclude_seen=False, filters={"genres": ["Comedy"]}, history=["m1"], dismissed=["m2"], seeds=["m3"]
    )
    assert RecommendRequest.of_log("u1", asked.asked()) == asked
    assert RecommendRequest("u1").asked() == {"k": 10}
