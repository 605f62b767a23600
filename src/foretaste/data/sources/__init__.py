"""The formats that foretaste reads. Each module is one: a config, and `read`, which turns it into `RawTables`."""

from typing import Annotated, TypeAlias, assert_never

from pydantic import Field

from foretaste.data.raw import RawTables
from foretaste.data.sources import (
    amazon_books,
    amazon_reviews,
    coat,
    goodbooks,
    lightgcn,
    movielens,
    ncf,
    synthetic,
    tables,
)
from foretaste.data.validate import BadRows

SourceConfig: TypeAlias = Annotated[
    amazon_books.AmazonBooksConfig
    | amazon_reviews.AmazonReviewsConfig
    | coat.CoatConfig
    | goodbooks.GoodbooksConfig
    | lightgcn.LightGCNConfig
    | movielens.MovielensConfig
    | ncf.NCFConfig
    | synthetic.SyntheticConfig
    | tables.TablesConfig,
    Field(discriminator="source"),
]


def read_source(config: SourceConfig, bad_rows: BadRows = BadRows()) -> RawTables:
    """The tables of a data set, lazily, under canonical names.

    Raises:
        DataError: a file is missing, empty or damaged, a column is missing, or more rows are bad than `bad_rows`
            allows.
    """
    match config:
        case amazon_books.AmazonBooksConfig():
            return amazon_books.read(config, bad_rows)
        case amazon_reviews.AmazonReviewsConfig():
            return amazon_reviews.read(config, bad_rows)
        case coat.CoatConfig():
            return coat.read(config)
        case goodbooks.GoodbooksConfig():
            return goodbooks.read(config, bad_rows)
        case lightgcn.LightGCNConfig():
            return lightgcn.read(config, bad_rows)
        case movielens.MovielensConfig():
            return movielens.read(config, bad_rows)
        case ncf.NCFConfig():
            return ncf.read(config, bad_rows)
        case synthetic.SyntheticConfig():
            return synthetic.read(config)
        case tables.TablesConfig():
            return tables.read(config, bad_rows)
        case _:
            assert_never(config)
