"""Every planted fault is refused with its reason, and a good training goes live."""

from dataclasses import replace

import numpy as np
import pytest

from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.errors import TrackingError
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.promotion import tell_verdicts
from foretaste.pipelines.retraining.accuracy import fresh, judge
from foretaste.pipelines.retraining.data_quality import check_data, last_learnt
from foretaste.pipelines.retraining.guard import Verdict, guard
from foretaste.pipelines.retraining.guard_settings import Budgets, DataLimits, GuardConfig
from foretaste.pipelines.retraining.registered import register_again, unregistered
from foretaste.pipelines.retraining.translated import Translated
from foretaste.pipelines.retraining.verdicts import act
from foretaste.pipelines.tracking import Destination, where_to

REASONS = {
    "shuffled_users": "clearly worse",
    "shuffled_items": "clearly worse",
    "truncated": "it knows 50.0% of them",
    "half_a_catalogue": "trained on other events",
    "not_a_number": "16 of item_embeddings",
    "collapsed": "clearly worse",
    "wrong_sign": "below what costs nothing",
    "stale": "it knows 60.0% of them",
    "leaked": "of the 2,998 events that it is judged by",
    "untrained": "clearly worse",
}
NO_TIMING = Budgets(latency_p99_cpu_ms=None)
CONFIG = GuardConfig(budgets=NO_TIMING)


def test_a_good_training_is_promoted_and_told(world, tmp_path):
    store = BundleStore(tmp_path / "bundles")
    champion = store.publish(world.contents_then)
    good = store.publish(world.contents(), promote=False)
    verdict = guard(champion, good, world.history, world.holdout)
    assert verdict.decision == "promote", verdict.reasons
    assert any("60 users and 20 items are new" in reason for reason in verdict.reasons)
    assert {finding.check for finding in verdict.findings} == {
        "sound", "data", "holdout", "budgets", "accuracy", "slices", "lists"
    }  # fmt: skip
    act(store, verdict, Silence())
    assert store.production_id() == good.id
    assert store.history()[-1].reason.startswith("guard: ndcg@10 ")
    told = store.verdicts()
    assert [(one.by, one.decision, one.bundle_id, one.against) for one in told] == [
        ("guard", "promote", good.id, champion.id)
    ]
    assert told[0].evidence["challenger"]["mean"] > told[0].evidence["popularity"]["mean"]
    metrics = store.open(good.id).manifest.metrics
    assert metrics["ndcg@10"] == told[0].evidence["challenger"]
    assert 0 < metrics["coverage@10"]["mean"] <= 1
    assert told[0].reasons == verdict.reasons


def test_a_challenger_is_registered_with_its_figures_and_its_verdict(world, tmp_path, tracker):
    store, to = BundleStore(tmp_path / "bundles"), Destination("http://host", "films", "small")
    champion = store.publish(world.contents_then)
    good = store.publish(world.contents(), promote=False)
    verdict = guard(champion, good, world.history, world.holdout, CONFIG)
    act(store, verdict, Silence(), to)
    ((run, experiment),) = tracker.runs.values()
    digest = store.open(good.id).manifest.digest
    assert (experiment, run.bundle.bundle_id, run.bundle.digest) == ("films", good.id, digest)
    assert digest != good.manifest.digest, "the guard's figures are part of what is registered"
    assert run.metrics["guard/challenger/ndcg_at_10"] == verdict.figures["challenger"]["mean"]
    assert run.metrics["guard/champion/ndcg_at_10_low"] == verdict.figures["champion"]["low"]
    assert tracker.aliases == {"small": {"candidate": "1", "production": "1"}}
    assert tracker.tags["small", "1"]["foretaste.guard"] == "promote"
    assert tracker.tags["small", "1"]["foretaste.guard.reasons"] == " ".join(verdict.reasons)
    # A registry that is down keeps nobody from being promoted.
    tracker.problem = "no answer"
    other = store.publish(world.contents(seed=3), promote=False)
    act(store, replace(verdict, challenger=other.id, champion=good.id), Silence(), to)
    assert store.production_id() == other.id


