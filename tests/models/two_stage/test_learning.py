from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from foretaste.errors import ModelError
from foretaste.models.protocol import FitContext
from foretaste.models.registry import build
from foretaste.models.two_stage import learning
from foretaste.models.two_stage.config import HoldoutConfig, RankerConfig, TwoStageConfig
from foretaste.models.two_stage.features import BASE_RANK
from foretaste.models.two_stage.learning import Lessons, fit_trees, learn, lessons, windows

CONFIG = TwoStageConfig(
    retrievers={"item_knn": {}},
    candidates=20,
    half_lives_days=(2,),
    holdout={"share": 0.2, "windows": 2},
    ranker={"trees": 10, "min_leaf_rows": 5, "column_share": 1},
)
STANDING = BASE_RANK - 1


class Remembers:
    """Scores a pair by the events it was shown, those of the history and no others that a ranker could use."""

    def __init__(self, shown):
        self.shown_UI = shown.to_csr()

    def score(self, query):
        return self.shown_UI[query.user_B].toarray()


def pairs(events):
    return set(zip(events.user_N.tolist(), events.item_N.tolist(), strict=True))


def test_windows_follow_one_another_and_know_only_what_was_before(tastes):
    events = tastes.interactions
    newest, before = windows(events, HoldoutConfig(share=0.2, windows=2), seed=0)
    assert newest.test.timestamp_N.max() == events.timestamp_N.max()
    assert len(newest.test) == pytest.approx(0.2 * len(events), abs=1)
    assert before.test.timestamp_N.max() < newest.test.timestamp_N.min()
    for window in (newest, before):
        assert window.train.timestamp_N.max() < window.test.timestamp_N.min()


def test_without_timestamps_each_window_is_another_draw(tastes_without_time):
    events = tastes_without_time.interactions
    one, other = windows(events, HoldoutConfig(share=0.2, windows=2), seed=0)
    for draw in (one, other):
        assert pairs(draw.train) | pairs(draw.test) == pairs(events)
        assert not pairs(draw.train) & pairs(draw.test)
    assert pairs(one.test) != pairs(other.test)


def test_windows_that_few_events_leave_empty_are_left_out(dataset_of):
    events = dataset_of([[1, 1, 1, 1]], days=[0, 0, 0, 1]).interactions
    assert len(windows(events, HoldoutConfig(share=0.25, windows=3), seed=0)) == 1


def test_what_a_user_met_in_the_window_is_relevant_and_nothing_else(dataset_of):
    # User 0 meets items 2 and 3 in the window, user 1 nothing, and user 2 is unknown before it.
    days = [0, 1, 10, 11, 2, 3, 12]
    dataset = dataset_of([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], days=days)
    order = np.argsort(dataset.interactions.timestamp_N)
    (window,) = windows(dataset.interactions.select(order), HoldoutConfig(share=0.43, windows=1), seed=0)
    assert pairs(window.test) == {(0, 2), (0, 3), (2, 0)}
    model = build("popularity", {}).fit(dataset.with_interactions(window.train), FitContext())
    facts = learning.fit_facts(dataset.with_interactions(window.train), CONFIG.features, ())
    taught = lessons([model], facts, window, CONFIG, np.random.default_rng(0))
    # All that user 0 could meet is relevant: there is no order to learn.
    assert len(taught.size_G) == 0


def seen_by_learning(dataset, monkeypatch):
    """The events of which retrievers, and facts, are fitted."""
    shown = {"retrievers": [], "facts": []}

    def fit_facts(known, *rest):
        shown["facts"].append(known.interactions)
        return honest(known, *rest)

    def fit_retrievers(known):
        shown["retrievers"].append(known.interactions)
        return [build("item_knn", {}).fit(known, FitContext())]

    honest = learning.fit_facts
    monkeypatch.setattr(learning, "fit_facts", fit_facts)
    learn(dataset, CONFIG, fit_retrievers, seed=0)
    return shown


