import numpy as np
import psutil
import pytest
from scipy import sparse

from foretaste.errors import ModelError
from foretaste.models.ease import EASE, EASEConfig, item_weights
from foretaste.models.protocol import FitContext, Query


def test_the_closed_form_by_hand():
    # G + λI = [[2, 1], [1, 3]], P = [[3, -1], [-1, 2]] / 5: B₀₁ = 1/2, B₁₀ = 1/3.
    weights_II = item_weights(np.array([[1.0, 1.0], [1.0, 2.0]]), regularization=1.0)
    np.testing.assert_allclose(weights_II, [[0, 1 / 2], [1 / 3, 0]], rtol=1e-6)
    assert weights_II.dtype == np.float32


@pytest.mark.parametrize("num_items", [1, 7, 1100])
def test_blocks_join_to_the_formula(num_items):
    rng = np.random.default_rng(0)
    x_UI = (rng.random((50, num_items)) < 0.2).astype(np.float64)
    gram_II = x_UI.T @ x_UI
    inverse_II = np.linalg.inv(gram_II + 5 * np.eye(num_items))
    expected_II = -inverse_II / np.diag(inverse_II)
    np.fill_diagonal(expected_II, 0)
    np.testing.assert_allclose(item_weights(gram_II, 5.0), expected_II, atol=1e-6)


def test_it_minimises_its_objective(dataset_of):
    rng = np.random.default_rng(1)
    x_UI = (rng.random((30, 6)) < 0.4).astype(np.float32)
    weights_II = EASE(EASEConfig(regularization=2)).fit(dataset_of(x_UI), FitContext()).weights_II.astype(np.float64)

    def objective(candidate_II):
        return ((x_UI - x_UI @ candidate_II) ** 2).sum() + 2 * (candidate_II**2).sum()

    for _ in range(20):
        change_II = 0.01 * rng.standard_normal((6, 6))
        np.fill_diagonal(change_II, 0)
        assert objective(weights_II + change_II) > objective(weights_II)


def test_scores_are_the_weighted_history_times_the_weights(dataset_of):
    model = EASE(EASEConfig(regularization=1)).fit(dataset_of([[1, 1], [0, 1]]), FitContext())
    scores_BI = model.score(Query.of_history(sparse.csr_array(np.array([[0, 3.0]], dtype=np.float32))))
    assert scores_BI[0] == pytest.approx([3 * model.weights_II[1, 0], 0])


def test_a_catalogue_beyond_memory_is_refused_before_computing(dataset_of, monkeypatch):
    memory = psutil.virtual_memory()._replace(available=12 * 3**2 - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    EASE().fit(dataset_of([[1, 1]]), FitContext())
    with pytest.raises(ModelError, match=r"3 items need .* take item_knn or als, or keep fewer items"):
        EASE().fit(dataset_of([[1, 1, 1]]), FitContext())
