import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from foretaste.models.protocol import Query
from foretaste.models.topk import rank
from foretaste.models.two_stage.candidates import propose


class Says:
    """A model whose scores are given."""

    def __init__(self, scores_BI):
        self.scores_BI = np.array(scores_BI, dtype=np.float32)

    def score(self, query):
        return self.scores_BI


def test_each_model_proposes_its_best_that_the_user_has_not_met():
    one, other = Says([[5, 4, 3, 2, 1], [1, 2, 3, 4, 5]]), Says([[0, 0, 0, 0, 9], [9, 0, 0, 0, 0]])
    history_BI = sparse.csr_array(np.array([[1, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=np.float32))
    candidates, scores_RBI = propose([one, other], Query.of_history(history_BI), 2)
    # The first has met 0 and 4: 1 and 2 by one model, and by the other the lowest of equals, 1 and 2.
    np.testing.assert_array_equal(candidates.item_N[:2], [1, 2])
    np.testing.assert_array_equal(candidates.item_N[2:], [0, 1, 3, 4])
    np.testing.assert_array_equal(candidates.indptr_B, [0, 2, 6])
    np.testing.assert_array_equal(scores_RBI, [one.scores_BI, other.scores_BI])


def test_a_small_catalogue_is_proposed_whole():
    candidates, _ = propose([Says([[3, 2, 1]])], Query.of_history(sparse.csr_array((1, 3), dtype=np.float32)), 50)
    np.testing.assert_array_equal(candidates.item_N, [0, 1, 2])


def test_who_has_met_everything_is_proposed_nothing():
    everything = Query.of_history(sparse.csr_array(np.ones((1, 3), dtype=np.float32)))
    candidates, _ = propose([Says([[3, 2, 1]])], everything, 2)
    np.testing.assert_array_equal(candidates.indptr_B, [0, 0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 12), st.integers(1, 9))
def test_the_best_are_those_of_a_ranking(seed, num_items, depth, num_queries):
    rng = np.random.default_rng(seed)
    scores_RBI = rng.integers(0, 6, (2, num_queries, num_items)).astype(np.float32)  # with many ties
    history_BI = sparse.csr_array((rng.random((num_queries, num_items)) < 0.3).astype(np.float32))
    candidates, _ = propose([Says(each) for each in scores_RBI], Query.of_history(history_BI), depth)
    tops = [rank(each, depth, exclude_BI=history_BI).item_BK for each in scores_RBI]
    for b in range(num_queries):
        named = np.unique(np.concatenate([top[b] for top in tops]))
        found = candidates.item_N[candidates.indptr_B[b] : candidates.indptr_B[b + 1]]
        np.testing.assert_array_equal(found, named[named >= 0])
