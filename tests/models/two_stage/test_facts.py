from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from foretaste.data.features import FeaturesConfig
from foretaste.models.two_stage.facts import Facts, Layout, encode, fit_facts, recency


def test_recency_is_the_age_and_the_place_among_all_items(dataset_of):
    # Item 0 was met at day 0, item 1 at days 0 and 8, item 2 at day 8, item 3 never.
    events = dataset_of([[1, 1, 0, 0], [0, 1, 1, 0]], days=[0, 0, 8, 8]).interactions
    recency_IF = recency(events, (4.0,))
    np.testing.assert_allclose(recency_IF[:, 0], np.log1p([8, 8, 0, 0]))
    # Weights halve every four days: .25, 1.25, 1, 0. So many of the four items have less: 1, 3, 2, 0.
    np.testing.assert_allclose(recency_IF[:, 1], [0.25, 0.75, 0.5, 0.0])


def test_without_timestamps_nothing_is_recent(dataset_of):
    assert recency(dataset_of([[1, 0], [1, 1]]).interactions, (4.0,)).shape == (2, 0)


def test_columns_of_words_stand_side_by_side(dataset_of):
    dataset = dataset_of([[1, 1, 1], [1, 1, 0]], genres=[["drama", "war"], ["drama"], []])
    config = FeaturesConfig(item_columns=("genres",), min_rows=1, popularity=False)
    facts = fit_facts(dataset, config, ())
    assert facts.number_IF.shape == (3, 0)
    assert facts.num_columns == 1
    np.testing.assert_array_equal(facts.column_V, [0, 0])
    np.testing.assert_array_equal(facts.words.indptr, [0, 2, 3, 3])
    np.testing.assert_array_equal(facts.words.data, [0.5, 0.5, 1.0])


def test_the_state_survives(dataset_of):
    dataset = dataset_of([[1, 1, 1], [1, 1, 0]], days=[0, 1, 2, 3, 4], genres=[["drama"], ["drama", "war"], ["war"]])
    facts = fit_facts(dataset, FeaturesConfig(), (3.0,))
    restored = Facts.from_state(facts.state())
    np.testing.assert_array_equal(restored.number_IF, facts.number_IF)
    for one, other in zip(restored.words, facts.words, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(restored.column_V, facts.column_V)
    assert restored.num_columns == facts.num_columns


@pytest.mark.parametrize("later", [False, True])
def test_facts_are_those_of_the_events_that_are_given(dataset_of, later):
    dataset = dataset_of([[1, 1, 0], [1, 0, 1]], days=[0, 1, 2, 9])
    known = dataset if later else dataset.with_interactions(dataset.interactions.select(slice(0, 3)))
    popularity_I = fit_facts(known, FeaturesConfig(item_columns=()), ()).number_IF[:, 0]
    # Item 2 has one event, the last one; without it, it stands at the mean.
    assert (popularity_I[2] == popularity_I[1]) == later


def test_facts_of_fewer_events_have_the_columns_of_all(dataset_of):
    # Item 2 was met last; its year alone is missing, and its genre alone is known.
    dataset = dataset_of([[1, 1, 0], [1, 0, 1]], days=[0, 1, 2, 9], genres=[[], [], ["war"]])
    dataset = replace(dataset, catalogue=dataset.catalogue.with_columns(year=pl.Series([1990, 1996, None])))
    early = dataset.with_interactions(dataset.interactions.select(slice(0, 3)))
    config = FeaturesConfig(item_columns=("year", "genres"), min_rows=1, popularity=False)
    layout = Layout.of(encode(dataset, config))
    assert layout.numbers == ("year", "year is missing")
    assert Layout.of(encode(early, config)).numbers == ("year",)
    facts = fit_facts(early, config, (), layout)
    np.testing.assert_allclose(facts.number_IF[:, :2], [[-1, 0], [1, 0], [0, 0]])
    assert facts.num_columns == len(layout.words) == 1
