"""The split files of the LightGCN paper (He et al. 2020): `train.txt` and `test.txt`, a line is `user item item …`."""

from pathlib import Path
from typing import Literal

import narwhals as nw
import polars as pl

from foretaste.data.known_datasets import licence_of
from foretaste.data.locate import locate
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import ITEM_ID, PART, USER_ID
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.lines import read_lines
from foretaste.data.validate import TEXT, BadRows, Check
from foretaste.errors import DataError
from foretaste.settings import Settings

_IS_NO_LIST = Check(
    "something else than whole numbers between spaces", ~pl.col(TEXT).str.contains(r"^[0-9]+([ \t]+[0-9]+)*$")
)


class LightGCNConfig(Settings):
    """A split into train and test, as LightGCN and the many papers after it share it."""

    source: Literal["lightgcn"] = "lightgcn"
    """`train.txt` and `test.txt`: one line a user, its items after it."""
    path: Path
    """The folder or archive of the two files."""
    name: str | None = None
    """Name of the data set; None takes the folder's."""
    item_noun: str = "item"
    """What an item is called in front of people."""


def read(config: LightGCNConfig, bad_rows: BadRows) -> RawTables:
    """The events of both files, with their `part`; there are no ratings and no times.

    Raises:
        DataError: a file is missing or empty, has no items at all, or is of another format.
    """
    folder = Folder.open(locate(config.path))
    (train, train_notes), (test, test_notes) = (
        _read_part(folder.require(f"{part}.txt"), part, bad_rows) for part in ("train", "test")
    )
    events = pl.concat([train, test])
    return RawTables(
        interactions=nw.from_native(events.lazy()),
        info=SourceInfo(config.name or folder.name, config.item_noun, licence_of(folder.name), folder.checksum()),
        notes=train_notes + test_notes,
        rows_read=len(events),
        resources=(folder.scratch,),
    )


def _read_part(path: Path, part: str, bad_rows: BadRows) -> tuple[pl.DataFrame, tuple[Note, ...]]:
    lines, notes = read_lines(path, [_IS_NO_LIST], bad_rows)
    users = lines.select(ids=pl.col(TEXT).str.extract_all(r"[0-9]+")).select(
        pl.col("ids").list.first().alias(USER_ID), pl.col("ids").list.slice(1).alias(ITEM_ID)
    )
    is_idle = pl.col(ITEM_ID).list.len() == 0
    idle = users.filter(is_idle)
    if len(idle) == len(users):
        raise DataError(
            f"{path.name} has no items: each of its {len(users):,} lines is one number; expected `user item …`"
        )
    if len(idle):
        examples = tuple(f"user {user}" for user in idle[USER_ID].head(3))
        notes = (*notes, Note(f"users of {path.name} without items", len(idle), examples, drops_events=False))
    events = users.filter(~is_idle).explode(ITEM_ID)
    return events.with_columns(pl.lit(part).alias(PART)), notes
