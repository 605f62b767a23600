"""Boosts, pins, caps, variety and policies through the engine."""

import numpy as np
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.writing import write_bundle
from foretaste.errors import ConfigError
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.policies import EpsilonGreedyPolicy, GreedyPolicy, PlackettLucePolicy
from foretaste.serving.slate_settings import SlateConfig


@pytest.fixture
def engine_with(fixed_model, world, tmp_path):
    """An engine whose model gives item n of 40 the score 40 - n, and the last five none."""
    scores_I = np.where(np.arange(40) < 35, 40.0 - np.arange(40), -np.inf)
    bundle = write_bundle(tmp_path, BundleContents.of("fixed", fixed_model(scores_I), world, seed=0))
    return lambda **slate: Engine(bundle, slate=SlateConfig.model_validate(slate))


def ids(answer):
    return answer.items.item_ids


ANY = RecommendRequest("u0", k=6, exclude_seen=False)


def test_by_default_the_best_come_with_certainty(engine_with):
    answer = engine_with().recommend(ANY)
    assert ids(answer) == [f"m{item}" for item in range(6)]
    assert answer.items.propensities == [1.0] * 6
    assert answer.policy == "greedy"


def test_a_boost_lifts_by_standard_deviations_and_leaves_the_scores_as_they_are(engine_with):
    # Scores 40 … 6 have a standard deviation of 10.1: a lift of 1 takes m20, the first of 2000, from 20 to 30.1.
    answer = engine_with(boosts=[{"filters": {"year_min": 2000}, "lift": 1}]).recommend(
        RecommendRequest("u0", k=12, exclude_seen=False)
    )
    assert ids(answer) == [f"m{item}" for item in (*range(10), 20, 10)]
    assert answer.items.scores == [40.0 - int(item_id[1:]) for item_id in ids(answer)]


def test_pins_have_their_places_where_the_request_allows_them(engine_with):
    engine = engine_with(
        pins=[{"item_id": "m30", "slot": 2}, {"item_id": "m31", "slot": 5}, {"item_id": "?", "slot": 1}]
    )
    assert ids(engine.recommend(ANY)) == ["m0", "m30", "m1", "m2", "m31", "m3"]
    allowed = RecommendRequest("u0", k=3, exclude_seen=False, exclude=["m30"])
    assert ids(engine.recommend(allowed)) == ["m0", "m1", "m2"]
    few = RecommendRequest("u0", k=6, exclude_seen=False, include=["m4", "m31"])
    assert ids(engine.recommend(few)) == ["m4", "m31"]


def test_a_cap_holds_and_looks_beyond_the_candidates(engine_with):
    # Every second item is a comedy: one of each genre at most leaves two items, however many are asked for.
    assert ids(engine_with(caps={"genres": 1}).recommend(ANY)) == ["m0", "m1"]
    only = RecommendRequest("u0", k=3, exclude_seen=False, include=[f"m{item}" for item in (0, 2, 4, 6, 8, 33)])
    assert ids(engine_with(caps={"genres": 2}).recommend(only)) == ["m0", "m2", "m33"]


def test_variety_brings_another_genre_second(engine_with):
    engine = engine_with(diversity={"relevance_weight": 0.5, "candidates": 20})
    assert ids(engine.recommend(RecommendRequest("u0", k=2, exclude_seen=False, exclude=["m1"]))) == ["m0", "m3"]


def test_items_without_a_score_may_be_drawn_and_say_so(engine_with):
    request = RecommendRequest("u0", k=10, exclude_seen=False, filters={"year_min": 2012}, seed=3)
    answer = engine_with(policy={"kind": "epsilon_greedy", "epsilon": 1}).recommend(request)
    assert sorted(ids(answer)) == sorted(f"m{item}" for item in range(32, 40))
    assert {item.source for item in answer.items if item.item_id in ("m32", "m33", "m34")} == {"model"}
    assert [item.source for item in answer.items].count("popularity") == 5


@pytest.mark.parametrize("policy", [EpsilonGreedyPolicy(epsilon=0.5), PlackettLucePolicy(temperature=0.5)])
def test_a_seed_repeats_the_draws_and_candidates_bound_them(engine_with, policy):
    engine = engine_with(policy=policy.model_copy(update={"candidates": 8}).resolved())
    answers = [engine.recommend(RecommendRequest("u0", k=6, exclude_seen=False, seed=seed)) for seed in (1, 1, 2, 3, 4)]
    assert answers[0] == answers[1]
    assert len({tuple(ids(answer)) for answer in answers}) > 1
    assert all(int(item_id[1:]) < 8 for answer in answers for item_id in ids(answer))
    assert answers[0].policy.startswith(policy.kind)
    assert 0 < min(answers[0].items.propensities) < 1


def test_a_request_may_bring_its_own_policy(engine_with):
    engine = engine_with(policy={"kind": "plackett_luce", "temperature": 5})
    greedy = engine.recommend(RecommendRequest("u0", k=6, exclude_seen=False, policy=GreedyPolicy()))
    assert (ids(greedy), greedy.policy) == ([f"m{item}" for item in range(6)], "greedy")


def test_withheld_items_never_come(engine_with):
    engine = engine_with(withheld=["m0", "m39", "?"])
    everything = engine.recommend(RecommendRequest("u0", k=40, exclude_seen=False))
    assert set(ids(everything)) == {f"m{item}" for item in range(1, 39)}


def test_an_attribute_that_the_catalogue_lacks_is_refused(engine_with):
    with pytest.raises(ConfigError, match="slate: unknown attribute 'genre' – did you mean 'genres'"):
        engine_with(caps={"genre": 1})
