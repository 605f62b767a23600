"""The files of the NCF paper (He et al. 2017): a leave-one-out split with 99 given negatives for each test item.

`<name>.train.rating` and `<name>.test.rating` are tables of user, item, rating and time between tabs; a line of
`<name>.test.negative` is `(user,item)` and that user's negatives. Items are numbered anew; `item_map.tsv`, where it is
present, says which film of MovieLens each one is.
"""

from pathlib import Path, PurePosixPath
from typing import Any, Literal

import narwhals as nw
import polars as pl

from foretaste.data.known_datasets import licence_of
from foretaste.data.locate import locate
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import ITEM_COLUMNS, ITEM_ID, PART, RATING, TIMESTAMP, USER_ID
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.attributes import read_attributes
from foretaste.data.sources.lines import read_lines
from foretaste.data.sources.reading import Events, open_table, read_events
from foretaste.data.validate import TEXT, BadRows, Check
from foretaste.errors import DataError
from foretaste.settings import Settings

_COLUMNS = (USER_ID, ITEM_ID, RATING, TIMESTAMP)
_TRAIN_SUFFIX = ".train.rating"
_ARE_NO_NEGATIVES = Check(
    "something else than (user,item) and item numbers between tabs",
    ~pl.col(TEXT).str.contains(r"^\([0-9]+,[0-9]+\)(\t[0-9]+)+$"),
)


class NCFConfig(Settings):
    """The split of the NCF paper, as many papers compare on it."""

    source: Literal["ncf"] = "ncf"
    """`<name>.train.rating`, `<name>.test.rating` and `<name>.test.negative`."""
    path: Path
    """The folder or archive of the files."""
    name: str | None = None
    """What the names of the files begin with, such as `ml-1m` or `pinterest-20`; None if there is only one."""
    item_noun: str = "movie"
    """What an item is called in front of people."""


def read(config: NCFConfig, bad_rows: BadRows) -> RawTables:
    """The events with their `part`, and the negatives of each test user. Times are there if both parts have them.

    Raises:
        DataError: a file or column is missing, or a file is empty, damaged, or too much of it is unreadable.
    """
    folder = Folder.open(locate(config.path))
    scratch = Path(folder.scratch.name)
    name = config.name or _only_name(folder)
    parts = {part: _read_part(folder, f"{name}.{part}.rating", bad_rows) for part in ("train", "test")}
    schemas = [events.frame.collect_schema() for events in parts.values()]
    shared = [column for column in _COLUMNS if all(column in schema for schema in schemas)]
    frames = [events.frame.select(*shared, pl.lit(part).alias(PART)) for part, events in parts.items()]
    lines, negative_notes = read_lines(folder.require(f"{name}.test.negative"), [_ARE_NO_NEGATIVES], bad_rows)
    items, item_notes = _read_item_map(folder, scratch, bad_rows)
    return RawTables(
        interactions=nw.from_native(pl.concat(frames)),
        info=SourceInfo(f"ncf-{name}", config.item_noun, licence_of(f"ncf-{name}"), folder.checksum()),
        items=items,
        negatives=nw.from_native(_negatives(lines).lazy()),
        notes=tuple(note for events in parts.values() for note in events.notes) + negative_notes + item_notes,
        rows_read=sum(events.rows_read for events in parts.values()),
        resources=(folder.scratch,),
    )


def _only_name(folder: Folder) -> str:
    files = [PurePosixPath(file).name.removesuffix(".gz") for file in folder.names]
    names = sorted({file.removesuffix(_TRAIN_SUFFIX) for file in files if file.endswith(_TRAIN_SUFFIX)})
    if len(names) == 1:
        return names[0]
    if names:
        raise DataError(f"{folder.path} holds {', '.join(names)}: say which, as in name: {names[0]}")
    raise DataError(f"{folder.path} has no file that ends in {_TRAIN_SUFFIX}, as ml-1m{_TRAIN_SUFFIX} does")


def _read_part(folder: Folder, file: str, bad_rows: BadRows) -> Events:
    scratch = Path(folder.scratch.name)
    table = open_table(folder.require(file), scratch, separator="\t", has_names=False, names=_COLUMNS)
    return read_events(table, bad_rows, scratch)


def _negatives(lines: pl.DataFrame) -> pl.DataFrame:
    """`user_id, item_id`, one row a negative; the second number of a line is the test item itself."""
    ids = lines.select(ids=pl.col(TEXT).str.extract_all(r"[0-9]+"))
    return ids.select(pl.col("ids").list.first().alias(USER_ID), pl.col("ids").list.slice(2).alias(ITEM_ID)).explode(
        ITEM_ID
    )


def _read_item_map(
    folder: Folder, scratch: Path, bad_rows: BadRows
) -> tuple[nw.LazyFrame[Any] | None, tuple[Note, ...]]:
    """`item_id` and `movie_id`, where the map is present."""
    path = folder.find("item_map.tsv")
    if path is None:
        return None, ()
    table = open_table(path, scratch, separator="\t")
    frame, notes = read_attributes(table, ITEM_COLUMNS, bad_rows, scratch, mapping={ITEM_ID: "ncf_item"})
    return nw.from_native(frame.lazy()), notes
