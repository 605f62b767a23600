"""A spoiled model that a person promoted past the guard does not keep honest ones out for ever."""

from dataclasses import replace

import numpy as np
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.pipelines.experiment import prepare_data
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.guard import guard
from foretaste.pipelines.retraining.guard_settings import Budgets, GuardConfig
from foretaste.pipelines.retraining.retrain import retrain
from foretaste.pipelines.retraining.yardstick import beside

CONFIG = GuardConfig(budgets=Budgets(latency_p99_cpu_ms=None))
BLOCKING = {"all_users_shuffled": "data.min_pair_share", "half_a_catalogue": "tail items"}
"""Faults of a live model beside which an honest training looks worse, by its data or for a group, and how."""


@pytest.fixture(scope="module")
def spoiled(world, planted):
    """Fault → contents of a bundle that was trained between the champion and the honest challenger."""
    events = world.dataset.interactions
    cut = [int(len(events) * share) for share in (0.8, planted.BEFORE_HOLDOUT)]
    then = replace(world, history=events.select(slice(0, cut[0])), holdout=events.select(slice(*cut)))
    shuffled, _ = planted.all_users_shuffled(then, np.random.default_rng(0))
    half = planted.half_a_catalogue(then, np.random.default_rng(0))
    return {"all_users_shuffled": then.contents(shuffled), "half_a_catalogue": half}


@pytest.fixture
def store(world, tmp_path):
    store = BundleStore(tmp_path / "bundles")
    store.publish(world.contents_then)
    return store


def by_hand(store, contents):
    """Promoted by a person, whatever the guard would have said."""
    bundle = store.publish(contents, promote=False)
    store.promote(bundle.id, "by hand")
    return bundle


def refused(store, bundle):
    store.record("guard", "refuse", bundle.id, against=None, reasons=["it is bad"], evidence={})


def judged(world, store, live, honest):
    return guard(live, honest, world.history, world.holdout, CONFIG, store=store)


@pytest.mark.parametrize("fault", BLOCKING)
def test_beside_a_model_that_the_guard_had_refused_the_one_before_is_the_measure(world, spoiled, store, fault):
    before = store.production_id()
    live = by_hand(store, spoiled[fault])
    refused(store, live)
    honest = store.publish(world.contents(), promote=False)
    verdict = judged(world, store, live, honest)
    assert verdict.decision == "promote", verdict.reasons
    assert verdict.champion == live.id
    told = " ".join(verdict.reasons)
    assert f"the guard had refused {live.id}" in told
    assert f"beside {before}, which was live before: that is the measure" in told


@pytest.mark.parametrize("fault", BLOCKING)
def test_without_a_word_of_the_guard_a_person_is_told_what_to_do(world, spoiled, store, fault):
    before = store.open()
    live = by_hand(store, spoiled[fault])
    honest = store.publish(world.contents(), promote=False)
    verdict = judged(world, store, live, honest)
    assert verdict.decision == "refuse"
    assert BLOCKING[fault] in verdict.reasons[0]
    told = f"if {live.id} learnt from damaged data, `foretaste bundles rollback` makes {before.id} live again"
    assert told in verdict.reasons[-1]
    # It does, and nothing more is needed.
    assert store.rollback("by hand") == before.id
    now = BundleStore(store.root)
    resting = judged(world, now, before, honest)
    assert resting.decision == "keep"
    assert f"but by a person, as in `foretaste bundles promote {honest.id}`" in resting.reasons[0]
    refused(store, live)
    assert judged(world, now, before, honest).decision == "promote", "the guard had foreseen it: no reason to rest"


def test_data_that_fits_neither_is_refused_for_its_own_fault(world, planted, spoiled, store):
    live = by_hand(store, spoiled["all_users_shuffled"])
    refused(store, live)
    history, holdout = planted.all_users_shuffled(world, np.random.default_rng(1))
    challenger = store.publish(world.contents(history), promote=False)
    verdict = guard(live, challenger, history, holdout, CONFIG, store=store)
    assert verdict.decision == "refuse"
    assert not any(finding.check == "yardstick" for finding in verdict.findings)


def test_a_model_that_a_person_preferred_is_still_not_to_be_lost(world, planted, spoiled, store):
    """The guard had refused the live model, for whatever reason; a challenger that is worse than it stays off."""
    live = by_hand(store, world.contents())
    refused(store, live)
    bad = store.publish(planted.shuffled_users(world, np.random.default_rng(0)), promote=False)
    verdict = judged(world, store, live, bad)
    assert verdict.decision == "refuse"
    assert "clearly worse" in verdict.reasons[0]


def test_with_nothing_before_it_the_live_model_is_the_measure(world, store):
    live = store.open()
    failed = [Finding("data", "pairs", False, "none are left.")]
    assert beside(live, store, lambda _: failed) == failed
    assert beside(live, None, lambda _: failed) == failed


def spoil(loop, change):
    """A model of events that were changed goes live by hand; it is as new as half of the data."""
    dataset = prepare_data(loop.config().experiment, Silence()).dataset
    events = dataset.interactions.select(slice(0, len(dataset.interactions) // 2))
    wrong = dataset.with_interactions(change(events))
    model = registry.build("als", {"embedding_dim": 8, "iterations": 4}).fit(wrong, FitContext(0))
    return by_hand(loop.store, BundleContents.of("als", model, wrong, seed=0))


def test_the_loop_gets_over_a_spoiled_model_by_itself_or_by_one_command(loop):
    rng = np.random.default_rng(0)
    before = loop.store.production_id()
    live = spoil(loop, lambda events: replace(events, user_N=rng.permutation(events.user_N)))
    settings = ("min_new_events=0", "guard.rest_hours_after_rollback=0")
    record = retrain(loop.config(*settings), loop.artifacts)
    assert (record.outcome, record.challenger) == ("refused", None)
    assert "pairs of user and item are left of the champion's" in record.reasons[0]
    assert f"`foretaste bundles rollback` makes {before} live again" in record.reasons[-1]
    refused(loop.store, live)
    by_itself = loop.copied(loop.folder.with_name("by-itself"))
    record = retrain(by_itself.config(*settings, "warm_start=true"), by_itself.artifacts)
    assert (record.outcome, record.champion) == ("promoted", live.id), record.reasons
    assert by_itself.store.open().manifest.warm_started_from is None, "nothing is learnt from it"
    loop.store.rollback("by hand")
    record = retrain(loop.config(*settings), loop.artifacts)
    assert (record.outcome, record.champion) == ("promoted", before), record.reasons


def test_a_live_model_of_the_future_leaves_nothing_to_learn_and_that_is_told(loop):
    live = spoil(loop, lambda events: replace(events, timestamp_N=events.timestamp_N + 100 * 365 * 86_400))
    record = retrain(loop.config(), loop.artifacts)
    assert record.outcome == "skipped"
    assert "yet to come: if its data was wrong, `foretaste bundles rollback` takes" in record.reasons[0]
    assert live.id in record.reasons[0]
    loop.store.rollback("by hand")
    record = retrain(loop.config("guard.rest_hours_after_rollback=0"), loop.artifacts)
    assert record.outcome == "promoted", record.reasons
