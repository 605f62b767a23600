import numba
import numpy as np

from foretaste.models.lanes import LANES, at_least, lowest_one


@numba.njit
def places_at_least(value_L, threshold):
    word, places = at_least(value_L.ctypes.data, threshold), [np.int64(0) for _ in range(0)]
    while word != 0:
        places.append(lowest_one(word))
        word &= word - np.uint64(1)
    return places


def test_a_word_names_the_places_of_the_values_that_reach_a_threshold():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.5, 1.0):
        value_L = rng.choice(np.array([-np.inf, -1.0, 0.0, 2.0], dtype=np.float32), LANES)
        threshold = np.float32(np.quantile(value_L, 1 - share, method="higher")) if share else np.float32(3.0)
        assert list(places_at_least(value_L, threshold)) == np.flatnonzero(value_L >= threshold).tolist()


def test_the_first_and_the_last_place_are_named():
    value_L = np.zeros(LANES, dtype=np.float32)
    value_L[[0, LANES - 1]] = 1.0
    assert list(places_at_least(value_L, np.float32(1.0))) == [0, LANES - 1]
