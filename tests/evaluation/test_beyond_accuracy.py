"""Each figure by hand; `test_agreement.py` has them on random lists."""

import numpy as np
import pytest
from scipy import sparse

from foretaste.evaluation.beyond_accuracy import (
    coverage,
    gini,
    novelty,
    popularity_lift,
    popularity_rank,
    serendipity,
)


def csr(rows):
    return sparse.csr_array(np.array(rows, dtype=np.float32))


def lists(*rows):
    return np.array(rows, dtype=np.int32)


def test_novelty_is_in_bits_and_skips_empty_slots():
    # Known to 4 and 1 of 8 users: 1 and 3 bits. An item that nobody has met counts as known to one.
    known = np.array([4, 1, 0])
    found = novelty(lists([0, 1], [0, -1], [2, -1], [-1, -1]), [1, 2], known, 8)
    assert found[0] == pytest.approx([1, 1, 3, np.nan], nan_ok=True)
    assert found[1] == pytest.approx([2, 1, 3, np.nan], nan_ok=True)


def test_popularity_lift_is_beside_the_users_own_history():
    known = np.array([4, 2, 1])
    history = csr([[0, 1, 1], [0, 0, 0]])
    # The list is met by 4, the history by 1.5 on average.
    found = popularity_lift(lists([0, 1], [0, 1]), [1, 2], history, known)
    assert found[0] == pytest.approx([4 / 1.5 - 1, np.nan], nan_ok=True)
    assert found[1] == pytest.approx([3 / 1.5 - 1, np.nan], nan_ok=True)


def test_a_hit_that_the_popular_list_has_is_no_surprise():
    rank = popularity_rank(np.array([9, 8, 7, 6]))
    hits, seen = np.ones((1, 2)), csr([[1, 0, 0, 0]])
    one_and_two = [1, 2]
    # The popular lists are 0 and 0, 1.
    assert serendipity(lists([3, 1]), one_and_two, hits, rank).tolist() == [[1], [0.5]]
    # 2 comes right after them; 1 does after the shorter one.
    assert serendipity(lists([2, 0]), one_and_two, hits, rank).tolist() == [[1], [0.5]]
    assert serendipity(lists([1, 0]), one_and_two, hits, rank).tolist() == [[1], [0]]
    # 0 is seen: they are 1 and 1, 2.
    assert serendipity(lists([3, 2]), one_and_two, hits, rank, seen).tolist() == [[1], [0.5]]
    # Of 0, 2, 3: they are 0 and 0, 2.
    assert serendipity(lists([3, 2]), one_and_two, hits, rank, None, csr([[1, 0, 1, 1]])).tolist() == [[1], [0.5]]
    assert serendipity(lists([3, 2]), one_and_two, np.zeros((1, 2)), rank).tolist() == [[0], [0]]


def test_coverage_counts_each_item_once():
    assert coverage(lists([0, 1], [0, -1]), 4) == 0.5


def test_gini_is_zero_for_equal_shares_and_grows_with_concentration():
    assert gini(lists([0, 1], [2, 3]), 4) == 0
    assert gini(lists([0], [0]), 4) == 0.75  # one of four has all: 1 - 1/4
    assert gini(lists([-1]), 4) == 0
