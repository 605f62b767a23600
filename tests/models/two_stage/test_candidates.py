import numpy as np
from scipy import sparse

from foretaste.models.protocol import Query
from foretaste.models.two_stage.candidates import propose, unite


class Says:
    """A model whose scores are given."""

    def __init__(self, scores_BI):
        self.scores_BI = np.array(scores_BI, dtype=np.float32)

    def score(self, query):
        return self.scores_BI


def test_what_any_list_names_is_a_candidate_once():
    proposed_RBK = np.array([[[4, 2, 0], [1, -1, -1]], [[2, 7, 4], [-1, -1, -1]]], dtype=np.int32)
    candidates = unite(proposed_RBK)
    np.testing.assert_array_equal(candidates.indptr_B, [0, 4, 5])
    np.testing.assert_array_equal(candidates.item_N, [0, 2, 4, 7, 1])


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
