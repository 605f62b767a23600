"""What a source yields: lazy tables under canonical names, and where they come from."""

from dataclasses import dataclass, field
from typing import Any

import narwhals as nw


@dataclass(frozen=True)
class SourceInfo:
    """Where the tables come from, and what to call an item of them."""

    name: str
    """Name of the data set, as in `movielens-100k`."""
    item_noun: str = "item"
    """What an item is called in front of people: `movie`, `book`, `product`."""
    licence: str = "unknown"
    """The licence or terms, in short."""
    checksum: str = ""
    """SHA-256 over the files that were read, so that a run can tell which data it saw."""


@dataclass(frozen=True)
class Note:
    """Something that reading changed or left out, with a count and a few examples."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()
    drops_events: bool = True
    """True where each of `count` is an event that is lost; False for a remark, such as a unit that was converted."""


@dataclass(frozen=True)
class RawTables:
    """Lazy frames as a source reads them. Nothing is computed before `prepare` collects them.

    `interactions` has `user_id` and `item_id` as strings and, where the data has them, `rating` (Float32), `timestamp`
    (Int64, UTC seconds), `part` (of a given split) and, where feedback joined, `weight` (Float32, null for a plain
    event). Its rows are in the order of the file. Rows that could not be read are not among them: they are counted in
    `notes`.
    """

    interactions: nw.LazyFrame[Any]
    info: SourceInfo
    items: nw.LazyFrame[Any] | None = None
    users: nw.LazyFrame[Any] | None = None
    negatives: nw.LazyFrame[Any] | None = None
    """`user_id, item_id`: the candidates against which a given protocol ranks each test item of a user."""
    truth: nw.LazyFrame[Any] | None = None
    """`user_id, item_id, rating`: what users said of items that were drawn for them at random, a test without bias."""
    notes: tuple[Note, ...] = ()
    rows_read: int | None = None
    """Data rows in the files, the unreadable ones included; None where the source does not know it beforehand."""
    resources: tuple[object, ...] = field(default=(), repr=False)
    """What must outlive the lazy frames, such as the folder of an unpacked archive."""
