"""Tables in Parquet files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from foretaste.data.sources.tabular import Row
from foretaste.errors import DataError


@dataclass(frozen=True)
class Parquet:
    """A Parquet file. Its rows are counted from 1, in place of lines."""

    path: Path
    columns: tuple[str, ...]
    has_names = True

    @property
    def name(self) -> str:
        """See `Table`."""
        return self.path.name

    @property
    def out_of_joint(self) -> pl.Expr:
        """See `Table`. Parquet has no lines that could break."""
        return pl.lit(False)

    def scan(self, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """See `Table`. Dates and times become UTC seconds, lists text with `|` between. Ids
        that pandas made floats become whole numbers again."""
        frame = pl.scan_parquet(self.path)
        return frame.select(
            _plain(column, dtype).cast(types.get(column, pl.String()), strict=False)
            for column, dtype in frame.collect_schema().items()
        )

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """See `Table`."""
        values = (row for batch in self.scan({}).select(columns).collect_batches() for row in batch.iter_rows())
        for number, row in enumerate(values, 1):
            yield Row(number, ",".join(value or "" for value in row), row)


def open_parquet(path: Path) -> Parquet:
    """Read the names of the columns.

    Raises:
        DataError: it is not a Parquet file, or a damaged one.
    """
    try:
        return Parquet(path, tuple(pl.read_parquet_schema(path)))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name} is no whole Parquet file ({error}); write or fetch it again") from error


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
