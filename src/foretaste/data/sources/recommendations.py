"""Lists that any tool made: a table of user, item, and rank or score."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from foretaste.data.locate import locate
from foretaste.data.raw import Note
from foretaste.data.schemas import ITEM_ID, RANK, RECOMMENDATION_COLUMNS, SCORE, USER_ID
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.columns import match_columns
from foretaste.data.sources.reading import open_table
from foretaste.data.sources.tabular import collect_if_parsed, read_exactly, scan_with_faults
from foretaste.data.validate import FAULT, LINE, TEXT, BadRows, Check, first_fault, id_checks, reject
from foretaste.errors import DataError

ORDER = "order"
"""Ascending within a list: the rank, or the score with its sign turned."""


@dataclass(frozen=True)
class Recommendations:
    """The rows of all lists."""

    rows: pl.DataFrame
    """`user_id`, `item_id` and `order`, in the order of the file."""
    ordered_by: str
    """`rank` or `score`."""
    notes: tuple[Note, ...]
    """Rows that could not be read."""


def read_recommendations(path: Path, bad_rows: BadRows, mapping: Mapping[str, str] | None = None) -> Recommendations:
    """Lists from CSV, TSV, JSON lines or Parquet, plain or packed. Where there are both, rank counts, not score.

    Args:
        path: of the table.
        bad_rows: what becomes of rows that cannot be read.
        mapping: canonical name → the file's column, where the file has it; the rest is recognised.

    Raises:
        DataError: the file or a column is missing, or more rows are bad than `bad_rows` allows.
    """
    folder = Folder.open(locate(path))
    scratch = Path(folder.scratch.name)
    table = open_table(folder.require(path.name), scratch)
    known = {column.name for column in RECOMMENDATION_COLUMNS}
    here = {name: column for name, column in (mapping or {}).items() if name in known and column in table.columns}
    columns = match_columns(table, RECOMMENDATION_COLUMNS, here)
    if RANK not in columns and SCORE not in columns:
        raise DataError(
            f"{table.name} has no column rank or score; its columns are {', '.join(table.columns)}. Name the place of "
            "an item in its list 'rank' (1 is the first), or give a 'score' (the highest comes first)."
        )
    ordered_by = RANK if RANK in columns else SCORE
    wanted = {name: columns[name] for name in (USER_ID, ITEM_ID, ordered_by)}
    number = pl.col(wanted[ordered_by]).cast(pl.Float64, strict=False)
    values = {name: pl.col(wanted[name]).str.strip_chars() for name in (USER_ID, ITEM_ID)}
    values[ORDER] = number if ordered_by == RANK else -number
    checks = [
        *(check for name in (USER_ID, ITEM_ID) for check in id_checks(name, wanted)),
        Check(f"no {ordered_by}, or one that is not a number", ~pl.col(ORDER).is_finite().fill_null(False)),
    ]
    notes: tuple[Note, ...] = ()
    rows = collect_if_parsed(scan_with_faults(table, {}).select(FAULT, **values))
    if rows is None or not rows.select(pl.coalesce(FAULT, first_fault(checks)).is_null().all()).item():
        exact = read_exactly(table, list(wanted.values()), scratch).select(LINE, TEXT, FAULT, **values)
        judged = exact.with_columns(pl.coalesce(FAULT, first_fault(checks)).alias(FAULT))
        notes = reject(judged, table.name, bad_rows)
        rows = judged.filter(pl.col(FAULT).is_null()).collect(engine="streaming")
    if rows.is_empty():
        raise DataError(f"{table.name} has no rows; expected a row for each slot of each list, as in 'user,item,rank'.")
    return Recommendations(rows.select(USER_ID, ITEM_ID, ORDER), ordered_by, notes)
