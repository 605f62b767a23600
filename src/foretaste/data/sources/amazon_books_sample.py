"""A small sample in the layout of Amazon books: books that nobody wrote, read by the people of the synthetic world."""

from pathlib import Path

import polars as pl

from foretaste.data.schemas import AUTHOR, GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID
from foretaste.data.sources.synthetic import SyntheticConfig, chunks, make_world

_WORLD = SyntheticConfig(num_users=300, num_items=200, num_interactions=6_000, seed=2_023)
_FIRST_NAMES = pl.Series(["Ada", "Bela", "Clara", "Dario", "Edda", "Farid", "Greta", "Hugo", "Iris", "Jonas"])
_LAST_NAMES = pl.Series(["Amberfield", "Brookstone", "Copperdale", "Dunwick", "Elderwood", "Fernsby", "Greyling"])


def write_sample(books_path: Path, users_path: Path) -> None:
    """Write 200 books and 6,000 interactions of 300 users as CSV, always the same."""
    world, interactions = make_world(_WORLD), pl.concat(chunks(_WORLD)).sort(TIMESTAMP, maintain_order=True)
    as_asin = pl.concat_str(pl.lit("B"), pl.col(ITEM_ID).str.slice(1).str.zfill(9))
    ratings = interactions.group_by(ITEM_ID).agg(
        pl.col(RATING).mean().round(1).alias("average_rating"), pl.len().alias("rating_number")
    )
    number = pl.int_range(pl.len())
    books = pl.DataFrame({ITEM_ID: world.item_ids, TITLE: world.titles, GENRES: world.genres})
    books.join(ratings, on=ITEM_ID, how="left", maintain_order="left").select(
        as_asin.alias("parent_asin"),
        TITLE,
        pl.concat_str(
            pl.lit(_FIRST_NAMES).gather(number % len(_FIRST_NAMES)),
            pl.lit(_LAST_NAMES).gather(number % len(_LAST_NAMES)),
            separator=" ",
        ).alias(AUTHOR),
        "average_rating",
        (4.99 + number % 23).alias("price"),
        pl.col("rating_number").fill_null(0),
        pl.col(GENRES).list.join("|").alias("categories"),
    ).write_csv(books_path)
    interactions.select(USER_ID, as_asin.alias("parent_asin"), RATING, TIMESTAMP).write_csv(users_path)
