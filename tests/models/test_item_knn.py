import numpy as np
import pytest
from scipy import sparse

from foretaste.models.item_knn import ItemKNN, ItemKNNConfig, inverse_user_frequency
from foretaste.models.protocol import FitContext, Query


def test_scores_by_hand(dataset_of):
    dataset = dataset_of([[1, 1, 0], [1, 0, 1], [0, 1, 0]])
    model = ItemKNN(ItemKNNConfig(shrinkage=0, user_weighting="none")).fit(dataset, FitContext())
    # Columns (1,1,0), (1,0,1), (0,1,0): cosines 1/2, 1/√2, 0.
    scores_BI = model.score(Query.of_history(sparse.csr_array(np.array([[0, 2, 1]], dtype=np.float32))))
    assert scores_BI[0] == pytest.approx([2 * 0.5 + 1 / np.sqrt(2), 0, 0])


def test_an_item_hears_only_its_nearest_neighbours(dataset_of):
    dataset = dataset_of([[1, 1, 1], [1, 1, 0], [1, 1, 0], [0, 0, 1]])
    model = ItemKNN(ItemKNNConfig(neighbors=1, shrinkage=0, user_weighting="none")).fit(dataset, FitContext())
    # Item 2 is as near to 0 as to 1 and keeps the lower; 0 and 1 keep each other and do not hear of 2.
    scores_BI = model.score(Query.of_history(sparse.eye_array(3, dtype=np.float32, format="csr")))
    assert (scores_BI > 0).tolist() == [[False, True, True], [True, False, False], [False, False, False]]


def test_a_user_of_few_events_says_more():
    weights_UI = sparse.csr_array(np.array([[1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=np.float32))
    weighted_UI = inverse_user_frequency(weights_UI)
    assert weighted_UI.dtype == np.float32
    assert weighted_UI.toarray()[:, 0] == pytest.approx([np.log(5), np.log(2), 0])


def test_weighting_changes_the_neighbours(dataset_of):
    # Items 0 and 1 share a user of two events, items 0 and 2 a user of five.
    dataset = dataset_of([[1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1]])
    similarity_II = ItemKNN(ItemKNNConfig(shrinkage=0)).fit(dataset, FitContext()).similarity_II.toarray()
    assert similarity_II[0, 1] > similarity_II[0, 2] > 0
