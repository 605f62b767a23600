"""What an engine says another answer's chances are, beside the propensities that it gives its own."""

import numpy as np
import pytest

from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.policies import EpsilonGreedyPolicy, GreedyPolicy, PlackettLucePolicy
from foretaste.serving.slate_settings import DiversityConfig, Pin, SlateConfig

POLICIES = [
    GreedyPolicy(),
    EpsilonGreedyPolicy(epsilon=0.4, candidates=12),
    PlackettLucePolicy(temperature=0.3, candidates=12),
]


@pytest.fixture(params=["plain", "diverse", "capped and pinned"])
def slate(request, engine):
    return {
        "plain": SlateConfig(),
        "diverse": SlateConfig(diversity=DiversityConfig(relevance_weight=0.6, candidates=15)),
        "capped and pinned": SlateConfig(caps={"genres": 2}, pins=[Pin(item_id=engine.bundle.items.id(3), slot=2)]),
    }[request.param]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.kind)
def test_the_chances_of_an_own_answer_are_its_propensities(policy, slate, engine):
    engine = Engine(engine.bundle, slate=slate)
    for seed in range(20):
        user_id = engine.bundle.users.id(seed % len(engine.bundle.users))
        asked = RecommendRequest(user_id, k=6, policy=policy, seed=seed)
        answer = engine.recommend(asked)
        chance_KI = engine.chances(asked, answer.items.item_ids).toarray()
        assert chance_KI[np.arange(len(answer.items)), answer.items.item_K] == pytest.approx(answer.items.propensities)
        assert chance_KI.sum(axis=1) == pytest.approx(np.ones(len(answer.items)))


def test_what_could_not_have_come_has_no_chance_nor_has_what_follows(engine):
    asked = RecommendRequest(engine.bundle.users.id(0), k=3)
    first, second, third = engine.recommend(asked).items.item_ids
    swapped = engine.chances(asked, [first, third, second]).toarray()
    assert swapped.sum(axis=1).tolist() == [1.0, 1.0, 0.0]
    assert swapped[1, engine.bundle.items.index(second)] == 1.0
    tried = RecommendRequest(asked.user_id, k=2, policy=EpsilonGreedyPolicy(epsilon=1, candidates=1000))
    unknown = engine.chances(tried, ["no such item", second]).toarray()
    assert unknown.sum(axis=1) == pytest.approx([1.0, 0.0])


def test_conditions_of_the_request_count(engine):
    asked = RecommendRequest(engine.bundle.users.id(0), k=3, policy=EpsilonGreedyPolicy(epsilon=1, candidates=1000))
    best = engine.recommend(RecommendRequest(asked.user_id, k=1)).items.item_ids
    without = RecommendRequest(asked.user_id, exclude=best, policy=asked.policy)
    assert engine.chances(asked, best).toarray()[0, engine.bundle.items.index(best[0])] > 0
    assert engine.chances(without, best).toarray()[0, engine.bundle.items.index(best[0])] == 0
