"""The columns of every table: one place for their names and types."""

from dataclasses import dataclass

import polars as pl

USER_ID = "user_id"
ITEM_ID = "item_id"
RATING = "rating"
TIMESTAMP = "timestamp"
PART = "part"
"""Which part of a given split a row belongs to: one of `PARTS`."""

PARTS = ("train", "valid", "test")

TITLE = "title"
YEAR = "year"
GENRES = "genres"
AUTHOR = "author"


@dataclass(frozen=True)
class Column:
    """A column of a table as foretaste reads it."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    required: bool = False
    also_called: tuple[str, ...] = ()
    """Names under which other tools write this column, compared without case, spaces, `_`, `-` and `:type` suffix."""


INTERACTION_COLUMNS: tuple[Column, ...] = (
    Column(USER_ID, pl.String, required=True, also_called=("user", "uid", "reviewer_id", "customer_id", "visitor_id")),
    Column(
        ITEM_ID,
        pl.String,
        required=True,
        also_called=("item", "iid", "movie_id", "book_id", "product_id", "asin", "parent_asin", "track_id", "sku"),
    ),
    Column(RATING, pl.Float32, also_called=("score", "stars", "overall", "value", "preference", "rating_value")),
    Column(TIMESTAMP, pl.Int64, also_called=("time", "ts", "datetime", "date", "unix_review_time", "created_at")),
)
"""A row is an event: a user met an item. `timestamp` is UTC seconds."""

ITEM_COLUMNS: tuple[Column, ...] = (
    Column(ITEM_ID, pl.String, required=True, also_called=INTERACTION_COLUMNS[1].also_called),
    Column(TITLE, pl.String, also_called=("name", "item_name", "movie_title", "book_title", "product_title")),
    Column(YEAR, pl.Int32, also_called=("release_year", "publication_year", "original_publication_year")),
    Column(GENRES, pl.List(pl.String), also_called=("genre", "categories", "category", "tags")),
    Column(AUTHOR, pl.String, also_called=("authors", "artist", "brand", "store")),
)
"""A row is an item of the catalogue. A source may add columns of its own: prices, counts, any attribute."""

USER_COLUMNS: tuple[Column, ...] = (
    Column(USER_ID, pl.String, required=True, also_called=INTERACTION_COLUMNS[0].also_called),
)
"""A row is a user; every other column is an attribute."""
