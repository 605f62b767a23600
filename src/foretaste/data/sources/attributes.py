"""From a file to a table of items or users, one row each."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from foretaste.data.raw import Note
from foretaste.data.schemas import Column
from foretaste.data.sources.columns import match_columns
from foretaste.data.sources.tabular import Table, collect_if_parsed, read_exactly, scan_with_faults
from foretaste.data.validate import FAULT, LINE, TEXT, BadRows, first_fault, id_checks, reject

NO_GENRES = ("(no genres listed)", "unknown", "")
_LIST_SEPARATORS = ("|", ";", ",")
_WHOLE = r"^-?(0|[1-9]\d{0,17})$"
_DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"


def read_attributes(
    table: Table,
    wanted: Sequence[Column],
    bad_rows: BadRows,
    scratch: Path,
    mapping: Mapping[str, str | int] | None = None,
) -> tuple[pl.DataFrame, tuple[Note, ...]]:
    """The items or users of a table: the columns `wanted` under their names and types, then the file's own.

    The first of `wanted` is the id. Of rows with the same id the first counts. Empty values are null. A column of the
    file's own that holds nothing but numbers becomes Int64 or Float64.

    Raises:
        DataError: the id column is missing, or more rows are bad than `bad_rows` allows.
    """
    key = wanted[0].name
    found = match_columns(table, wanted, mapping)
    columns = found | {name: name for name in table.columns if name not in found.values() and name not in found}
    checks = id_checks(key, found if table.has_names else {})
    values = {name: pl.col(column).str.strip_chars() for name, column in columns.items()}
    notes: tuple[Note, ...] = ()
    frame = collect_if_parsed(scan_with_faults(table, {}).select(FAULT, **values))
    if frame is None or not frame.select(pl.coalesce(FAULT, first_fault(checks)).is_null().all()).item():
        exact = read_exactly(table, list(columns.values()), scratch).select(LINE, TEXT, FAULT, **values)
        judged = exact.with_columns(pl.coalesce(FAULT, first_fault(checks)).alias(FAULT))
        notes = reject(judged, table.name, bad_rows, are_events=False)
        frame = judged.filter(pl.col(FAULT).is_null()).collect(engine="streaming")
    unique = frame.unique(key, keep="first", maintain_order=True)
    if len(unique) < len(frame):
        remark = f"{key} that {table.name} names again: its first row counts"
        notes = (*notes, Note(remark, len(frame) - len(unique), drops_events=False))
    types = {column.name: column.dtype for column in wanted}
    typed = [
        to_type(values, types[name], columns[name]) if name in types else to_number_if_all_are(values)
        for name, values in ((name, _none_if_empty(unique[name])) for name in columns)
    ]
    return pl.DataFrame(typed), notes


def to_type(text: pl.Series, dtype: pl.DataType | type[pl.DataType], own_name: str = "") -> pl.Series:
    """Text as `dtype`, null where it is not: a year also out of a date, a list also out of `a|b` and `['a', 'b']`."""
    if dtype == pl.List(pl.String):
        return to_lists(text, " " if own_name.endswith("_seq") else None)
    if dtype == pl.Int32:
        number = pl.coalesce(
            pl.col(text.name).str.extract(r"^(-?\d{1,9})(?:\.0*)?$"),
            pl.col(text.name).str.extract(r"(?:^|\D)(\d{4})(?:\D|$)"),
        )
        return text.to_frame().select(number.cast(pl.Int32, strict=False)).to_series()
    return text.cast(dtype, strict=False)


def to_lists(text: pl.Series, separator: str | None = None) -> pl.Series:
    """Text as lists of strings; the separator is the first of `|`, `;` and `,` that the column holds.

    What stands for no genre, such as `(no genres listed)`, is left out.
    """
    if separator is None:
        plain = text.filter(~text.str.starts_with("[").fill_null(True))
        held = (mark for mark in _LIST_SEPARATORS if plain.str.contains(mark, literal=True).any())
        separator = next(held, _LIST_SEPARATORS[0])
    lists = [None if value is None else _list(value, separator) for value in text]
    return pl.Series(text.name, lists, dtype=pl.List(pl.String))


def to_number_if_all_are(text: pl.Series) -> pl.Series:
    """Int64 or Float64 where every value is such a number; leading zeros, as of a zip code, make it text."""
    if text.null_count() == len(text):
        return text
    if text.str.contains(_WHOLE).all():
        return text.cast(pl.Int64)
    if text.str.contains(_DECIMAL).all():
        return text.cast(pl.Float64)
    return text


def _list(value: str, separator: str) -> list[str]:
    parts = value.split(separator)
    if value.startswith("["):
        try:
            entries = ast.literal_eval(value)
            parts = [str(part) for entry in entries for part in (entry if isinstance(entry, list) else [entry])]
        except (ValueError, SyntaxError):
            parts = value.strip("[]").split(",")
    stripped = (part.strip() for part in parts)
    return [part for part in stripped if part not in NO_GENRES]


def _none_if_empty(text: pl.Series) -> pl.Series:
    return text.set(text == "", None)
