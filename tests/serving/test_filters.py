from datetime import date

import polars as pl
import pytest

from foretaste.errors import RequestError
from foretaste.serving.filters import CatalogueFilters

CATALOGUE = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["One", "Two", "Three", None],
        "year": pl.Series([1990, 2000, None, 2010], dtype=pl.Int32),
        "genres": [["Comedy"], ["Comedy", "Drama"], [], None],
        "price": [1.5, 2.0, float("nan"), 3.0],
        "available": [True, False, None, True],
        "released": [date(1990, 5, 1), date(2000, 1, 1), None, date(2010, 12, 31)],
        "format": pl.Series(["dvd", "vhs", "dvd", None], dtype=pl.Categorical),
        "box": [{"w": 1}] * 4,
    }
)


@pytest.fixture
def filters():
    return CatalogueFilters(CATALOGUE)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"genres": "Comedy"}, "ab"),
        ({"genres": ["Drama", "War"]}, "b"),
        ({"genres": ["War"]}, ""),
        ({"year": 2000}, "b"),
        ({"year": [1990, 2010.0]}, "ad"),
        ({"year_min": 2000}, "bd"),
        ({"year_max": 2000}, "ab"),
        ({"year_min": 1991, "year_max": 2000}, "b"),
        ({"price_max": 2}, "ab"),
        ({"price_min": 2}, "bd"),
        ({"available": True}, "ad"),
        ({"available": [False]}, "b"),
        ({"released_min": "2000"}, "bd"),
        ({"released_max": "1990-05-01"}, "a"),
        ({"format": "dvd"}, "ac"),
        ({"title": "Two"}, "b"),
        ({"title_min": "Three"}, "bc"),
        ({"genres": "Comedy", "year_min": 1991, "available": False}, "b"),
        ({"year": 10**30}, ""),
    ],
)
def test_conditions_hold_for_the_right_items(filters, asked, expected):
    mask = filters.eligible(asked)
    assert "".join(CATALOGUE["item_id"].filter(pl.Series(mask))) == expected


@pytest.mark.parametrize("asked", [{}, {"year_min": None}, {"genres": []}, {"genres": (), "year": None}])
def test_nothing_asked_lets_everything_through(filters, asked):
    assert filters.eligible(asked).tolist() == [True] * 4


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"genre": "Comedy"}, "unknown filter 'genre' – did you mean 'genres'.*available, format, genres, price"),
        ({"box": 1}, "unknown filter 'box'"),
        ({"item_id": "a"}, "unknown filter 'item_id'"),
        ({"_min": 1}, "unknown filter '_min'"),
        ({"year": "2000"}, "filter 'year': expected a number, found '2000'"),
        ({"year": True}, "expected a number, found True"),
        ({"year_min": float("nan")}, "expected a number, found nan"),
        ({"year_min": 10**400}, "expected a number"),
        ({"available": 1}, "expected true or false, found 1"),
        ({"genres": [1]}, "filter 'genres': expected text, found 1"),
        ({"genres_min": "A"}, "'genres' has no order"),
        ({"available_max": True}, "'available' has no order"),
        ({"year_min": [1, 2]}, "expected one bound, found 2"),
        ({"genres": [None]}, "expected text, found None"),
    ],
)
def test_what_does_not_fit_the_catalogue_is_refused(filters, asked, message):
    with pytest.raises(RequestError, match=message):
        filters.eligible(asked)


def test_an_attribute_that_ends_like_a_bound_goes_by_its_own_name():
    filters = CatalogueFilters(pl.DataFrame({"item_id": ["a", "b"], "players_min": [2, 4], "players": [9, 1]}))
    assert filters.eligible({"players_min": 4}).tolist() == [False, True]
    assert filters.eligible({"players_min_min": 3}).tolist() == [False, True]


def test_values_of_text_attributes(filters):
    assert filters.values("genres") == ["Comedy", "Drama"]
    assert filters.values("format") == ["dvd", "vhs"]
    assert filters.values("year") == filters.values("unheard of") == []


def test_masks_are_shared_and_protected(filters):
    first, second = filters.eligible({"year_min": 2000}), filters.eligible({"year_min": 2000.0})
    assert first.tolist() == second.tolist()
    with pytest.raises(ValueError, match="read-only"):
        filters._holds(filters._condition("year_min", 2000))[0] = True
    first[:] = False
    assert filters.eligible({"year_min": 2000}).any(), "an answer must not write into what is remembered"


def test_the_memory_of_masks_is_bounded(filters):
    for year in range(10):
        filters.eligible({"year_min": year})
    assert filters.cache_info().maxsize == 64 * 2**20 // 4
    assert filters.cache_info().currsize == 10


def test_one_filter_said_in_several_ways_is_compiled_once():
    filters = CatalogueFilters(CATALOGUE)
    for asked in (["Drama", "Comedy"], ("Comedy", "Drama"), ["Comedy", "Drama", "Comedy"]):
        filters.eligible({"genres": asked})
    info = filters.cache_info()
    assert (info.hits, info.misses, info.currsize) == (2, 1, 1)
