import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.models.cooccurrence import gram_matrix, nearest_items


def brute_force(weights_UI, neighbors, shrinkage):
    x_UI = weights_UI.toarray().astype(np.float64)
    norm_I = np.sqrt((x_UI**2).sum(axis=0))
    denominator_II = np.outer(norm_I, norm_I) + shrinkage
    similarity_II = np.divide(
        x_UI.T @ x_UI, denominator_II, out=np.zeros_like(denominator_II), where=denominator_II > 0
    ).astype(np.float32)
    np.fill_diagonal(similarity_II, 0)
    for row in similarity_II:
        best = sorted(range(len(row)), key=lambda item: (-row[item], item))[:neighbors]
        row[[item for item in range(len(row)) if item not in best]] = 0
    return similarity_II


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 999), st.integers(1, 20), st.sampled_from([0.0, 2.5]))
def test_nearest_items_are_those_of_brute_force_ties_included(num_users, num_items, seed, neighbors, shrinkage):
    rng = np.random.default_rng(seed)
    weights_UI = sparse.csr_array((rng.random((num_users, num_items)) < 0.4).astype(np.float32))
    found_II = nearest_items(weights_UI, neighbors, shrinkage)
    assert found_II.has_sorted_indices
    np.testing.assert_array_equal(found_II.toarray(), brute_force(weights_UI, neighbors, shrinkage))


def test_cosine_by_hand():
    # x₀ = (1, 1), x₁ = (1, 0): 1 / (√2 · 1 + 1).
    found_II = nearest_items(sparse.csr_array(np.array([[1, 1], [1, 0]], dtype=np.float32)), 1, shrinkage=1.0)
    assert found_II.toarray() == pytest.approx(np.array([[0, 1], [1, 0]]) / (np.sqrt(2) + 1))


def test_gram_matrix():
    rng = np.random.default_rng(0)
    weights_UI = sparse.random_array((30, 12), density=0.3, format="csr", dtype=np.float32, rng=rng)
    gram_II = gram_matrix(weights_UI)
    assert gram_II.dtype == np.float64
    np.testing.assert_allclose(gram_II, weights_UI.toarray().T.astype(np.float64) @ weights_UI.toarray())
    np.testing.assert_array_equal(gram_II, gram_II.T)
