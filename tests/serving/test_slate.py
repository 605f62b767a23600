import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.serving.slate import best_items


def test_popular_items_follow_where_the_model_has_no_score():
    scores_I = np.array([0.5, -np.inf, -np.inf, 0.9, -np.inf], dtype=np.float32)
    popularity_I = np.array([9, 1, 3, 2, 8], dtype=np.float32)
    slate = best_items(scores_I, popularity_I, 4, eligible_I=np.array([1, 1, 1, 1, 0], dtype=bool))
    assert slate.item_K.tolist() == [3, 0, 2, 1]
    assert slate.score_K.tolist() == pytest.approx([0.9, 0.5, 3, 1])
    assert slate.num_scored == 2


def test_among_equal_scores_the_more_popular_comes_first():
    scores_I = np.array([0, 0, 1, 0, 1], dtype=np.float32)
    slate = best_items(scores_I, np.array([1, 5, 2, 9, 7], dtype=np.float32), 4)
    assert slate.item_K.tolist() == [4, 2, 3, 1]
    assert slate.num_scored == 4


def brute_force(scores_I, popularity_I, k, eligible_I):
    may_come = [i for i in range(len(scores_I)) if eligible_I[i]]
    scored = sorted((i for i in may_come if scores_I[i] > -np.inf), key=lambda i: (-scores_I[i], -popularity_I[i], i))
    rest = sorted((i for i in may_come if scores_I[i] == -np.inf), key=lambda i: (-popularity_I[i], i))
    return (scored + rest)[:k]


@given(
    items=st.lists(
        st.tuples(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), st.integers(0, 3), st.booleans(), st.booleans()),
        min_size=1,
        max_size=150,
    ),
    k=st.integers(1, 200),
)
def test_as_by_brute_force(items, k):
    scores, popularity, excluded, eligible = map(np.array, zip(*items, strict=True))
    k = min(k, len(items))
    slate = best_items(
        scores.astype(np.float32),
        popularity.astype(np.float32),
        k,
        eligible_I=eligible & ~excluded,
    )
    assert slate.item_K.tolist() == brute_force(scores, popularity, k, eligible & ~excluded)
