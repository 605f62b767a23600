"""Rows against their schema: which cannot be used, why, and what becomes of them.

A row that cannot be used is never mended or lost in silence: it is kept in a quarantine file with its line and the
reason, dropped and counted, or the run stops, as `BadRows` says.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from foretaste.data.raw import Note
from foretaste.data.schemas import ITEM_ID, PART, PARTS, RATING, TIMESTAMP, USER_ID
from foretaste.errors import DataError
from foretaste.settings import Settings

LINE = "#line"
"""Column of the 1-based line of a row in its file."""
TEXT = "#text"
"""Column of a row as it stands in its file."""
FAULT = "#fault"
"""Column of what is wrong with a row: it completes `3 rows have …`. Null for a good row."""

_NOT_AN_ID = r"(?i)^[+-]?(nan|inf|infinity)$"
_DOUBTFUL_ID = rf"^\s|\s$|^$|\n|{_NOT_AN_ID}"
_NUM_EXAMPLES = 3

TOO_FEW_FIELDS = "too few fields, as a truncated line has"
TOO_MANY_FIELDS = "too many fields"
UNPAIRED_QUOTES = "quotes that do not pair up"
NOT_UTF8 = "bytes that are not UTF-8"
TORN_JSON = "no complete JSON object"
OTHER_UNIT = "a timestamp in another unit than most rows"

_REMEDIES = {
    NOT_UTF8: "if the file has another encoding, name it, as in encoding: latin-1",
    OTHER_UNIT: "bring all timestamps to seconds",
}


class BadRows(Settings):
    """What becomes of rows that cannot be read."""

    on_bad_rows: Literal["quarantine", "drop", "fail"] = "quarantine"
    """`quarantine`: leave them out, count them and keep them in a file. `drop`: leave them out and count them.
    `fail`: stop at the first table that has any."""
    max_bad_share: float = Field(default=0.01, ge=0, le=1)
    """Stop when more than this share of a table's rows cannot be read: then it is not what it was taken for."""
    quarantine_dir: Path = Path("artifacts/quarantine")
    """Folder of the quarantine files: `<table>.rejected.csv` with line, reason and text of each row."""


@dataclass(frozen=True)
class Check:
    """A condition that no good row meets."""

    reason: str
    """Completes `3 rows have …`."""
    fails: pl.Expr
    """True where the row is bad."""


def is_doubtful(columns: Collection[str], header: Mapping[str, str]) -> pl.Expr:
    """True for an event that `event_checks` might disqualify, or whose ids have white space around them.

    One pattern an id, so that a look at a sound file costs little more than parsing it.

    Args:
        columns: canonical names of the frame's columns: ids as strings, numbers as numbers.
        header: canonical name → the column's name in the file; empty for a file without a header.
    """
    doubts = [pl.col(column).str.contains(_DOUBTFUL_ID).fill_null(True) for column in (USER_ID, ITEM_ID)]
    doubts += [pl.col(column) == header[column] for column in (USER_ID, ITEM_ID) if column in header]
    if RATING in columns:
        doubts.append(~pl.col(RATING).is_finite().fill_null(False))
    if TIMESTAMP in columns:
        doubts.append((pl.col(TIMESTAMP) < 0).fill_null(True))
    if PART in columns:
        doubts.append(~pl.col(PART).is_in(PARTS).fill_null(False))
    return pl.any_horizontal(doubts)


def event_checks(columns: Collection[str], header: Mapping[str, str]) -> list[Check]:
    """What disqualifies an event: its ids, its numbers, a negative time, the header once more.

    Args:
        columns: canonical names of the frame's columns: ids as strings without white space around them, numbers as
            numbers.
        header: canonical name → the column's name in the file; empty for a file without a header.
    """
    checks = [*id_checks(USER_ID, header), *id_checks(ITEM_ID, header)]
    if RATING in columns:
        checks.append(Check("no rating, or one that is not a number", pl.col(RATING).is_null()))
        checks.append(Check("a rating that is NaN or infinite", ~pl.col(RATING).is_finite()))
    if TIMESTAMP in columns:
        checks.append(Check("no timestamp, or one that cannot be read", pl.col(TIMESTAMP).is_null()))
        checks.append(Check("a negative timestamp", pl.col(TIMESTAMP) < 0))
    if PART in columns:
        checks.append(Check(f"a part other than {', '.join(PARTS)}", ~pl.col(PART).is_in(PARTS).fill_null(False)))
    return checks


