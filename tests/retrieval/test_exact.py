import numpy as np
import pytest

from foretaste.retrieval.exact import ExactCosine, unit_rows


def test_cosine_by_hand():
    vectors_ID = np.array([[3, 4], [6, 8], [-4, 3], [0, 0], [1, 0]], dtype=np.float32)
    scores_BI = ExactCosine(vectors_ID).scores([0, 3])
    assert scores_BI[0] == pytest.approx([1, 1, 0, 0, 0.6], abs=1e-6)
    assert scores_BI[1].tolist() == [0] * 5


def test_a_zero_row_stays_zero():
    assert unit_rows(np.array([[0, 0], [0, 2]], dtype=np.float32)).tolist() == [[0, 0], [0, 1]]
