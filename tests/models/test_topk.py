from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.models.topk import queries_per_block, rank


def marked(rows_B, num_items):
    """A matrix with the given items in each row."""
    matrix = sparse.lil_array((len(rows_B), num_items), dtype=np.float32)
    for b, items in enumerate(rows_B):
        matrix[b, sorted(items)] = 1.0
    return matrix.tocsr()


def brute_force(scores_BI, k, exclude, disfavour, eligible_I):
    """Sort every eligible item by score, then by whether it is disfavoured, then by index."""
    lists = []
    for b, scores_I in enumerate(scores_BI):
        items = [i for i in range(len(scores_I)) if eligible_I[i] and i not in exclude[b] and scores_I[i] > -np.inf]
        best = sorted(items, key=lambda i: (-scores_I[i], i in disfavour[b], i))[:k]
        lists.append(best + [-1] * (k - len(best)))
    return np.array(lists)


@st.composite
def rankings(draw):
    num_queries, num_items = draw(st.integers(1, 3)), draw(st.integers(1, 150) | st.integers(150, 700))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    values = np.linspace(-1, 1, levels, dtype=np.float32) if levels > 1 else np.zeros(1, np.float32)
    values = np.append(values, np.float32(-np.inf)) if draw(st.booleans()) else values
    scores_BI = rng.choice(values, (num_queries, num_items))

    def some(share):
        return [set(np.flatnonzero(rng.random(num_items) < share).tolist()) for _ in range(num_queries)]

    exclude = some(draw(st.sampled_from([0, 0.3, 1])))
    disfavour = some(draw(st.sampled_from([0, 0.3, 1])))
    eligible_I = rng.random(num_items) < draw(st.sampled_from([0.2, 1.1]))
    return scores_BI, draw(st.integers(1, 70) | st.integers(1, 2 * num_items)), exclude, disfavour, eligible_I


@settings(max_examples=300, deadline=None)
@given(rankings())
def test_rank_is_the_full_sort_with_ties_exclusions_and_more_slots_than_items(ranking):
    scores_BI, k, exclude, disfavour, eligible_I = ranking
    num_items = scores_BI.shape[1]
    top = rank(
        scores_BI,
        k,
        exclude_BI=marked(exclude, num_items),
        eligible_I=eligible_I,
        disfavour_BI=marked(disfavour, num_items),
    )
    np.testing.assert_array_equal(top.item_BK, brute_force(scores_BI, k, exclude, disfavour, eligible_I))
    is_filled_BK = top.item_BK >= 0
    expected_BK = np.take_along_axis(scores_BI, np.maximum(top.item_BK, 0), axis=1)
    np.testing.assert_array_equal(top.score_BK, np.where(is_filled_BK, expected_BK, -np.inf))
    assert (top.item_BK.dtype, top.score_BK.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("k", [1, 2, 20, 64, 65])
def test_no_more_items_than_slots_may_reach_the_bar(k):
    # Of equal distance: the best k are of k groups, so that the bar is the score of the last of them.
    rising_I = np.arange(200, dtype=np.float32)
    top = rank(np.stack([rising_I, rising_I[::-1]]), k)
    assert top.item_BK.tolist() == [list(range(199, 199 - k, -1)), list(range(k))]


@settings(max_examples=50, deadline=None)
@given(rankings())
def test_a_query_alone_gets_the_list_that_it_gets_in_a_batch(ranking):
    scores_BI, k, exclude, disfavour, eligible_I = ranking
    num_items = scores_BI.shape[1]
    marks = {"exclude_BI": marked(exclude, num_items), "disfavour_BI": marked(disfavour, num_items)}
    together = rank(scores_BI, k, eligible_I=eligible_I, **marks)
    for b in range(len(scores_BI)):
        alone = rank(scores_BI[[b]], k, eligible_I=eligible_I, **{name: mark[[b]] for name, mark in marks.items()})
        np.testing.assert_array_equal(alone.item_BK[0], together.item_BK[b])


def test_among_equal_scores_the_hoped_for_item_comes_last():
    scores_BI = np.zeros((1, 4), dtype=np.float32)
    assert rank(scores_BI, 4).item_BK.tolist() == [[0, 1, 2, 3]]
    assert rank(scores_BI, 4, disfavour_BI=marked([{0, 2}], 4)).item_BK.tolist() == [[1, 3, 0, 2]]


@pytest.mark.parametrize("num_queries", [1, 3])
def test_scores_that_rows_share_and_nobody_may_write_are_ranked(num_queries):
    shared_BI = np.broadcast_to(np.array([1, 3, 2], dtype=np.float32), (num_queries, 3))
    assert rank(shared_BI, 2).item_BK.tolist() == [[1, 2]] * num_queries


@pytest.mark.parametrize(
    ("num_items", "free_bytes", "expected"),
    [
        (100, 2**40, 2621),  # a small catalogue: 1 MiB of scores
        (4_000, 2**40, 256),  # as many as gain speed
        (40_000, 2**40, 78),  # 12 MiB of scores
        (4_000_000, 2**40, 16),  # a large catalogue: still a few at a time
        (40_000, 16 * 160_000 * 5, 5),  # scarce memory: a sixteenth of it
        (40_000, 0, 1),
    ],
)
def test_a_block_of_queries_fits_the_memory_that_is_free(num_items, free_bytes, expected, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free_bytes))
    assert queries_per_block(num_items) == expected
