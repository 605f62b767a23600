"""Tables in Parquet files: one file, or the parts that a cluster writes into a folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from foretaste.data.sources.tabular import Row
from foretaste.errors import DataError


@dataclass(frozen=True)
class Parquet:
    """A table of Parquet. Its rows are counted from 1, in place of lines, on through the parts."""

    name: str
    parts: tuple[Path, ...]
    columns: tuple[str, ...]
    has_names = True

    @property
    def out_of_joint(self) -> pl.Expr:
        """See `Table`. Parquet has no lines that could break."""
        return pl.lit(False)

    def scan(self, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """See `Table`. Dates and times become UTC seconds, lists text with `|` between. Ids
        that pandas made floats become whole numbers again."""
        frame = pl.scan_parquet(list(self.parts))
        return frame.select(
            _plain(column, dtype).cast(types.get(column, pl.String()), strict=False)
            for column, dtype in frame.collect_schema().items()
        )

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """See `Table`."""
        values = (row for batch in self.scan({}).select(columns).collect_batches() for row in batch.iter_rows())
        for number, row in enumerate(values, 1):
            yield Row(number, ",".join(value or "" for value in row), row)


def open_parquet(*parts: Path, name: str | None = None) -> Parquet:
    """Read the names of the columns.

    Args:
        parts: one file, or several that make up a table, in their order.
        name: of the table, for messages; None takes the first file's.

    Raises:
        DataError: one is not a Parquet file, or a damaged one, or its columns are not those of the first.
    """
    first, *others = [_schema(part) for part in parts]
    for part, schema in zip(parts[1:], others, strict=True):
        if schema != first:
            raise DataError(
                f"{part.name} has the columns {_spoken(schema)}, and {parts[0].name} has {_spoken(first)}; parts of a "
                f"table have equal ones: write them again together, or name those that belong together"
            )
    return Parquet(name or parts[0].name, parts, tuple(first))


def _schema(path: Path) -> pl.Schema:
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name} is no whole Parquet file ({error}); write or fetch it again") from error


def _spoken(schema: pl.Schema) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in schema.items())


def _plain(column: str, dtype: pl.DataType) -> pl.Expr:
    values = pl.col(column)
    if dtype in (pl.Date, pl.Datetime):
        return values.dt.epoch("s")
    if isinstance(dtype, pl.List):
        return values.cast(pl.List(pl.String)).list.join("|")
    if dtype.is_float():
        is_whole = values.is_finite() & (values == values.round())
        return (
            pl.when(is_whole)
            .then(values.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(values.cast(pl.String))
        )
    return values
