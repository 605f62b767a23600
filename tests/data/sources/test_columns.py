from dataclasses import dataclass

import pytest

from foretaste.data.schemas import INTERACTION_COLUMNS
from foretaste.data.sources.columns import match_columns
from foretaste.errors import DataError


@dataclass(frozen=True)
class Named:
    """A table of which only the names matter."""

    columns: tuple[str, ...]
    name: str = "ratings.csv"
    has_names: bool = True


def match(*columns: str, **mapping) -> dict[str, str]:
    return match_columns(Named(columns), INTERACTION_COLUMNS, mapping)


@pytest.mark.parametrize(
    "columns",
    [
        ("userId", "movieId", "rating", "timestamp"),
        ("userID", "itemID", "Rating", "ts"),
        ("user_id:token", "item_id:token", "rating:float", "timestamp:float"),
        ("User-ID", "Book ID", "stars", "Date"),
        ("reviewerID", "asin", "overall", "unixReviewTime"),
    ],
)
def test_common_names_are_recognised(columns):
    found = match(*columns)
    assert (found["user_id"], found["item_id"], found["rating"], found["timestamp"]) == columns


def test_the_canonical_name_comes_before_others():
    assert match("user", "user_id", "asin", "item_id") == {"user_id": "user_id", "item_id": "item_id"}


def test_a_mapping_decides():
    assert match("user_id", "item_id", "who", user_id="who", item_id=0) == {"user_id": "who", "item_id": "user_id"}


def test_a_mapped_column_serves_once():
    with pytest.raises(DataError, match=r"no column item_id"):
        match("user_id", "item_id", user_id="item_id")


def test_a_column_cannot_be_two_of_ours():
    with pytest.raises(DataError, match=r"column 'who' cannot be user_id and item_id at once"):
        match("who", "what", user_id=0, item_id="who")


@pytest.mark.parametrize(
    ("columns", "likely"),
    [(("user_id", "film_id", "itemm_id"), "itemm_id"), (("user_id", "the_book"), "the_book")],
)
def test_the_likely_match_is_named(columns, likely):
    with pytest.raises(DataError, match=rf"did you mean '{likely}'\?"):
        match(*columns)
