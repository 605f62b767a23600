import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.models.least_squares import principal_axes, solve_rows, turned


def solve_directly(events_BN, vectors_ND, variance_D, ridge_B):
    x_BD = np.zeros((events_BN.shape[0], vectors_ND.shape[1]))
    y_ND = vectors_ND.astype(np.float64)
    for b, weight_N in enumerate(events_BN.toarray().astype(np.float64)):
        matrix_DD = np.diag(variance_D + ridge_B[b]) + y_ND.T @ (weight_N[:, None] * y_ND)
        x_BD[b] = np.linalg.solve(matrix_DD, y_ND.T @ weight_N)
    return x_BD


def problem(num_rows, num_vectors, dim, seed=0):
    rng = np.random.default_rng(seed)
    events_BN = sparse.random_array((num_rows, num_vectors), density=0.3, format="csr", dtype=np.float32, rng=rng)
    events_BN.data += 0.5
    vectors_ND = rng.standard_normal((num_vectors, dim), dtype=np.float32)
    return events_BN, vectors_ND, rng.random(dim, dtype=np.float32), 0.5 + rng.random(num_rows, dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 30), st.integers(1, 21), st.integers(0, 999))
def test_enough_steps_reach_the_direct_solution_and_rows_stand_alone(num_rows, num_vectors, dim, seed):
    events_BN, vectors_ND, variance_D, ridge_B = problem(num_rows, num_vectors, dim, seed)
    x_BD = np.zeros((num_rows, dim), dtype=np.float32)
    solve_rows(events_BN, vectors_ND, variance_D, ridge_B, x_BD, steps=100, tolerance=1e-6)
    expected_BD = solve_directly(events_BN, vectors_ND, variance_D, ridge_B)
    np.testing.assert_allclose(x_BD, expected_BD, atol=2e-4)
    for b in range(num_rows):
        alone_BD = np.zeros((1, dim), dtype=np.float32)
        solve_rows(events_BN[[b]], vectors_ND, variance_D, ridge_B[[b]], alone_BD, steps=100, tolerance=1e-6)
        np.testing.assert_array_equal(alone_BD[0], x_BD[b])


def test_a_step_from_a_good_start_comes_closer_than_one_from_zero():
    events_BN, vectors_ND, variance_D, ridge_B = problem(20, 50, 16)
    exact_BD = solve_directly(events_BN, vectors_ND, variance_D, ridge_B)
    cold_BD = np.zeros((20, 16), dtype=np.float32)
    warm_BD = (exact_BD * 1.05).astype(np.float32)
    for start_BD in (cold_BD, warm_BD):
        solve_rows(events_BN, vectors_ND, variance_D, ridge_B, start_BD, steps=1)
    assert np.linalg.norm(warm_BD - exact_BD) < 0.1 * np.linalg.norm(cold_BD - exact_BD)


def test_a_row_without_events_becomes_zero():
    _, vectors_ND, variance_D, _ = problem(1, 5, 4)
    x_BD = np.ones((2, 4), dtype=np.float32)
    solve_rows(
        sparse.csr_array((2, 5), dtype=np.float32), vectors_ND, variance_D, np.ones(2, np.float32), x_BD, steps=3
    )
    assert not x_BD.any()


def test_a_ridge_that_outweighs_everything_ends_at_zero_and_not_in_a_quotient_of_nothing():
    events_BN, vectors_ND, variance_D, _ = problem(3, 10, 4)
    x_BD = np.zeros((3, 4), dtype=np.float32)
    for tiny in (1e-20, 0.0):
        solve_rows(events_BN, np.float32(tiny) * vectors_ND, variance_D, np.full(3, 1e6, np.float32), x_BD, steps=50)
        assert np.abs(x_BD).max() < 1e-20


@pytest.mark.parametrize(("num_vectors", "dim"), [(1, 1), (3, 5), (700, 6), (1537, 16)])
def test_principal_axes_make_the_gram_matrix_diagonal_widest_first(num_vectors, dim):
    rng = np.random.default_rng(0)
    vectors_ND = (rng.standard_normal((num_vectors, dim)) @ rng.standard_normal((dim, dim))).astype(np.float32)
    axes_DD, energy_D = principal_axes(vectors_ND)
    np.testing.assert_allclose(axes_DD.T @ axes_DD, np.eye(dim), atol=1e-5)
    turned_ND = turned(vectors_ND, axes_DD)
    np.testing.assert_allclose(turned_ND, vectors_ND @ axes_DD, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(turned_ND.T @ turned_ND, np.diag(energy_D), atol=1e-5 * energy_D[0])
    assert (np.diff(energy_D) <= 0).all()
    assert (energy_D >= 0).all()


def test_the_number_of_threads_changes_no_bit():
    events_BN, vectors_ND, variance_D, ridge_B = problem(40, 1200, 24)
    results = []
    most = numba.get_num_threads()
    for threads in (1, most):
        numba.set_num_threads(threads)
        axes_DD, energy_D = principal_axes(vectors_ND)
        x_BD = np.zeros((40, 24), dtype=np.float32)
        solve_rows(events_BN, turned(vectors_ND, axes_DD), variance_D, ridge_B, x_BD, steps=3)
        results.append((axes_DD, energy_D, x_BD))
    numba.set_num_threads(most)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
