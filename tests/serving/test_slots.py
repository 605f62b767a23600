"""Policies, by enumeration of all answers on tiny catalogues and by counting draws."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.serving.policies import EpsilonGreedyPolicy, GreedyPolicy, PlackettLucePolicy
from foretaste.serving.slots import Choice, Memberships, fill_slots

NO_VALUES = Memberships(np.zeros(9, dtype=np.int64), np.zeros(0, dtype=np.int32))
POLICIES = [
    GreedyPolicy(),
    EpsilonGreedyPolicy(epsilon=0.3),
    EpsilonGreedyPolicy(epsilon=1),
    PlackettLucePolicy(temperature=0.4),
    PlackettLucePolicy(temperature=1e-3),
]


def values(*sets):
    indptr = np.concatenate([[0], np.cumsum([len(each) for each in sets])]).astype(np.int64)
    return Memberships(indptr, np.array([value for each in sets for value in sorted(each)], dtype=np.int32))


def fill(relevance, k, policy, rng, *, traits=NO_VALUES, weight=1.0, capped=NO_VALUES, room=(), pinned=None):
    picked_K, propensity_K = np.full(k, -1, dtype=np.int64), np.zeros(k)
    pinned_K = np.full(k, -1, dtype=np.int64)
    for slot, candidate in (pinned or {}).items():
        pinned_K[slot] = candidate
    filled = fill_slots(
        np.asarray(relevance, dtype=np.float64),
        traits,
        weight,
        capped,
        np.array(room, dtype=np.int32),
        Choice.of(policy),
        rng.random((k, 2)),
        pinned_K,
        picked_K,
        propensity_K,
        0,
    )
    return tuple(picked_K[:filled].tolist()), propensity_K[:filled]


def chance(relevance, policy, answer, traits=None, weight=1.0, caps=None):
    """The probability of each slot's item given those above, in plain Python."""
    chances = []
    for slot, item in enumerate(answer):
        above = answer[:slot]

        def similarity(c, other):
            either = len(traits[c] | traits[other])
            return len(traits[c] & traits[other]) / either if either else 0.0

        def merit(c, above=above):
            nearest = max((similarity(c, other) for other in above), default=0.0) if traits else 0.0
            return weight * relevance[c] - (1 - weight) * nearest

        left = [c for c in range(len(relevance)) if c not in above]
        if caps:
            left = [c for c in left if sum(caps[other] == caps[c] for other in above) < 1]
        best = max(left, key=lambda c: (merit(c), -c))
        if isinstance(policy, PlackettLucePolicy):
            mass = {c: np.exp((merit(c) - merit(best)) / policy.temperature) for c in left}
            chances.append(mass[item] / sum(mass.values()) if item in mass else 0.0)
        else:
            epsilon = getattr(policy, "epsilon", 0.0)
            chances.append((epsilon / len(left) + (1 - epsilon) * (item == best)) * (item in left))
    return chances


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.label)
@pytest.mark.parametrize("setting", ["plain", "diverse", "capped"])
def test_propensities_are_the_probabilities(policy, setting):
    relevance, k = [1.0, 0.7, 0.7, 0.0], 3
    sets, authors = [{0, 1}, {0, 1}, {1, 2}, set()], [0, 0, 1, 2]
    diverse, capped = setting == "diverse", setting == "capped"
    expected = {
        answer: np.prod(
            chance(relevance, policy, answer, sets if diverse else None, 0.5 if diverse else 1, capped and authors)
        )
        for answer in permutations(range(4), k)
    }
    assert sum(expected.values()) == pytest.approx(1)
    given_ = {
        "traits": values(*sets) if diverse else NO_VALUES,
        "weight": 0.5 if diverse else 1.0,
        "capped": values(*({author} for author in authors)) if capped else NO_VALUES,
        "room": [1, 1, 1] if capped else [],
    }
    rng, num_draws = np.random.default_rng(0), 4000
    counts = dict.fromkeys(expected, 0)
    for _ in range(num_draws):
        answer, propensities = fill(relevance, k, policy, rng, **given_)
        counts[answer] += 1
        assert np.prod(propensities) == pytest.approx(expected[answer])
    for answer, probability in expected.items():
        deviation = np.sqrt(num_draws * probability * (1 - probability))
        assert abs(counts[answer] - num_draws * probability) <= 4.5 * deviation + 1e-9, answer


def test_greedy_takes_the_best_and_the_first_of_equals():
    answer, propensities = fill([0.5, 1.0, 0.5], 3, GreedyPolicy(), np.random.default_rng(0))
    assert answer == (1, 0, 2)
    assert propensities.tolist() == [1, 1, 1]


def test_variety_by_hand():
    # λ = .5: the second slot is worth .45 − .5 · 1 to the twin of the first, .2 − .5 · 0 to the stranger.
    traits = values({0}, {0}, {1})
    answer, _ = fill([1.0, 0.9, 0.4], 3, GreedyPolicy(), np.random.default_rng(0), traits=traits, weight=0.5)
    assert answer == (0, 2, 1)


def test_a_cap_ends_the_answer_and_counts_pins_from_the_start():
    authors = values({0}, {0}, {1})
    rng = np.random.default_rng(0)
    assert fill([1, 0.9, 0.1], 3, GreedyPolicy(), rng, capped=authors, room=[1, 9])[0] == (0, 2)
    answer, propensities = fill(
        [0.2, 0.9, 0.1], 2, EpsilonGreedyPolicy(epsilon=0.5), rng, capped=authors, room=[1, 9], pinned={1: 0}
    )
    assert answer == (2, 0), "the second slot has the only item of its author that may come"
    assert propensities.tolist() == [1, 1]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), policy=st.sampled_from(POLICIES), k=st.integers(1, 8))
def test_no_item_comes_twice_and_no_cap_is_broken(seed, policy, k):
    rng = np.random.default_rng(seed)
    authors = rng.integers(0, 3, 8)
    capped = values(*({int(author)} for author in authors))
    answer, propensities = fill(rng.random(8), k, policy, rng, capped=capped, room=[2, 2, 2])
    assert len(set(answer)) == len(answer) == min(k, np.minimum(np.bincount(authors, minlength=3), 2).sum())
    assert np.bincount(authors[list(answer)]).max(initial=0) <= 2
    assert ((propensities > 0) & (propensities <= 1)).all()
