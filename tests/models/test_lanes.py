import numba
import numpy as np

from foretaste.models.lanes import LANES, at_least, count_ones, keep_highest, lowest_one


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


@numba.njit
def highest(value_WL, left_out_W):
    best_L = np.full(value_WL.shape[1], -np.inf, dtype=np.float32)
    for word in range(len(value_WL)):
        keep_highest(best_L.ctypes.data, value_WL[word].ctypes.data, left_out_W[word])
    return best_L


def test_the_highest_of_each_place_is_kept_but_what_is_left_out():
    rng = np.random.default_rng(0)
    value_WL = rng.standard_normal((5, LANES)).astype(np.float32)
    value_WL[2, 3] = np.nan
    is_left_out_WL = rng.random((5, LANES)) < 0.6
    is_left_out_WL[2] = False
    is_left_out_WL[:, -1] = True
    left_out_W = np.packbits(is_left_out_WL, axis=1, bitorder="little").view("<u8").astype(np.uint64)[:, 0]
    expected_L = np.where(is_left_out_WL | np.isnan(value_WL), -np.inf, value_WL).max(axis=0)
    np.testing.assert_array_equal(highest(value_WL, left_out_W), expected_L)


def test_ones_are_counted():
    count = numba.njit(lambda word: count_ones(word))
    assert [count(np.uint64(word)) for word in (0, 1, 0b1011, 2**64 - 1)] == [0, 1, 3, 64]