def test_what_a_registry_that_was_down_has_missed_is_sent_later(world, planted, tmp_path, tracker):
    store, to = BundleStore(tmp_path / "bundles"), Destination("http://host", "films", "small")
    champion = store.publish(world.contents_then)
    bad = store.publish(planted.wrong_sign(world, np.random.default_rng(0)), promote=False)
    verdict = guard(champion, bad, world.history, world.holdout, CONFIG)
    tracker.problem = "no answer"
    act(store, verdict, Silence(), to)
    (folder,) = unregistered(store)
    assert where_to(folder, tmp_path) == to
    with pytest.raises(TrackingError, match="no answer"):
        register_again(store, folder, to)
    tracker.problem = None
    assert register_again(store, folder, to).version == "1"
    ((run, experiment),) = tracker.runs.values()
    assert (experiment, run.tags["foretaste.guard"]) == ("films", "refuse")
    assert run.metrics["guard/challenger/ndcg_at_10"] == verdict.figures["challenger"]["mean"]
    assert unregistered(store) == []
    # What the registry did not hear of a version that it has, it is told as well: the last word of each.
    for decision in ("stay", "rollback"):
        store.record("watch", decision, bad.id, against=champion.id, reasons=[decision], evidence={})
    tell_verdicts(store, Silence())
    tags = tracker.tags["small", "1"]
    assert (tags["foretaste.guard"], tags["foretaste.watch"]) == ("refuse", "rollback")
    assert tags["foretaste.guard.reasons"] == " ".join(verdict.reasons)


def test_what_is_deleted_is_not_sent_any_more(world, tmp_path, tracker):
    store, to = BundleStore(tmp_path / "bundles"), Destination("http://host", "films", "small")
    champion = store.publish(world.contents_then)
    bundle = store.publish(world.contents(), promote=False)
    tracker.problem = "no answer"
    act(store, Verdict("keep", bundle.id, champion.id, ("few users.",), ()), Silence(), to)
    (folder,) = unregistered(store)
    assert store.prune(0) == [bundle.id]
    assert unregistered(store) == []
    assert not folder.exists()


