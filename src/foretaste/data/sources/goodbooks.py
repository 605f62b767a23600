"""goodbooks-10k: ratings of the ten thousand most popular books of Goodreads (Zając, 2017)."""

from pathlib import Path
from typing import Literal

import narwhals as nw
import polars as pl
from pydantic import Field

from foretaste.data.locate import locate
from foretaste.data.raw import RawTables, SourceInfo
from foretaste.data.schemas import AUTHOR, GENRES, ITEM_ID, TITLE, YEAR, Column
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.attributes import read_attributes
from foretaste.data.sources.delimited import open_delimited
from foretaste.data.sources.reading import read_events
from foretaste.data.validate import BadRows
from foretaste.settings import Settings

_GOODREADS_ID = "goodreads_id"
_GENRE_TAGS = (
    *("adventure", "art", "biography", "business", "chick-lit", "children", "classics", "comics", "contemporary"),
    *("cookbooks", "crime", "dystopia", "fantasy", "graphic-novels", "historical-fiction", "history", "horror"),
    *("humor", "manga", "memoir", "music", "mystery", "non-fiction", "paranormal", "philosophy", "plays", "poetry"),
    *("psychology", "religion", "romance", "science", "science-fiction", "self-help", "short-stories", "spirituality"),
    *("sports", "suspense", "thriller", "travel", "young-adult"),
)
"""Most tags are shelves, such as `to-read`; these are genres."""
_BOOK = (
    Column(ITEM_ID, pl.String, required=True),
    Column(TITLE, pl.String),
    Column("original_title", pl.String),
    Column("authors", pl.String),
    Column(YEAR, pl.Int32, also_called=("original_publication_year",)),
    Column("language", pl.String, also_called=("language_code",)),
    Column("average_rating", pl.Float32),
    Column("ratings_count", pl.Int64),
)


class GoodbooksConfig(Settings):
    """The goodbooks-10k data set."""

    source: Literal["goodbooks"] = "goodbooks"
    """Ratings of books by readers of Goodreads."""
    path: Path = Path("goodbooks-10k.zip")
    """The archive or the unpacked folder."""
    max_genres: int = Field(default=5, ge=1)
    """A book gets at most so many genres: the genre names among the tags that most readers gave it, where the edition
    has book_tags.csv."""


def read(config: GoodbooksConfig, bad_rows: BadRows) -> RawTables:
    """Ratings without timestamps, and books with title, author, authors, year, language and how they were rated.

    Ratings count books from 1 to 10,000. The first edition of books.csv calls that number `id` and has the one of
    Goodreads as `book_id`; the second has `book_id` and `goodreads_book_id`.

    Raises:
        DataError: ratings.csv or books.csv is missing or damaged.
    """
    folder = Folder.open(locate(config.path))
    scratch = Path(folder.scratch.name)
    ratings = open_delimited(folder.require("ratings.csv"), scratch, ",")
    events = read_events(ratings, bad_rows, scratch)
    table = open_delimited(folder.require("books.csv"), scratch, ",")
    is_first_edition = "goodreads_book_id" not in table.columns
    number, goodreads = ("id", "book_id") if is_first_edition else ("book_id", "goodreads_book_id")
    wanted = (*_BOOK, Column(_GOODREADS_ID, pl.String))
    books, notes = read_attributes(table, wanted, bad_rows, scratch, {ITEM_ID: number, _GOODREADS_ID: goodreads})
    authors = pl.col("authors").str.split(", ")
    books = books.select(column.name for column in wanted if column.name in books.columns)
    books = books.with_columns(authors, authors.list.first().alias(AUTHOR))
    genres = _genres(folder, config.max_genres)
    if genres is not None:
        books = books.join(genres, on=_GOODREADS_ID, how="left", maintain_order="left")
    return RawTables(
        interactions=nw.from_native(events.frame),
        items=nw.from_native(books.lazy()),
        info=SourceInfo("goodbooks-10k", "book", "CC BY-SA 4.0", folder.checksum()),
        notes=events.notes + notes,
        rows_read=events.rows_read,
        resources=(folder.scratch,),
    )


def _genres(folder: Folder, max_genres: int) -> pl.DataFrame | None:
    """`goodreads_id`, `genres`: the genres that most readers tagged a book with, the most frequent first."""
    pairs_path, names_path = folder.find("book_tags.csv"), folder.find("tags.csv")
    if pairs_path is None or names_path is None:
        return None
    pairs = pl.read_csv(pairs_path, infer_schema=False).with_columns(pl.col("count").cast(pl.Int64))
    names = pl.read_csv(names_path, infer_schema=False).filter(pl.col("tag_name").is_in(_GENRE_TAGS))
    return (
        pairs.join(names, on="tag_id")
        .sort("count", "tag_name", descending=[True, False])
        .group_by(pl.col("goodreads_book_id").alias(_GOODREADS_ID), maintain_order=True)
        .agg(pl.col("tag_name").unique(maintain_order=True).head(max_genres).alias(GENRES))
    )
