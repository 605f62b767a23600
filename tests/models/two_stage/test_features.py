import numpy as np
import pytest
from scipy import sparse

from foretaste.models.protocol import Query
from foretaste.models.sparse_rows import rows_of
from foretaste.models.two_stage.candidates import Candidates
from foretaste.models.two_stage.facts import Facts
from foretaste.models.two_stage.features import BASE_RANK, describe, praise


@pytest.fixture
def facts() -> Facts:
    """Four items: a number each; two words of one column, one of another."""
    words_IV = sparse.csr_array(np.array([[0.5, 0.5, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=np.float32))
    number_IF = np.array([[1], [2], [4], [8]], dtype=np.float32)
    return Facts(number_IF, rows_of(words_IV), np.array([0, 0, 1], dtype=np.int32), 2)


def test_a_candidate_by_hand(facts):
    # The user met item 0 once and item 1 with three times the weight; 2 and 3 are candidates.
    history_BI = sparse.csr_array(np.array([[1, 3, 0, 0]], dtype=np.float32))
    candidates = Candidates(np.array([0, 2]), np.array([2, 3], dtype=np.int32))
    scores_RBI = np.array([[[9, 9, 2, 6]]], dtype=np.float32)
    feature_NF = describe(candidates, scores_RBI, Query.of_history(history_BI), facts)
    mean = (1 * 1 + 3 * 2) / 4
    in_column_0 = (1 * 0.5 + 3 * 0) / 4  # how much of the history is in the second word
    expected_NF = [
        # behind the best (6 by 4, of deviation 2) and rank; number and its distance; words of two columns; size
        [-2.0, 1, 4, 4 - mean, in_column_0, 0, np.log(3)],
        [0.0, 0, 8, 8 - mean, 0, 0, np.log(3)],
    ]
    np.testing.assert_allclose(feature_NF, expected_NF, rtol=1e-6)
    np.testing.assert_array_equal(feature_NF[:, BASE_RANK], [1, 0])


def test_equal_scores_are_no_distance_and_rank_by_item(facts):
    candidates = Candidates(np.array([0, 3]), np.array([0, 1, 3], dtype=np.int32))
    nobody = Query.of_history(sparse.csr_array((1, 4), dtype=np.float32))
    feature_NF = describe(candidates, np.zeros((1, 1, 4), dtype=np.float32), nobody, facts)
    np.testing.assert_array_equal(feature_NF[:, :2], [[0, 0], [0, 1], [0, 2]])
    assert np.isfinite(feature_NF).all()
    np.testing.assert_array_equal(feature_NF[:, -1], 0.0)


def test_praise_is_a_score_near_the_best_and_a_low_rank(facts):
    candidates = Candidates(np.array([0, 2]), np.array([2, 3], dtype=np.int32))
    nobody = Query.of_history(sparse.csr_array((1, 4), dtype=np.float32))
    scores_RBI = np.array([[[0, 0, 2, 6]], [[0, 0, 1, 9]]], dtype=np.float32)  # both retrievers prefer item 3
    worse_F, better_F = describe(candidates, scores_RBI, nobody, facts)
    told_F = np.array(praise(2, len(better_F)))
    assert (np.sign(better_F - worse_F)[:4] == told_F[:4]).all()
    assert (told_F[4:] == 0).all()


def test_a_row_does_not_depend_on_the_others(facts):
    rng = np.random.default_rng(0)
    history_BI = sparse.csr_array((rng.random((20, 4)) < 0.4).astype(np.float32))
    candidates = Candidates(
        np.arange(0, 61, 3), rng.permuted(np.tile(np.arange(4), (20, 1)), axis=1)[:, :3].ravel().astype(np.int32)
    )
    scores_RBI = rng.standard_normal((2, 20, 4)).astype(np.float32)
    together_NF = describe(candidates, scores_RBI, Query.of_history(history_BI), facts)
    for b in range(20):
        one = Candidates(np.array([0, 3]), candidates.item_N[3 * b : 3 * b + 3])
        alone_NF = describe(one, scores_RBI[:, [b]], Query.of_history(history_BI[[b]]), facts)
        np.testing.assert_array_equal(alone_NF, together_NF[3 * b : 3 * b + 3])
