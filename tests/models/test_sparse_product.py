import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.models.sparse_product import dense_product, sparse_product


def random_csr(rng, rows, columns, density):
    return sparse.random_array((rows, columns), density=density, format="csr", dtype=np.float32, rng=rng)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(0, 10_000), st.floats(0, 0.9))


@settings(max_examples=50, deadline=None)
@given(shapes)
def test_both_products_are_the_product_and_rows_stand_alone(shape):
    num_queries, num_items, seed, density = shape
    rng = np.random.default_rng(seed)
    history_BI = random_csr(rng, num_queries, num_items, density)
    matrix_II = random_csr(rng, num_items, num_items, 0.4)
    expected_BI = history_BI.toarray().astype(np.float64) @ matrix_II.toarray()
    for product, matrix in ((dense_product, matrix_II.toarray()), (sparse_product, matrix_II)):
        scores_BI = product(history_BI, matrix)
        assert scores_BI.dtype == np.float32
        np.testing.assert_allclose(scores_BI, expected_BI, rtol=1e-5, atol=1e-5)
        alone_BI = np.concatenate([product(history_BI[[b]], matrix) for b in range(num_queries)])
        np.testing.assert_array_equal(scores_BI, alone_BI)


def test_a_catalogue_wider_than_a_tile():
    rng = np.random.default_rng(0)
    history_BI = random_csr(rng, 3, 7, 0.8)
    matrix_II = rng.standard_normal((7, 5000), dtype=np.float32)
    scores_BI = dense_product(history_BI, matrix_II)
    np.testing.assert_allclose(scores_BI, history_BI @ matrix_II, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(dense_product(history_BI[[1]], matrix_II)[0], scores_BI[1])


def test_a_read_only_matrix_gives_the_same_bits():
    rng = np.random.default_rng(0)
    history_BI = random_csr(rng, 3, 20, 0.5)
    matrix_II = rng.standard_normal((20, 20), dtype=np.float32)
    frozen_II = matrix_II.copy()
    frozen_II.flags.writeable = False
    np.testing.assert_array_equal(dense_product(history_BI, frozen_II), dense_product(history_BI, matrix_II))
