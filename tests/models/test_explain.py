import numpy as np
from scipy import sparse

from foretaste.models.explain import closest_in_history, contributions
from foretaste.models.protocol import Query


class ByWeights:
    """Scores of an item-item matrix."""

    def __init__(self, weights_II):
        self.weights_II = np.asarray(weights_II, dtype=np.float32)

    def score(self, query):
        return query.history_BI @ self.weights_II


def test_the_reason_is_the_item_that_alone_scores_highest():
    weights = sparse.lil_array((4, 4))
    weights[0, 2], weights[1, 2], weights[1, 3] = 0.5, 0.9, 0.1
    model = ByWeights(weights.toarray())
    history, items = np.array([0, 1], dtype=np.int32), np.array([2, 3], dtype=np.int32)
    assert closest_in_history(model, history, items, num_items=4).tolist() == [1, 1]
    assert closest_in_history(model, history[:1], items, num_items=4).tolist() == [0, 0]


def test_contributions_are_what_the_score_would_lose():
    model = ByWeights([[0, 0, 0.5], [0, 0, -0.25], [0, 0, 0]])
    history = sparse.csr_array(np.array([[2, 1, 0]], dtype=np.float32))
    score, contribution_H = contributions(model, Query.of_history(history), item=2)
    assert score == 0.75
    assert contribution_H.tolist() == [1.0, -0.25]
