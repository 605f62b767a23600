"""The formats that foretaste reads. Each module is one: a config, and `read`, which turns it into `RawTables`."""

from typing import Annotated, TypeAlias, assert_never

from pydantic import Field

from foretaste.data.raw import RawTables
from foretaste.data.sources import goodbooks, movielens, tables
from foretaste.data.validate import BadRows

SourceConfig: TypeAlias = Annotated[
    goodbooks.GoodbooksConfig | movielens.MovielensConfig | tables.TablesConfig,
    Field(discriminator="source"),
]


def read_source(config: SourceConfig, bad_rows: BadRows = BadRows()) -> RawTables:
    """The tables of a data set, lazily, under canonical names.

    Raises:
        DataError: a file is missing, empty or damaged, a column is missing, or more rows are bad than `bad_rows`
            allows.
    """
    match config:
        case goodbooks.GoodbooksConfig():
            return goodbooks.read(config, bad_rows)
        case movielens.MovielensConfig():
            return movielens.read(config, bad_rows)
        case tables.TablesConfig():
            return tables.read(config, bad_rows)
        case _:
            assert_never(config)
