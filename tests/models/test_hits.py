"""Each metric by hand: one list of three slots with hits in the first and the third, four items relevant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from foretaste.models.hits import average_precision, hit_rate, hits, mrr, ndcg, precision, recall

HITS, RELEVANT = [[1, 0, 1]], [4]


def test_hits_are_the_relevant_items_and_never_an_empty_slot():
    relevant_BI = sparse.csr_array(np.array([[1, 0, 0, 1], [0, 0, 0, 0]], dtype=np.float32))
    item_BK = np.array([[3, 2, 0], [1, 3, -1]], dtype=np.int32)
    assert hits(item_BK, relevant_BI).tolist() == [[1, 0, 1], [0, 0, 0]]


def test_recall_counts_the_relevant_items_outside_the_list():
    assert recall(HITS, RELEVANT).tolist() == [2 / 4]


def test_precision_counts_the_slots():
    assert precision(HITS, RELEVANT) == pytest.approx([2 / 3])


def test_hit_rate_asks_for_any():
    assert hit_rate([[1, 0, 1], [0, 0, 0]], [4, 4]).tolist() == [1, 0]


def test_mrr_looks_at_the_first_hit():
    assert mrr([[1, 0, 1], [0, 0, 1], [0, 0, 0]], [4, 1, 1]) == pytest.approx([1, 1 / 3, 0])


def test_average_precision_is_over_the_hits_that_were_possible():
    # Precision 1 at the first hit and 2/3 at the second, of three slots that four relevant items could fill.
    assert average_precision(HITS, RELEVANT) == pytest.approx([(1 + 2 / 3) / 3])


def test_ndcg_rewards_the_first_slot():
    # DCG 1 + 1/log2(4); the ideal list has three hits.
    assert ndcg(HITS, RELEVANT) == pytest.approx([(1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2)])


def test_ndcg_of_two_relevant_items_with_one_found_first():
    assert ndcg([[1, 0, 0]], [2]) == pytest.approx([1 / (1 + 1 / np.log2(3))])


hit_lists = arrays.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.integers(0, 1))


METRICS = [recall, precision, hit_rate, mrr, average_precision, ndcg]


@pytest.mark.parametrize("metric", METRICS)
@given(hits=hit_lists, extra=st.integers(0, 3))
def test_every_metric_is_a_share_and_perfect_lists_are_perfect(metric, hits, extra):
    num_relevant = np.maximum(hits.sum(axis=1), 1) + extra
    values = metric(hits, num_relevant)
    assert values.shape == (len(hits),)
    assert np.all((values >= 0) & (values <= 1 + 1e-12))
    perfect = metric(np.ones_like(hits), np.full(len(hits), hits.shape[1]))
    assert perfect == pytest.approx(np.ones(len(hits)))
