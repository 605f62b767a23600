"""What every kind of table can do: be scanned quickly, or be read row by row with nothing lost."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from foretaste.data.validate import FAULT, LINE, TEXT

_ROWS_IN_A_FRAME = 200_000
_ROWS_IN_A_BATCH = 200


class Row(NamedTuple):
    """A row as the exact way reads it."""

    line: int
    """1-based line of the file where it starts."""
    text: str
    """The row as it stands in the file."""
    values: Sequence[str | None]
    """One for each of the columns asked for."""
    fault: str | None = None
    """What is wrong with its structure; None if nothing is."""


class Table(Protocol):
    """A file of rows.

    There are two ways to read it. `scan` is fast and only good for a sound file. `rows` is exact: it reads on behind
    damage, and knows the line of each row. Of a sound file both give the same values.
    """

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; their positions, `0`, `1` …, in a file that names none."""
        ...

    @property
    def has_names(self) -> bool:
        """Whether the file names its columns."""
        ...

    def scan(self, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """All columns, as strings but for `types`; null where a value is not of its type.

        Damage shows as a polars error while the frame is collected, or as true in `out_of_joint`.
        """
        ...

    @property
    def out_of_joint(self) -> pl.Expr:
        """True for a row of `scan` whose structure is wrong. Touches what must be parsed to notice damage."""
        ...

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """Every row, with its values of `columns`."""
        ...


def sample(table: Table, column: str, num_rows: int = 100) -> list[str]:
    """Values of `column` in the first rows, empty ones left out."""
    rows = islice(table.rows([column]), num_rows)
    return [value for row in rows if row.fault is None and (value := (row.values[0] or "").strip())]


def scan_with_faults(table: Table, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """`scan`, with a column FAULT that is null where the structure of a row is sound."""
    fault = pl.when(table.out_of_joint).then(pl.lit("a wrong structure"))
    return table.scan(types).with_columns(fault.alias(FAULT))


def collect_if_parsed(frame: pl.LazyFrame) -> pl.DataFrame | None:
    """The rows of `frame`; None where polars cannot parse the file, or warns that it is malformed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            rows = frame.collect(engine="streaming")
        except pl.exceptions.PolarsError:
            return None
    return None if any("malformed" in str(warning.message) for warning in caught) else rows


def read_exactly(table: Table, columns: Sequence[str], scratch: Path) -> pl.LazyFrame:
    """The rows of the exact way, parked in files under `scratch`: LINE, TEXT, FAULT and `columns`.

    The values are strings without white space around them.
    """
    target = scratch / f"{table.name}.rows"
    target.mkdir(exist_ok=True)
    schema = {LINE: pl.Int64, TEXT: pl.String, FAULT: pl.String} | dict.fromkeys(columns, pl.String)
    files = []
    for number, frame in enumerate(_frames(table.rows(columns), schema)):
        files.append(target / f"{number}.parquet")
        frame.write_parquet(files[-1], compression="lz4")
    return pl.scan_parquet(files).with_columns(pl.col(columns).str.strip_chars())


def _frames(rows: Iterator[Row], schema: dict[str, type[pl.DataType]]) -> Iterator[pl.DataFrame]:
    """The rows in frames of many; at least one frame, which may be empty."""
    cells: list[list[str | int | None]] = [[] for _ in schema]
    # Few at a time: thousands of row objects alive would keep the garbage collector busier than the parser.
    while batch := list(islice(rows, _ROWS_IN_A_BATCH)):
        lines, texts, values, faults = zip(*batch, strict=True)
        for cell, more in zip(cells, (lines, texts, faults, *zip(*values, strict=True)), strict=True):
            cell.extend(more)
        if len(cells[0]) >= _ROWS_IN_A_FRAME:
            yield pl.DataFrame(dict(zip(schema, cells, strict=True)), schema)
            cells = [[] for _ in schema]
    yield pl.DataFrame(dict(zip(schema, cells, strict=True)), schema)
