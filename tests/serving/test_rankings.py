import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.serving.rankings import ByBest, ByScores


def rankings(seed, num_items=30, num_best=8):
    """The same scores, told whole and told best first, with ties; and what may come."""
    rng = np.random.default_rng(seed)
    scores_I = -rng.random(num_items).astype(np.float32)
    item_C = np.sort(rng.choice(num_items, num_best, replace=False)).astype(np.int32)
    scores_I[item_C] = rng.integers(1, 4, num_best)
    popularity_I = rng.integers(0, 3, num_items).astype(np.float32)
    asked = []

    def all_scores():
        asked.append(True)
        return scores_I

    best = ByBest(item_C, scores_I[item_C], popularity_I, all_scores)
    return best, ByScores(scores_I, popularity_I), rng.random(num_items) < 0.5, asked


@given(st.integers(0, 2**32 - 1), st.integers(1, 15))
def test_what_begins_with_the_best_ranks_as_all_scores_do(seed, k):
    best, whole, eligible_I, asked = rankings(seed)
    k = min(k, np.count_nonzero(eligible_I))
    if not k:
        return
    found, expected = best.top(k, eligible_I), whole.top(k, eligible_I)
    np.testing.assert_array_equal(found.item_K, expected.item_K)
    np.testing.assert_array_equal(found.score_K, expected.score_K)
    assert found.num_scored == expected.num_scored
    assert bool(asked) == (np.count_nonzero(found.score_K > 0) < k)


@pytest.mark.parametrize("k", [1, 8])
def test_all_scores_are_not_asked_for_where_the_best_suffice(k):
    best, _, eligible_I, asked = rankings(0)
    best.top(k, np.ones_like(eligible_I))
    assert not asked


def test_some_and_all_scores_are_those_of_the_whole():
    best, whole, _, _ = rankings(0)
    np.testing.assert_array_equal(best.scores_I(), whole.scores_I())
    np.testing.assert_array_equal(best.at(np.array([3, 1])), whole.at(np.array([3, 1])))
