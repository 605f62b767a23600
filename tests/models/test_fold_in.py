import numpy as np
import pytest
from scipy import sparse

from foretaste.models.fold_in import Objective, solve_users, stored_or_folded_in
from foretaste.models.protocol import Query


def test_the_ridge_grows_with_events_and_unobserved_pairs():
    events_BN = sparse.csr_array(np.array([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=np.float32))
    # λ (|S| + α₀ N)^ν with α₀ ½, λ 2, ν 2, N 4.
    assert Objective(0.5, 2.0, 2.0).ridges(events_BN).tolist() == [2 * 16, 2 * 4]
    assert Objective(0.5, 3.0, 0.0).ridges(events_BN).tolist() == [3, 3]


def test_one_dimension_by_hand():
    # y = (1, 2), the first item met with weight 3: x = w y / (w y² + α₀ (1 + 4) + λ (1 + 2 α₀)) = 3 / (3 + .5 + .6).
    vector_BD = solve_users(
        sparse.csr_array(np.array([[3.0, 0.0]], dtype=np.float32)),
        np.array([[1.0], [2.0]], dtype=np.float32),
        energy_D=np.array([5.0], dtype=np.float32),
        objective=Objective(unobserved_weight=0.1, regularization=0.5, regularization_exponent=1.0),
    )
    assert vector_BD == pytest.approx(np.array([[3 / 4.1]]))
    assert vector_BD.dtype == np.float32


def test_known_users_keep_their_vector_and_others_are_folded_in():
    folded = []

    def fold_in(history_BI):
        folded.append(history_BI.toarray().tolist())
        return np.full((history_BI.shape[0], 2), 9, dtype=np.float32)

    stored_UD = np.array([[1, 2], [3, 4]], dtype=np.float32)
    history_BI = sparse.csr_array(np.eye(3, dtype=np.float32))
    query = Query(np.array([1, -1, 0], dtype=np.int32), history_BI)
    assert stored_or_folded_in(query, stored_UD, fold_in).tolist() == [[3, 4], [9, 9], [1, 2]]
    assert folded == [[[0, 1, 0]]]
    known = Query(np.array([0], dtype=np.int32), history_BI[[0]])
    assert stored_or_folded_in(known, stored_UD, fold_in).tolist() == [[1, 2]]
    assert len(folded) == 1
