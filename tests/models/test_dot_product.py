import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.models.dot_product import dot_scores


def vectors(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 130), st.integers(0, 999))
def test_scores_are_the_product_and_equal_to_the_bit_in_any_batch(num_queries, num_items, dim, seed):
    user_BD, item_DI = vectors(seed, num_queries, dim), vectors(seed + 1, dim, num_items)
    scores_BI = dot_scores(user_BD, item_DI)
    np.testing.assert_allclose(scores_BI, user_BD.astype(np.float64) @ item_DI, rtol=1e-4, atol=1e-4)
    for start in range(num_queries):
        for stop in range(start + 1, num_queries + 1):
            np.testing.assert_array_equal(dot_scores(user_BD[start:stop], item_DI), scores_BI[start:stop])


@pytest.mark.parametrize("num_items", [1023, 1024, 1025, 3000])
def test_tiles_join_without_a_seam(num_items):
    user_BD, item_DI = vectors(0, 5, 6), vectors(1, 6, num_items)
    scores_BI = dot_scores(user_BD, item_DI)
    for item in (0, 1022, num_items - 1):
        alone_BI = dot_scores(user_BD, np.ascontiguousarray(item_DI[:, [item]]))
        np.testing.assert_array_equal(alone_BI[:, 0], scores_BI[:, item])


def test_the_number_of_threads_changes_no_bit():
    user_BD, item_DI = vectors(0, 7, 64), vectors(1, 64, 5000)
    most, results = numba.get_num_threads(), []
    for threads in (1, most):
        numba.set_num_threads(threads)
        results.append(dot_scores(user_BD, item_DI))
    numba.set_num_threads(most)
    np.testing.assert_array_equal(*results)


def test_vectors_without_a_dimension_have_products_of_zero():
    scores_BI = dot_scores(np.zeros((5, 0), np.float32), np.zeros((0, 200), np.float32))
    np.testing.assert_array_equal(scores_BI, np.zeros((5, 200)))


def test_users_need_not_be_contiguous():
    user_BD, item_DI = vectors(0, 8, 4), vectors(1, 4, 10)
    np.testing.assert_array_equal(dot_scores(user_BD[::2], item_DI), dot_scores(user_BD, item_DI)[::2])


@pytest.mark.parametrize(
    ("user_BD", "item_DI"),
    [(np.zeros((1, 2)), np.zeros((2, 3), np.float32)), (np.zeros((1, 2), np.float32), np.zeros((3, 2), np.float32).T)],
    ids=["double precision", "not transposed"],
)
def test_other_types_and_layouts_are_refused(user_BD, item_DI):
    with pytest.raises(AssertionError):
        dot_scores(user_BD, item_DI)
