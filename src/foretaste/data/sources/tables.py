"""Any table of interactions: CSV, TSV, JSON lines or Parquet, plain or packed; tables of items and users beside it."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import narwhals as nw
from pydantic import Field

from foretaste.data.locate import locate
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import ITEM_COLUMNS, USER_COLUMNS, Column
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.attributes import read_attributes
from foretaste.data.sources.delimited import Encoding
from foretaste.data.sources.parquet import open_parquet
from foretaste.data.sources.reading import JSON_SUFFIXES, PARQUET_SUFFIXES, open_table, read_events
from foretaste.data.sources.tabular import Table
from foretaste.data.validate import BadRows
from foretaste.errors import DataError
from foretaste.settings import Settings

_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data", ".inter")


class ColumnsConfig(Settings):
    """The file's column for each of ours, by name or by position from 0; None recognises common names."""

    user_id: str | int | None = None
    """Who."""
    item_id: str | int | None = None
    """With what."""
    rating: str | int | None = None
    """How much they liked it, as a number."""
    timestamp: str | int | None = None
    """When: seconds, milliseconds or ISO dates, UTC."""
    part: str | int | None = None
    """Which part of a split of your own: train, valid or test, for `split.method: given`. None: there is none."""


class TablesConfig(Settings):
    """Interactions in a table of your own."""

    source: Literal["tables"] = "tables"
    """Any CSV, TSV, JSON-lines or Parquet file, plain or packed."""
    path: Path
    """The file of interactions, or a folder or archive that holds it."""
    file: str | None = None
    """Name of the file of interactions in a folder or archive that holds several; `*.parquet` takes all that match as
    the parts of one table."""
    columns: ColumnsConfig = ColumnsConfig()
    """Which column is which, where the names do not tell."""
    separator: str | None = Field(default=None, min_length=1, max_length=2)
    """Between fields; None finds out: comma, tab, semicolon, | or ::."""
    header: bool = True
    """Whether the first line names the columns. Without names, `columns` gives positions."""
    encoding: Encoding = "utf-8"
    """Of text files."""
    items_path: Path | None = None
    """A table of items: `item_id` and any attributes, such as title, year, genres."""
    users_path: Path | None = None
    """A table of users: `user_id` and any attributes."""
    name: str | None = None
    """Name of the data set; None takes the file's."""
    item_noun: str = "item"
    """What an item is called in front of people: `movie`, `book`, `product`."""


def read(config: TablesConfig, bad_rows: BadRows) -> RawTables:
    """The table as lazy frames.

    Raises:
        DataError: a file or column is missing, or a file is empty, damaged, or too much of it is unreadable.
    """
    path = locate(config.path)
    folder = Folder.open(path)
    scratch = Path(folder.scratch.name)
    table = _open(path, folder, config, scratch)
    events = read_events(table, bad_rows, scratch, config.columns.model_dump(exclude_none=True))
    items, item_notes = _attributes(config.items_path, ITEM_COLUMNS, config, folder, bad_rows)
    users, user_notes = _attributes(config.users_path, USER_COLUMNS, config, folder, bad_rows)
    return RawTables(
        interactions=nw.from_native(events.frame),
        items=items,
        users=users,
        info=SourceInfo(config.name or folder.name, config.item_noun, checksum=folder.checksum()),
        notes=events.notes + item_notes + user_notes,
        rows_read=events.rows_read,
        resources=(folder.scratch,),
    )


def _open(path: Path, folder: Folder, config: TablesConfig, scratch: Path) -> Table:
    is_plain_file = path.is_file() and folder.root is not None
    name = path.name if is_plain_file else config.file or _only_table(folder)
    if "*" in name and name.endswith(PARQUET_SUFFIXES):
        return open_parquet(*folder.require_all(name), name=folder.name)
    return open_table(folder.require(name), scratch, config.separator, config.header, encoding=config.encoding)


def _only_table(folder: Folder) -> str:
    suffixes = (*_TEXT_SUFFIXES, *JSON_SUFFIXES, *PARQUET_SUFFIXES)
    names = [name for name in folder.names if PurePosixPath(name.removesuffix(".gz")).suffix in suffixes]
    if len(names) == 1:
        return PurePosixPath(names[0]).name
    parts = len(names) > 1 and all(name.endswith(PARQUET_SUFFIXES) for name in names)
    raise DataError(
        f"{folder.path} holds {len(names) or 'no'} tables{': ' + ', '.join(names[:8]) if names else ''}; "
        "expected one: name the file of interactions, as in file: ratings.csv"
        + ("; or take all as parts of one, by file: '*.parquet'" if parts else "")
    )


def _attributes(
    path: Path | None, wanted: Sequence[Column], config: TablesConfig, folder: Folder, bad_rows: BadRows
) -> tuple[nw.LazyFrame[Any] | None, tuple[Note, ...]]:
    if path is None:
        return None, ()
    file = folder.find(path.name) or folder.add(locate(path))
    scratch = Path(folder.scratch.name)
    table = open_table(file, scratch, encoding=config.encoding)
    frame, notes = read_attributes(table, wanted, bad_rows, scratch)
    return nw.from_native(frame.lazy()), notes