@pytest.mark.slow
def test_mlflow_knows_a_challenger_and_why_it_was_refused(world, planted, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    store, uri = BundleStore(tmp_path / "bundles"), f"sqlite:///{tmp_path}/mlflow.db"
    champion = store.publish(world.contents_then)
    bad = store.publish(planted.wrong_sign(world, np.random.default_rng(0)), promote=False)
    act(
        store, guard(champion, bad, world.history, world.holdout, CONFIG), Silence(), Destination(uri, "films", "small")
    )
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    (version,) = client.search_model_versions("name = 'small'")
    assert version.tags["foretaste.bundle_id"] == bad.id
    assert version.tags["foretaste.guard"] == "refuse"
    assert "below what costs nothing" in version.tags["foretaste.guard.reasons"]
    run = client.get_run(version.run_id)
    assert run.data.metrics["guard/challenger/ndcg_at_10"] < run.data.metrics["guard/popularity/ndcg_at_10"]
    assert {name: str(number) for name, number in client.get_registered_model("small").aliases.items()} == {}


@pytest.mark.parametrize("fault", sorted(REASONS))
def test_a_planted_fault_is_refused_for_its_reason(world, planted, fault):
    (plant,) = (each for each in planted.BAD if each.__name__ == fault)
    bad = world.published(plant(world, np.random.default_rng(0)))
    verdict = guard(world.champion, bad, world.history, world.holdout, CONFIG)
    assert verdict.decision == "refuse"
    assert REASONS[fault] in " ".join(verdict.reasons)


def test_what_was_refused_stays_off(world, planted, tmp_path):
    store = BundleStore(tmp_path / "bundles")
    champion = store.publish(world.contents_then)
    bad = store.publish(planted.not_a_number(world, np.random.default_rng(0)), promote=False)
    act(store, guard(champion, bad, world.history, world.holdout, CONFIG), Silence())
    assert store.production_id() == champion.id
    assert store.verdicts()[-1].decision == "refuse"
    assert "values that are no numbers" in store.verdicts()[-1].reasons[0]
    assert store.open(bad.id).manifest.metrics == {}, "what is sick is not asked for recommendations"


DATA_REASONS = {
    "all_users_shuffled": "pairs of user and item are left of the champion's",
    "new_users_shuffled": "below what costs nothing",
    "new_items_shuffled": "below what costs nothing",
    "new_items_renamed": "ids may have been dealt out anew",
    "new_items_at_random": "ids may have been dealt out anew",
    "robots": "below what costs nothing",
    "lost_users": "users are left of the champion's",
    "lost_events": "at least 70% is expected (data.min_event_share)",
    "lost_items": "items are left of the champion's",
    "old_events": "older than what the champion learnt from",
}


@pytest.mark.parametrize("fault", sorted(DATA_REASONS))
def test_data_that_went_wrong_before_the_training_is_refused(world, planted, fault):
    """The challenger is true to its data, and the holdout is of the same data: only the champion remembers better."""
    (plant,) = (each for each in planted.BAD_DATA if each.__name__ == fault)
    history, holdout = plant(world, np.random.default_rng(0))
    challenger = world.published(world.contents(history))
    verdict = guard(world.champion, challenger, history, holdout, CONFIG)
    assert verdict.decision == "refuse"
    assert DATA_REASONS[fault] in " ".join(verdict.reasons)


def test_events_of_the_future_are_refused(world):
    far = 10 * 365 * 86_400
    history, holdout = (replace(part, timestamp_N=part.timestamp_N + far) for part in (world.history, world.holdout))
    challenger = world.published(world.contents(history))
    verdict = guard(world.champion, challenger, history, holdout, CONFIG)
    assert verdict.decision == "refuse"
    assert "which is yet to come" in verdict.reasons[0]
    assert guard(world.champion, challenger, history, holdout, CONFIG, now=4e9).decision == "promote"


def test_one_user_who_floods_the_data_is_no_person(world):
    user_N = world.history.user_N.copy()
    user_N[-len(user_N) // 4 :] = 7
    findings = check_data(replace(world.history, user_N=user_N), None, DataLimits(), now=2e9)
    (failed,) = (finding for finding in findings if not finding.passed)
    assert failed.sentence.startswith("the busiest user has 25")


def test_the_same_training_again_is_no_gain_and_is_kept_out(world):
    twin = world.published(world.contents())
    again = world.published(world.contents())
    verdict = guard(twin, again, world.history, world.holdout, CONFIG)
    assert verdict.decision == "keep"
    assert "no gain, and no user or item is new" in verdict.reasons[0]


def test_a_champion_that_learnt_the_holdout_is_not_judged_by_it(world):
    knows_all = world.published(world.contents(world.dataset.interactions))
    challenger = world.published(world.contents())
    verdict = guard(knows_all, challenger, world.history, world.holdout, CONFIG)
    # Its training ends before the champion's: older data, and no event is fresh to both.
    assert verdict.decision == "refuse"
    assert "older than what the champion learnt from" in " ".join(verdict.reasons)


def test_few_users_decide_nothing_but_where_nothing_is_live(world):
    challenger = world.published(world.contents())
    few = world.holdout.select(np.isin(world.holdout.user_N, np.unique(world.holdout.user_N)[:20]))
    verdict = guard(world.champion, challenger, world.history, few, CONFIG)
    assert verdict.decision == "keep"
    assert any("by 20 users to judge by; it takes 100 (min_users)" in reason for reason in verdict.reasons)
    first = guard(None, challenger, world.history, few, CONFIG)
    assert first.decision == "promote"
    assert first.reasons[0] == "nothing was live."
    assert first.champion is None


def test_a_first_model_below_popularity_is_refused(world, planted):
    bad = world.published(planted.wrong_sign(world, np.random.default_rng(0)))
    verdict = guard(None, bad, world.history, world.holdout, CONFIG)
    assert verdict.decision == "refuse"
    assert "below what costs nothing" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("budgets", "told"), [({"size_mib": 0.01}, "MiB; at most 0"), ({"latency_p99_cpu_ms": 1e-6}, "of processor time")]
)
def test_what_costs_too_much_is_refused(world, budgets, told):
    challenger = world.published(world.contents())
    config = GuardConfig(budgets=Budgets(requests=20, **budgets))
    verdict = guard(world.champion, challenger, world.history, world.holdout, config)
    assert verdict.decision == "refuse"
    assert told in verdict.reasons[0]


def test_a_log_that_says_nothing_is_told_and_stands_in_no_ones_way(world, tmp_path):
    challenger = world.published(world.contents())
    database = LogDatabase(f"sqlite:///{tmp_path}/none.db")
    verdict = guard(world.champion, challenger, world.history, world.holdout, CONFIG, database)
    assert verdict.decision == "promote"
    assert verdict.findings[-1].check == "replay"
    assert "the log says nothing of it" in verdict.findings[-1].sentence


def test_what_was_rolled_back_is_not_promoted_again(world, tmp_path):
    store = BundleStore(tmp_path / "bundles")
    champion = store.publish(world.contents_then)
    bad = store.publish(world.contents())
    store.rollback("clicks fell")
    twin = store.publish(world.contents(), promote=False)
    assert twin.id != bad.id
    verdict = guard(champion, twin, world.history, world.holdout, CONFIG, store=store)
    assert verdict.decision == "refuse"
    assert verdict.reasons[0] == f"{bad.id}, trained on the same data in the same way, was rolled back: clicks fell."
    other = store.publish(world.contents(seed=2), promote=False)
    rests = guard(champion, other, world.history, world.holdout, CONFIG, store=store)
    assert rests.decision == "keep"
    assert "nothing is promoted for 24 hours after one" in rests.reasons[0]
    restless = CONFIG.model_copy(update={"rest_hours_after_rollback": 0.0})
    assert guard(champion, other, world.history, world.holdout, restless, store=store).decision == "promote"


@pytest.mark.slow
def test_twenty_of_twenty_are_refused_and_good_ones_are_not(planted, tmp_path):
    """Other seeds than those of the tests above, and both kinds of fault."""
    refused, decisions, told = 0, [], []
    for seed, (bad, bad_data) in enumerate(zip(planted.BAD, planted.BAD_DATA, strict=True), start=10):
        world, rng = planted.retraining(tmp_path / str(seed), seed), np.random.default_rng(seed)
        data = bad_data(world, rng)
        trials = [
            (bad(world, rng), world.history, world.holdout),
            (world.contents(data[0]), *data),
            (world.contents(), world.history, world.holdout),
        ]
        *faults, good = (
            guard(world.champion, world.published(contents), history, holdout, CONFIG)
            for contents, history, holdout in trials
        )
        refused += sum(verdict.decision == "refuse" and bool(verdict.reasons) for verdict in faults)
        told += [verdict.reasons for verdict in faults if verdict.decision != "refuse"]
        decisions.append(good.decision)
    assert refused == 20, told
    # In one of ten worlds the new training does worse on this holdout, by less than can be told from chance.
    assert decisions.count("promote") >= 9
    assert "refuse" not in decisions


def test_of_many_users_some_are_drawn(world):
    challenger = world.published(world.contents())
    config = CONFIG.model_copy(update={"max_users": 150})
    verdict, again = (
        guard(world.champion, challenger, world.history, world.holdout, config, now=2e9) for _ in range(2)
    )
    assert verdict.figures["holdout"]["users"] == 150
    assert verdict.to_json() == again.to_json()


def test_data_without_times_is_judged_all_the_same(planted, world, tmp_path):
    timeless = replace(world.dataset, interactions=replace(world.dataset.interactions, timestamp_N=None))
    history = timeless.interactions.select(slice(0, len(world.history)))
    holdout = timeless.interactions.select(slice(len(world.history), None))
    then = timeless.with_interactions(timeless.interactions.select(slice(0, 21_000)))
    champion = planted.publish(tmp_path, planted.trained(then))
    challenger = planted.publish(tmp_path, planted.trained(timeless.with_interactions(history)))
    verdict = guard(champion, challenger, history, holdout, CONFIG)
    assert verdict.decision == "promote", verdict.reasons
    assert not any(finding.name in ("age", "training window", "continuity") for finding in verdict.findings)


def test_only_what_the_champion_cannot_have_learnt_is_fresh(world):
    across = world.dataset.interactions.select(slice(20_000, 22_000))
    last = last_learnt(world.champion)
    found = fresh(across, world.champion)
    assert found.timestamp_N.tolist() == across.timestamp_N[across.timestamp_N > last].tolist()
    first = int(len(world.dataset.interactions) * 0.7) - 20_000
    assert len(found) == 2000 - first
    # Without times the pairs alone tell.
    timeless = replace(across, timestamp_N=None)
    assert np.array_equal(fresh(timeless, world.champion).item_N, across.item_N[first:])
    # A pair that was met before is not fresh, though it came again.
    again = replace(across, timestamp_N=across.timestamp_N + 10**8)
    assert np.array_equal(fresh(again, world.champion).item_N, across.item_N[first:])
    # Of a stranger, whose pairs nobody has met, the time alone tells.
    stranger = int(np.flatnonzero(world.champion.users.indices(across.users.ids) < 0)[0])
    strange = replace(across, user_N=np.full_like(across.user_N, stranger))
    assert np.array_equal(fresh(strange, world.champion).item_N, across.item_N[first:])
    assert fresh(across, None) is across


def test_a_bundle_whose_items_are_called_otherwise_is_refused(world):
    contents = world.contents()
    books = world.published(replace(contents, source=replace(contents.source, item_noun="book")))
    verdict = guard(world.champion, books, world.history, world.holdout, CONFIG)
    assert verdict.decision == "refuse"
    assert "answers would change their field names" in verdict.reasons[0]


def test_cold_users_are_judged_by_the_popular_list_that_each_bundle_would_show(world):
    challenger = world.published(world.contents())
    trial = judge(challenger, world.champion, world.history, world.holdout, CONFIG)
    assert trial.champion.is_cold_B.sum() > 10
    for bundle, found in ((world.champion, trial.champion), (challenger, trial.challenger)):
        counts_I = Translated(bundle, world.history.users, world.history.items).popularity_I
        cold_BK = found.top.item_BK[found.is_cold_B]
        np.testing.assert_array_equal(found.top.score_BK[found.is_cold_B], counts_I[cold_BK])
    shown = np.unique(trial.champion.top.item_BK)
    assert (world.champion.items.indices(world.history.items.ids)[shown] >= 0).all(), "it cannot show what it lacks"
