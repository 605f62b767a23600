"""Files whose lines are no rows of fields: each source takes its own lines apart, bad ones are dealt with here."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from foretaste.data.raw import Note
from foretaste.data.validate import FAULT, LINE, TEXT, BadRows, Check, first_fault, reject
from foretaste.errors import DataError


def read_lines(path: Path, checks: Sequence[Check], bad_rows: BadRows) -> tuple[pl.DataFrame, tuple[Note, ...]]:
    """TEXT of each line that is not blank and that none of `checks` (on TEXT) disqualifies.

    Raises:
        DataError: there is no line, or more are bad than `bad_rows` allows.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = pl.DataFrame({TEXT: text.split("\n")}).with_row_index(LINE, offset=1).cast({LINE: pl.Int64})
    lines = lines.with_columns(pl.col(TEXT).str.strip_chars()).filter(pl.col(TEXT) != "")
    if lines.is_empty():
        raise DataError(f"{path.name} is empty; expected lines of ids")
    lines = lines.with_columns(first_fault(checks).alias(FAULT))
    # How many events a bad line would have held is not known, so they do not count among those that were read.
    notes = reject(lines.lazy(), path.name, bad_rows, are_events=False)
    return lines.filter(pl.col(FAULT).is_null()).select(TEXT), notes
