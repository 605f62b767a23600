import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse, stats

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.diagnostics.correlation import (
    ItemFeatures,
    correlations,
    item_features,
    mean_scores,
    pearson,
)


class Fixed:
    def __init__(self, scores_UI):
        self.scores_UI = np.asarray(scores_UI, dtype=np.float32)

    def score(self, query):
        return self.scores_UI[query.user_B]


def features(value_EF, names=None):
    value_EF = np.asarray(value_EF, dtype=np.float64)
    return ItemFeatures(np.ones(len(value_EF), bool), names or [str(f) for f in range(value_EF.shape[1])], value_EF)


def test_each_user_counts_alike_whatever_the_scale():
    # Standardised, (0, 2) is (-1, 1) and (300, 100) is (1, -1); a user without an opinion does not count.
    model = Fixed([[0, 2], [300, 100], [300, 100], [5, 5]])
    history = sparse.csr_array((4, 2), dtype=np.float32)
    told = mean_scores(model, np.arange(4, dtype=np.int32), history, np.ones(2, bool))
    assert told == pytest.approx([1 / 3, -1 / 3])


def test_r_and_p_are_those_of_scipy():
    rng = np.random.default_rng(0)
    score_E, value_EF = rng.standard_normal(50), rng.standard_normal((50, 3))
    for one in correlations(score_E, features(value_EF)):
        expected = stats.pearsonr(score_E, value_EF[:, int(one.feature)])
        assert (one.r, one.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_a_planted_feature_is_found_among_many_and_chance_is_not():
    rng = np.random.default_rng(1)
    value_EF = rng.standard_normal((300, 60))
    value_EF[:, 59] = 1.0
    told = correlations(0.5 * value_EF[:, 7] + rng.standard_normal(300), features(value_EF))
    assert told[0].feature == "7"
    assert [one.feature for one in told if one.corrected_p < 0.05] == ["7"]
    assert sum(one.p < 0.05 for one in told) > 1  # which the correction saw through
    assert len(told) == 59  # a feature that is the same for all items was not asked about


def test_a_feature_that_is_the_score_has_p_0():
    score_E = np.arange(10.0)
    (told,) = correlations(score_E, features(score_E[:, None]))
    assert (told.r, told.p) == (pytest.approx(1), pytest.approx(0, abs=1e-12))


def test_too_few_items_tell_nothing():
    assert correlations(np.array([1.0, 2.0]), features([[1], [2]])) == []


def test_values_whose_squares_vanish_are_correlated_alike():
    score_E, value_E1 = np.arange(5.0), np.array([[1.0], [3.0], [2.0], [5.0], [4.0]])
    assert pearson(score_E * 1e-160, value_E1 * 1e-170) == pytest.approx(pearson(score_E, value_E1), rel=1e-12)


@given(hnp.arrays(float, (7, 2), elements=st.floats(-1e3, 1e3)))
def test_r_lies_between_minus_one_and_one(value_EF):
    (r,) = pearson(value_EF[:, 0], value_EF[:, 1:])
    assert np.isnan(r) or -1 - 1e-9 <= r <= 1 + 1e-9


def test_features_are_numbers_and_frequent_values_of_items_with_events():
    items = Vocabulary.of([f"{item:02}" for item in range(12)])
    events = Interactions(
        np.zeros(11, np.int32),
        np.arange(11, dtype=np.int32),
        np.ones(11, np.float32),
        None,
        Vocabulary.of(["u"]),
        items,
    )
    genres = [["War"]] * 6 + [["Art"]] * 6
    catalogue = pl.DataFrame({"item_id": items.ids, "genres": genres, "year": range(1990, 2002)})
    told = item_features(Dataset(events, catalogue, SourceInfo("tiny")))
    assert told.is_in_I.tolist() == [True] * 11 + [False]
    assert {"year", "genres=war", "genres=art"} <= set(told.names)
    assert told.value_EF[:, told.names.index("genres=war")].tolist() == [1] * 6 + [0] * 5


def test_two_columns_that_say_the_same_are_one_feature():
    items = Vocabulary.of([f"i{number:02}" for number in range(12)])
    item_N = np.arange(12, dtype=np.int32)
    events = Interactions(
        np.zeros(12, np.int32), item_N, np.ones(12, np.float32), item_N.astype(np.int64), Vocabulary.of(["u"]), items
    )
    first = ["ann"] * 6 + ["bob"] * 6
    every = [[name] for name in first[:11]] + [["bob", "ann"]]
    catalogue = pl.DataFrame({"item_id": items.ids, "author": first, "writers": every})
    names = item_features(Dataset(events, catalogue, SourceInfo("tiny"))).names
    # Both columns name the same books of bob; of ann's, the second has one more.
    assert [name for name in names if name.endswith("=bob")] == ["author=bob"]
    assert [name for name in names if name.endswith("=ann")] == ["author=ann", "writers=ann"]
