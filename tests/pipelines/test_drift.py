"""A service whose visitors change, and one whose visitors do not."""

import time

import numpy as np
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig
from foretaste.errors import EstimationError
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.monitoring.drift import DriftConfig
from foretaste.monitoring.windows import Window
from foretaste.pipelines.drift import drift
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.logs.rows import FeedbackRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

DAY = 24 * 3600
WORLD = SyntheticConfig(num_users=300, num_items=60, num_interactions=4000)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    dataset = prepare(read_source(WORLD), PrepareConfig()).dataset
    model = registry.build("als", {"embedding_dim": 8, "iterations": 5}).fit(dataset, FitContext())
    return Engine(
        BundleStore(tmp_path_factory.mktemp("store")).publish(BundleContents.of("als", model, dataset, seed=0))
    )


@pytest.fixture
def served(tmp_path, engine, as_logged):
    """Writes four days of traffic; the last two may be otherwise."""
    url, noon = f"sqlite:///{tmp_path}/log.db", (time.time() // DAY) * DAY + 60

    def write(late_users=None, late_scores=1.0, late_clicks=None):
        logs = ServiceLogs(LogConfig(url=url, journal_dir=tmp_path / "journal"))
        logs.start()
        rng = np.random.default_rng(0)
        met = np.asarray(engine.bundle.history.weights_UI.indices)
        for number in range(800):
            day = number // 200
            is_late = day >= 2
            user = engine.bundle.users.id(int(rng.integers(len(engine.bundle.users))))
            user = late_users(number) if is_late and late_users else user
            request, at = RecommendRequest(user, k=10, seed=number), noon - (3 - day) * DAY
            answer = engine.recommend(request)
            scores = np.asarray(answer.items.scores) * (late_scores if is_late else 1.0)
            logs.requests.append(
                as_logged(engine, request, answer, request_id=f"r{number}", timestamp=at, scores=scores)
            )
            clicked = engine.bundle.items.id(int(rng.choice(met)))
            clicked = late_clicks(number) if is_late and late_clicks else clicked
            event = {"event_id": f"e{number}", "kind": "click", "item_id": clicked, "request_id": f"r{number}"}
            logs.feedback.take(FeedbackRow(timestamp=at, received_at=at, **event))
        logs.stop()
        return LogDatabase(url), time.strftime("%Y-%m-%d", time.gmtime(noon - DAY))

    return write


def test_traffic_as_the_training_was_stays_quiet(served, engine):
    database, _ = served()
    found = drift(database, engine, Window.latest("7d"))
    assert found.since == {}
    assert {one.feature for one in found.features} >= {"scores", "history of users", "year of items clicked"}
    assert {one.of: one.share for one in found.shares} == {"users": 0.0, "items": 0.0}


def test_strangers_fire_with_the_day(served, engine):
    database, day = served(late_users=lambda number: f"stranger {number}")
    found = drift(database, engine, Window.latest("7d"), DriftConfig(new_user_share=0.4))
    assert found.since == {"users": day}
    (users, _) = found.shares
    assert (users.share, users.is_crossed) == (0.5, True)
    assert drift(database, engine, Window.latest("7d"), DriftConfig(new_user_share=0.6)).since == {}


def test_whom_only_the_vocabulary_knows_is_new(tmp_path, served, engine):
    """Users and items whose events all came after the training, as those of a holdout do."""
    dataset = prepare(read_source(WORLD), PrepareConfig()).dataset
    early = dataset.with_interactions(dataset.interactions.select(slice(0, 60)))
    model = registry.build("popularity", {}).fit(early, FitContext())
    contents = BundleContents.of("popularity", model, early, seed=0)
    young = Engine(BundleStore(tmp_path / "young").publish(contents))
    met = {early.interactions.users.id(int(user)) for user in early.interactions.user_N}
    assert {user for user in young.bundle.users.ids if young.knows(user)} == met
    assert not young.knows("nobody")
    database, _ = served()
    users, items = drift(database, young, Window.latest("7d")).shares
    assert users.share == pytest.approx(1 - len(met) / 300, abs=0.06)
    assert (users.num_rows, items.num_rows) == (800, 800)
    unmet_I = early.interactions.item_counts() == 0
    weight_I = dataset.interactions.item_counts()
    assert items.share == pytest.approx(weight_I[unmet_I].sum() / weight_I.sum(), abs=0.06)


def test_scores_of_another_scale_fire_with_the_day(served, engine):
    database, day = served(late_scores=3.0)
    assert drift(database, engine, Window.latest("7d")).since == {"scores": day}


def test_clicks_on_new_items_and_on_few_items_fire(served, engine):
    database, day = served(late_clicks=lambda number: "unheard of" if number % 2 else engine.bundle.items.id(0))
    found = drift(database, engine, Window.latest("7d"))
    assert found.since["items"] == day
    assert "popularity of items clicked" in found.since


def test_a_window_without_answers_is_refused(served, engine):
    database, _ = served()
    with pytest.raises(EstimationError, match="no answer of /recommend to compare with the training"):
        drift(database, engine, Window.latest("1h", now=1e9))