def id_checks(column: str, header: Mapping[str, str]) -> list[Check]:
    """What disqualifies an id: nothing there, NaN, infinite, a line break, the column's own name."""
    text = pl.col(column)
    checks = [
        Check(f"no {column}", text.is_null() | (text == "")),
        Check(f"NaN or infinity for {column}", text.str.contains(_NOT_AN_ID)),
        Check(UNPAIRED_QUOTES, text.str.contains("\n", literal=True)),
    ]
    if column in header:
        checks.append(Check("the header again", text == header[column]))
    return checks


def first_fault(checks: Sequence[Check]) -> pl.Expr:
    """The reason of the first of `checks` that disqualifies the row; null for a good one."""
    return pl.coalesce(pl.when(check.fails).then(pl.lit(check.reason)) for check in checks)


@dataclass(frozen=True)
class Rejected:
    """The rows of a table that cannot be used, counted by reason."""

    table: str
    """Name of the file."""
    num_rows: int
    """Rows of the table, good and bad."""
    reasons: tuple[Note, ...]
    """The most frequent first; examples are lines."""

    @property
    def count(self) -> int:
        """Rejected rows, whatever the reason."""
        return sum(note.count for note in self.reasons)

    def __str__(self) -> str:
        first, *others = (f"{note.count:,}{{}} have {note.reason} ({_lines(note)})" for note in self.reasons)
        parts = [first.format(f" of {self.num_rows:,} rows"), *(other.format("") for other in others)]
        return f"{self.table}: {', '.join(parts)}"


def reject(frame: pl.LazyFrame, table: str, bad_rows: BadRows, are_events: bool = True) -> tuple[Note, ...]:
    """Deal with the bad rows of `frame`, which has the columns LINE, TEXT and FAULT.

    Returns:
        a note for each reason; for rows put into quarantine, a remark that names the file.

    Raises:
        DataError: there are bad rows and `bad_rows` says to fail, or more of them than it allows.
    """
    bad = frame.filter(pl.col(FAULT).is_not_null())
    by_reason = (
        bad.group_by(FAULT)
        .agg(pl.len(), pl.col(LINE).bottom_k(_NUM_EXAMPLES).sort())
        .sort("len", FAULT, descending=[True, False])
        .collect(engine="streaming")
    )
    reasons = tuple(
        Note(reason, count, tuple(f"line {line}" for line in lines), drops_events=are_events)
        for reason, count, lines in by_reason.select(FAULT, "len", LINE).iter_rows()
    )
    rejected = Rejected(table, frame.select(pl.len()).collect(engine="streaming").item(), reasons)
    if rejected.count == 0:
        return ()
    remedies = "".join(f"; {_REMEDIES[note.reason]}" for note in reasons if note.reason in _REMEDIES)
    if bad_rows.on_bad_rows == "fail":
        raise DataError(f"{rejected}{remedies}; drop them with --on-bad-rows=drop")
    where = ""
    if bad_rows.on_bad_rows == "quarantine":
        target = bad_rows.quarantine_dir / f"{table}.rejected.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        bad.select(line=LINE, reason=FAULT, text=TEXT).sort("line").sink_csv(target)
        where = str(target)
    share = rejected.count / rejected.num_rows
    if share > bad_rows.max_bad_share:
        raise DataError(
            f"{rejected}{remedies}. That is {share:.2%} of the rows, and max_bad_share allows "
            f"{bad_rows.max_bad_share:.2%}: mend the file{f' (the rows are in {where})' if where else ''}, "
            f"or allow more, as in max_bad_share: {math.ceil(share * 100) / 100:g}"
        )
    if where:
        return (*reasons, Note(f"rows of {table} kept in {where}", rejected.count, drops_events=False))
    return reasons


def _lines(note: Note) -> str:
    numbers = ", ".join(example.removeprefix("line ") for example in note.examples)
    more = ", …" if note.count > len(note.examples) else ""
    return f"{'line' if note.count == 1 else 'lines'} {numbers}{more}"
