import numpy as np
from scipy import sparse

from foretaste.models.cold_start import score_or_popularity
from foretaste.models.protocol import Query

POPULARITY = np.array([3, 1, 2], dtype=np.float64)


class Ones:
    def score(self, query):
        return np.ones((len(query), 3), dtype=np.float32)


def query(*history_BI):
    return Query.of_history(sparse.csr_array(np.array(history_BI, dtype=np.float32)))


def test_only_cold_users_get_popularity():
    scores_BI, is_fallback_B = score_or_popularity(Ones(), query([0, 0, 0], [0, 1, 0]), POPULARITY)
    assert scores_BI.tolist() == [[3, 1, 2], [1, 1, 1]]
    assert is_fallback_B.tolist() == [True, False]
    assert scores_BI.dtype == np.float32


def test_without_cold_users_the_scores_are_the_models_own():
    scores_BI, is_fallback_B = score_or_popularity(Ones(), query([1, 0, 0]), POPULARITY)
    assert scores_BI.tolist() == [[1, 1, 1]]
    assert not is_fallback_B.any()
