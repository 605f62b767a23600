from datetime import date

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from foretaste.data.features.encoders import CategoryEncoder, NumberEncoder, TextEncoder, text_shape, word_ngrams

CATEGORY = {"separator": None, "top_k": 9, "hash_buckets": 0, "min_rows": 1, "embed_above": 2}


def test_z_scores_by_hand():
    # Mean 4; squared distances 4, 0, 4: standard deviation √(8/3).
    encoder = NumberEncoder.fit("price", pl.Series([2.0, 4.0, 6.0]))
    table = encoder.encode(pl.Series([2, 4, 8]))
    assert [column.name for column in table.columns] == ["price"]
    assert_allclose(table.dense_XF[:, 0], [-2 / np.sqrt(8 / 3), 0, 4 / np.sqrt(8 / 3)], rtol=1e-6)


def test_what_is_missing_stands_at_the_mean_and_is_flagged():
    encoder = NumberEncoder.fit("price", pl.Series([1.0, None, 3.0, float("nan")]))
    table = encoder.encode(pl.Series([None, 1.0, float("inf")]))
    assert [column.name for column in table.columns] == ["price", "price is missing"]
    assert table.dense_XF.tolist() == [[0, 1], [-1, 0], [0, 1]]


def test_a_flag_that_training_never_raised_is_no_column():
    encoder = NumberEncoder.fit("price", pl.Series([1.0, 3.0]))
    assert encoder.encode(pl.Series([None], dtype=pl.Float64)).dense_XF.tolist() == [[0]]


@pytest.mark.parametrize("values", [[0.1, 0.1, 0.1], [None, None], []])
def test_columns_without_spread_are_zero(values):
    encoder = NumberEncoder.fit("price", pl.Series(values, dtype=pl.Float64))
    assert encoder.encode(pl.Series([0.1, 7.0])).dense_XF[:, 0].tolist() == [0, 0]


def test_a_mistyped_number_is_cut():
    encoder = NumberEncoder.fit("price", pl.Series([1.0, 3.0]))
    assert encoder.encode(pl.Series([1e9, -1e9])).dense_XF[:, 0].tolist() == [10, -10]


def test_dates_truth_values_and_text_that_is_no_number():
    days = NumberEncoder.fit("released", pl.Series([date(2020, 1, 1), date(2020, 1, 3)]))
    assert days.encode(pl.Series([date(2020, 1, 2), None])).dense_XF[:, 0].tolist() == [0, 0]
    assert NumberEncoder.fit("is_new", pl.Series([True, False])).mean == 0.5
    assert days.encode(pl.Series(["yesterday"])).dense_XF.tolist() == [[0]]


def test_narrow_categories_are_a_multi_hot():
    values = pl.Series([["War", "Drama"], ["Drama"], None])
    table = CategoryEncoder.fit("genres", values, **CATEGORY).encode(values)
    assert [column.name for column in table.columns] == ["genres=drama", "genres=war"]
    assert table.dense_XF.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert table.bags == {}


def test_wide_categories_are_a_bag_whose_rows_sum_to_one():
    values = pl.Series(["a,b", "c", "a", None])
    table = CategoryEncoder.fit("author", values, **CATEGORY | {"separator": ","}).encode(values)
    assert table.columns == ()
    assert table.bags["author"].toarray().tolist() == [[0.5, 0.5, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_the_shape_of_a_text():
    shape = text_shape(pl.Series(["Die Hard 2", None]))
    # 3 words, 10 characters with spaces, 8 in words; 2 capitals, 1 digit.
    assert shape.row(0) == (3, 10, pytest.approx(8 / 3), pytest.approx(0.2), pytest.approx(0.1))
    assert shape.row(1) == (None,) * 5


def test_ngrams_of_words():
    ngrams = word_ngrams(pl.Series(["The Dark, Dark Night", "Alien", "", None]), longest=3)
    assert ngrams.to_list() == [
        ["the", "dark", "dark", "night", "the dark", "dark dark", "dark night", "the dark dark", "dark dark night"],
        ["alien"],
        [],
        None,
    ]


def test_text_becomes_shape_and_hashed_ngrams():
    titles = pl.Series(["star wars", "star trek", "alien", None])
    encoder = TextEncoder.fit("title", titles, ngram_words=2, ngram_buckets=1000, min_rows=2)
    table = encoder.encode(titles)
    assert [column.name for column in table.columns][:3] == [
        "title words",
        "title words is missing",
        "title characters",
    ]
    assert {column.kind for column in table.columns} == {"text", "missing"}
    bag = table.bags["title"]
    assert np.diff(bag.indptr).tolist() == [1, 1, 0, 0]  # only "star" is in two titles
    assert bag[[0]].indices == bag[[1]].indices


def test_no_buckets_no_bag():
    encoder = TextEncoder.fit("title", pl.Series(["star", "star"]), ngram_words=1, ngram_buckets=0, min_rows=1)
    assert encoder.encode(pl.Series(["star"])).bags == {}
