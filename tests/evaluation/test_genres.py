"""Each figure by hand; `test_agreement.py` has them on random lists."""

import numpy as np
import pytest
from scipy import sparse

from foretaste.evaluation.genres import calibration, diversity, genre_shares, tastes


def csr(rows):
    return sparse.csr_array(np.array(rows, dtype=np.float32))


def lists(*rows):
    return np.array(rows, dtype=np.int32)


GENRES = csr([[1, 0], [0, 1], [1, 1], [0, 0]])
"""Item 0 is a comedy, 1 a drama, 2 both, of 3 nothing is known."""


def test_diversity_is_one_minus_the_cosine_of_genres():
    found = diversity(lists([0, 1, 0], [0, 0, 1], [0, 2, 2]), [1, 2, 3], GENRES)
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([1, 0, 1 - 1 / np.sqrt(2)])
    assert found[2] == pytest.approx([2 / 3, 2 / 3, 2 / 3 * (1 - 1 / np.sqrt(2))])


def test_diversity_leaves_out_what_is_not_described():
    assert diversity(lists([0, 3, 1], [0, 3, -1]), [3], GENRES)[0] == pytest.approx([1, np.nan], nan_ok=True)


def test_calibration_is_zero_for_the_genres_of_the_history_and_large_for_others():
    shares = genre_shares(GENRES)
    assert shares.toarray()[2].tolist() == [0.5, 0.5]
    taste = tastes(csr([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]), shares)
    found = calibration(lists([2, 3], [1, 0], [0, 1], [3, -1]), [1, 2], taste, shares)
    # Half and half is met by one film that is both; comedy alone is missed by a drama; of the others nothing is known.
    assert found[0] == pytest.approx([0, np.log(1 / 0.01), np.nan, np.nan], nan_ok=True, abs=1e-6)
    # A comedy after the drama: half of the list.
    half = np.log(1 / (0.99 / 2 + 0.01))
    assert found[1] == pytest.approx([0, half, np.nan, np.nan], nan_ok=True, abs=1e-6)


@pytest.mark.parametrize("num_genres", [3, 200])
def test_tastes_add_up_the_genres_of_weighted_events(num_genres):
    rng = np.random.default_rng(0)
    history, genres = rng.random((5, 20)) * (rng.random((5, 20)) < 0.5), rng.random((20, num_genres)) < 0.1
    shares = genre_shares(csr(genres))
    assert tastes(csr(history), shares).toarray() == pytest.approx(history @ shares.toarray(), abs=1e-6)
