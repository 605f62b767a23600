"""Amazon books as two tables: `books.csv`, the catalogue, and `users.csv`, who rated what.

Where they are absent, trimmed `books_sample.csv` and `users_sample.csv` stand in; where those are absent too, a small
sample of invented books is made, so that a config can be tried before gigabytes are fetched. The notes say so.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import narwhals as nw
import polars as pl
from pydantic import Field

from foretaste.data.locate import locate
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import AUTHOR, GENRES, ITEM_COLUMNS, ITEM_ID, TITLE, Column
from foretaste.data.sources.amazon_books_sample import write_sample
from foretaste.data.sources.amazon_products import tidy_products
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.attributes import read_attributes
from foretaste.data.sources.columns import match_columns
from foretaste.data.sources.reading import Events, open_table, read_events
from foretaste.data.validate import BadRows
from foretaste.errors import DataError
from foretaste.settings import Settings

_FULL = ("books.csv", "users.csv")
_SAMPLE = ("books_sample.csv", "users_sample.csv")
_BOOK = (
    Column(ITEM_ID, pl.String, required=True, also_called=("parent_asin", "asin", "book_id", "isbn", "id")),
    Column(TITLE, pl.String, required=True, also_called=("book_title", "name")),
    *(column for column in ITEM_COLUMNS if column.name in (GENRES, AUTHOR)),
)


class AmazonBooksConfig(Settings):
    """Amazon books in two CSV tables."""

    source: Literal["amazon_books"] = "amazon_books"
    """`books.csv` and `users.csv`."""
    path: Path = Path("amazon-books")
    """The folder or archive of the two tables."""
    books_limit: int | None = Field(default=None, ge=1)
    """Take so many books, the first of the table; None takes all."""
    interactions_limit: int | None = Field(default=None, ge=1)
    """Take so many interactions, the first that are with one of these books; None takes all."""
    sample_if_absent: bool = True
    """Whether a sample stands in where the tables are absent; else that is an error."""
    name: str = "amazon-books"
    """Name of the data set."""


def read(config: AmazonBooksConfig, bad_rows: BadRows) -> RawTables:
    """Interactions with the books of the catalogue, and the books with title, author, genres, price and ratings.

    Raises:
        DataError: a table or a required column is missing, or a table is empty, damaged or mostly unreadable.
    """
    tables = _find_tables(config)
    folder = tables.folder
    scratch = Path(folder.scratch.name)
    books_table = open_table(folder.require(tables.books), scratch, separator=",")
    columns = match_columns(books_table, _BOOK)
    books, book_notes = read_attributes(books_table, _BOOK, bad_rows, scratch, columns)
    books = tidy_products(books).head(config.books_limit or len(books))
    users_table = open_table(folder.require(tables.users), scratch, separator=",")
    # Where a table has several kinds of id, both go by the same one.
    id_column = columns[ITEM_ID] if columns[ITEM_ID] in users_table.columns else None
    events = read_events(users_table, bad_rows, scratch, {ITEM_ID: id_column} if id_column else None)
    frame, dropped = _with_known_books(events, books, tables.books, config.interactions_limit)
    return RawTables(
        interactions=nw.from_native(frame),
        items=nw.from_native(books.lazy()),
        info=SourceInfo(tables.name, "book", checksum=folder.checksum()),
        notes=(*tables.remarks, *book_notes, *events.notes, *dropped),
        rows_read=events.rows_read,
        resources=(folder.scratch, tables.made_in),
    )


@dataclass(frozen=True)
class _Tables:
    """Where the two tables are, and what they are called."""

    name: str
    """Of the data set: a sample is named as one."""
    folder: Folder
    books: str
    users: str
    remarks: tuple[Note, ...] = ()
    made_in: "TemporaryDirectory[str] | None" = None
    """The folder of a sample that was made."""


def _find_tables(config: AmazonBooksConfig) -> _Tables:
    """The full tables, else trimmed ones, else a sample made here."""
    try:
        path = locate(config.path)
    except DataError:
        if not config.sample_if_absent:
            raise
        return _made_sample(config)
    folder = Folder.open(path)
    if not config.sample_if_absent or folder.find(*_FULL):
        return _Tables(config.name, folder, *_FULL)
    if folder.find(*_SAMPLE):
        return _Tables(f"{config.name}-sample", folder, *_SAMPLE, (_stands_in("trimmed samples stand in", config),))
    return _made_sample(config)


def _made_sample(config: AmazonBooksConfig) -> _Tables:
    made_in = TemporaryDirectory(prefix="foretaste-")
    books, users = (Path(made_in.name) / name for name in _SAMPLE)
    write_sample(books, users)
    remark = _stands_in("a small sample of invented books stands in", config)
    return _Tables(f"{config.name}-sample", Folder.open(Path(made_in.name)), *_SAMPLE, (remark,), made_in)


def _stands_in(what: str, config: AmazonBooksConfig) -> Note:
    return Note(f"tables that are absent from {config.path} ({', '.join(_FULL)}), so {what}", 2, drops_events=False)


def _with_known_books(
    events: Events, books: pl.DataFrame, table: str, limit: int | None
) -> tuple[pl.LazyFrame, tuple[Note, ...]]:
    """The first `limit` events with a book of the catalogue; the others are counted."""
    is_known = pl.col(ITEM_ID).is_in(books[ITEM_ID].implode())
    num_known, num_orphans = (
        events.frame.select(is_known.sum(), (~is_known).sum().alias("orphans")).collect(engine="streaming").row(0)
    )
    orphans = events.frame.filter(~is_known)
    notes = []
    if num_orphans:
        examples = orphans.select(ITEM_ID).unique(maintain_order=True).head(3).collect()[ITEM_ID]
        notes.append(Note(f"a book that is not among the {len(books):,} of {table}", num_orphans, tuple(examples)))
    known = events.frame.filter(is_known)
    if limit is not None and num_known > limit:
        notes.append(Note(f"after the first {limit:,} (interactions_limit)", num_known - limit))
        known = known.head(limit)
    return known, tuple(notes)