@pytest.mark.parametrize("world", ["tastes", "tastes_without_time"])
def test_nothing_is_fitted_on_what_is_held_out(world, request, monkeypatch):
    dataset = request.getfixturevalue(world)
    shown = seen_by_learning(dataset, monkeypatch)
    held_out = [window.test for window in windows(dataset.interactions, CONFIG.holdout, seed=0)]
    assert len(held_out) == 2
    for of_kind in shown.values():
        for known, later in zip(of_kind, held_out, strict=True):
            assert not pairs(known) & pairs(later)


def test_every_window_is_described_by_the_columns_of_what_is_served(tastes, monkeypatch):
    # Item 0 alone lacks a year, and is met in the newest tenth alone: no window's train flags what is missing.
    events = tastes.interactions
    is_newest_N = np.arange(len(events)) >= 0.9 * len(events)
    years = pl.Series([None, *range(1961, 1961 + events.num_items - 1)])
    dataset = replace(tastes, catalogue=tastes.catalogue.with_columns(year=years))
    dataset = dataset.with_interactions(events.select((events.item_N > 0) | is_newest_N))
    fitted, honest = [], learning.fit_facts

    def fit_facts(known, *rest):
        fitted.append(honest(known, *rest))
        return fitted[-1]

    monkeypatch.setattr(learning, "fit_facts", fit_facts)
    learn(dataset, CONFIG, lambda known: [build("item_knn", {}).fit(known, FitContext())], seed=0)
    served, alone = (honest(known, CONFIG.features, CONFIG.half_lives_days) for known in (dataset, tastes))
    assert [facts.number_IF.shape for facts in fitted] == [served.number_IF.shape] * 2
    assert served.number_IF.shape[1] == alone.number_IF.shape[1] + 2  # the year, and its flag


def test_a_retriever_that_knew_the_window_would_be_all_that_is_looked_at(tastes):
    honest = learn(tastes, CONFIG, lambda known: [Remembers(known.interactions)], seed=0)
    leaking = learn(tastes, CONFIG, lambda _: [Remembers(tastes.interactions)], seed=0)
    # Of an unmet item an honest memory says nothing, so that no tree can ask it.
    assert STANDING not in honest.feature_X
    assert {STANDING, BASE_RANK} & set(leaking.feature_X[: leaking.node_end_T[0]].tolist())


@pytest.mark.parametrize("monotone", [True, False])
def test_praise_never_counts_against_an_item_unless_it_may(monotone):
    # A hundred users met what their retriever puts last of five.
    standing_N = np.tile(np.arange(0, -5, -1), 100)
    feature_NF = np.column_stack([standing_N, -standing_N]).astype(np.float32)
    upside_down = Lessons(feature_NF, standing_N == -4, np.full(100, 5))
    config = RankerConfig(trees=5, min_leaf_rows=5, column_share=1, monotone=monotone)
    score_N = fit_trees(upside_down, 1, config, seed=0).evaluate(feature_NF[:5])
    assert (np.diff(score_N) <= 0).all() == monotone


def test_at_most_so_many_users_of_a_window_teach(tastes):
    (window, *_) = windows(tastes.interactions, CONFIG.holdout, seed=0)
    known = tastes.with_interactions(window.train)
    models = [build("item_knn", {}).fit(known, FitContext())]
    facts = learning.fit_facts(known, CONFIG.features, CONFIG.half_lives_days)
    few = CONFIG.model_copy(update={"holdout": HoldoutConfig(share=0.2, windows=2, max_users=7)})
    taught = lessons(models, facts, window, few, np.random.default_rng(0))
    assert 0 < len(taught.size_G) <= 7
    assert len(taught.feature_NF) == len(taught.is_relevant_N) == taught.size_G.sum()


def test_without_anything_to_learn_it_is_refused(dataset_of):
    dataset = dataset_of([[1, 0, 0], [0, 1, 0], [0, 0, 1]], days=[0, 1, 2])
    with pytest.raises(ModelError, match="nothing to learn from"):
        learn(dataset, CONFIG, lambda known: [build("popularity", {}).fit(known, FitContext())], seed=0)
