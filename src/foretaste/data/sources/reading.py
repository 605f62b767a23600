"""From a file to a lazy frame of events.

A sound file is scanned by polars: one pass over it finds that nothing is wrong, and the frame reads it again when it
is needed. Only a file in which something is wrong is read line by line, which takes longer and loses nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from foretaste.data.raw import Note
from foretaste.data.schemas import INTERACTION_COLUMNS, PART, PART_COLUMN, RATING, TIMESTAMP
from foretaste.data.sources.columns import match_columns
from foretaste.data.sources.delimited import Encoding, open_delimited
from foretaste.data.sources.json_lines import open_json_lines
from foretaste.data.sources.parquet import open_parquet
from foretaste.data.sources.tabular import Table, collect_if_parsed, read_exactly, sample, scan_with_faults
from foretaste.data.sources.timestamps import UNITS, iso_format, num_by_unit, parsed, to_seconds, unit_of
from foretaste.data.validate import (
    FAULT,
    LINE,
    OTHER_UNIT,
    TEXT,
    BadRows,
    Check,
    event_checks,
    first_fault,
    is_doubtful,
    reject,
)
from foretaste.errors import DataError

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
PARQUET_SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True)
class Events:
    """The events of a file under canonical names."""

    frame: pl.LazyFrame
    notes: tuple[Note, ...]
    rows_read: int
    """Rows of the file, rejected ones included."""


def open_table(
    path: Path,
    scratch: Path,
    separator: str | None = None,
    has_names: bool = True,
    names: Sequence[str] | None = None,
    encoding: Encoding = "utf-8",
) -> Table:
    """The table in a plain file; its suffix tells JSON lines and Parquet from separated text.

    Raises:
        DataError: the file is empty or not of its format.
    """
    if path.suffix in JSON_SUFFIXES:
        return open_json_lines(path)
    if path.suffix in PARQUET_SUFFIXES:
        return open_parquet(path)
    return open_delimited(path, scratch, separator, has_names, names, encoding)


def read_events(
    table: Table, bad_rows: BadRows, scratch: Path, mapping: Mapping[str, str | int] | None = None
) -> Events:
    """The events of a table: ids as strings, rating Float32, timestamp Int64 UTC seconds, in the order of the file.

    Args:
        table: the file.
        bad_rows: what becomes of rows that cannot be read.
        scratch: folder that outlives the frame; rows of a damaged file are parked in it.
        mapping: canonical name → the file's column, by name or position; the rest is recognised.

    Raises:
        DataError: a column is missing, there are no rows, or more bad ones than `bad_rows` allows.
    """
    layout = _layout(table, mapping)
    events = _typed(scan_with_faults(table, layout.types), layout)
    notes: tuple[Note, ...] = ()
    survey = _survey(events, is_doubtful(layout.columns, layout.header))
    if survey is None or not survey.is_sound:
        events = _typed(read_exactly(table, list(layout.columns.values()), scratch), layout, LINE, TEXT)
        checks = event_checks(layout.columns, layout.header)
        survey = _survey(events, first_fault(checks).is_not_null())
        assert survey is not None
        if survey.num_rows == 0:
            raise DataError(f"{table.name} has no rows" + (" below its header" if table.has_names else ""))
        if len(survey.units) > 1:
            usual = list(UNITS).index(survey.units[0])
            checks.append(Check(OTHER_UNIT, unit_of(pl.col(TIMESTAMP)) != usual))
        events = events.with_columns(pl.coalesce(FAULT, first_fault(checks)).alias(FAULT))
        notes = reject(events, table.name, bad_rows)
        events = events.filter(pl.col(FAULT).is_null())
    if survey.units and survey.units[0] != "seconds":
        events = events.with_columns(to_seconds(survey.units[0]))
        remark = f"timestamps of {table.name} are {survey.units[0]}: converted to seconds"
        notes = (*notes, Note(remark, survey.num_rows, drops_events=False))
    return Events(events.select(list(layout.columns)), notes, survey.num_rows)


@dataclass(frozen=True)
class _Layout:
    """How the columns of a file become ours."""

    columns: dict[str, str]
    """Canonical name → the file's column."""
    header: dict[str, str]
    """The same where the file names its columns; else empty."""
    types: dict[str, pl.DataType]
    """The file's column → type, where polars can parse it while scanning."""
    iso: str | None
    """Format of the timestamps where they are dates."""


def _layout(table: Table, mapping: Mapping[str, str | int] | None) -> _Layout:
    wanted = (*INTERACTION_COLUMNS, PART_COLUMN) if PART in (mapping or {}) else INTERACTION_COLUMNS
    columns = match_columns(table, wanted, mapping)
    types: dict[str, pl.DataType] = {}
    if RATING in columns:
        types[columns[RATING]] = pl.Float32()
    times = sample(table, columns[TIMESTAMP]) if TIMESTAMP in columns else []
    if times and all(time.removeprefix("-").isdecimal() for time in times):
        types[columns[TIMESTAMP]] = pl.Int64()
    return _Layout(columns, columns if table.has_names else {}, types, iso_format(times))


def _typed(frame: pl.LazyFrame, layout: _Layout, *keep: str) -> pl.LazyFrame:
    """FAULT, `keep`, and the columns under canonical names; what is still text becomes numbers."""
    schema = frame.collect_schema()
    typed = {name: pl.col(column) for name, column in layout.columns.items()}
    if RATING in typed and schema[layout.columns[RATING]] == pl.String:
        typed[RATING] = typed[RATING].cast(pl.Float32, strict=False)
    if TIMESTAMP in typed and schema[layout.columns[TIMESTAMP]] == pl.String:
        typed[TIMESTAMP] = parsed(typed[TIMESTAMP], layout.iso)
    return frame.select(FAULT, *keep, **typed)


@dataclass(frozen=True)
class _Survey:
    """What one pass over the events found."""

    num_rows: int
    num_bad: int
    """Rows that are bad, or may be."""
    units: tuple[str, ...]
    """Of the timestamps, the most frequent first."""

    @property
    def is_sound(self) -> bool:
        return self.num_rows > 0 and self.num_bad == 0 and len(self.units) <= 1


def _survey(events: pl.LazyFrame, is_bad: pl.Expr) -> _Survey | None:
    """One pass; None if it cannot be made because the structure of the file is damaged."""
    counts = events.select(
        num_rows=pl.len(),
        num_bad=(pl.col(FAULT).is_not_null() | is_bad).sum(),
        **(num_by_unit(pl.col(TIMESTAMP)) if TIMESTAMP in events.collect_schema() else {}),
    )
    counted = collect_if_parsed(counts)
    if counted is None:
        return None
    found = counted.row(0, named=True)
    units = sorted((unit for unit in UNITS if found.get(unit)), key=lambda unit: -found[unit])
    return _Survey(found["num_rows"], found["num_bad"], tuple(units))
