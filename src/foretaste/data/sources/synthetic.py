"""The built-in data: a small world with known truth, where tastes drift and films reach people through a biased shelf.

An event comes about in two steps, as in a shop. The shop shows a slate, in which an item turns up in proportion to
attention ** exposure_bias; attention has a long tail. The user takes from the slate what it likes. A model sees the
events only; `World.preference` knows what each user would like of all items, shown or not.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl

from foretaste.data.raw import RawTables, SourceInfo
from foretaste.data.schemas import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from foretaste.data.sources.synthetic_world import (
    AGE_BANDS,
    BEGIN_SECONDS,
    COUNTRIES,
    SyntheticConfig,
    World,
    make_world,
)

__all__ = ["SyntheticConfig", "World", "chunks", "make_world", "read", "write_csv"]

ROWS_PER_CHUNK = 1_000_000
_TRUTH_STREAM = 1
"""Sets the random numbers of the truth apart from those of the log."""
_USERS_AT_A_TIME = 1_000


def chunks(config: SyntheticConfig, rows_per_chunk: int = ROWS_PER_CHUNK) -> Iterator[pl.DataFrame]:
    """The interactions in frames of whole users, user by user, each user's oldest first.

    A frame has at most `rows_per_chunk` rows, unless a single user has more. The rows do not depend on it.

    Yields:
        user_id, item_id, rating (1 to 5), timestamp (UTC seconds).
    """
    from foretaste.data.sources.synthetic_choices import choose  # compiled code is loaded only where rows are made

    world = make_world(config)
    user_ids, item_ids, shelf = world.user_ids, world.item_ids, world.shelf()
    offset_U = np.concatenate([[0], np.cumsum(world.num_events_U)])
    first = 0
    while first < config.num_users:
        last = int(np.searchsorted(offset_U, offset_U[first] + rows_per_chunk, side="right")) - 1
        last = min(max(last, first + 1), config.num_users)
        num_rows = int(offset_U[last] - offset_U[first])
        item_N, rating_N = np.empty(num_rows, dtype=np.int32), np.empty(num_rows, dtype=np.float32)
        timestamp_N = np.empty(num_rows, dtype=np.int64)
        choose(
            world.taste_start_UD[first:last],
            world.taste_end_UD[first:last],
            world.item_ID,
            world.quality_I,
            shelf,
            world.arrival_seconds_U[first:last],
            world.release_seconds_I,
            BEGIN_SECONDS,
            config.end_seconds,
            config.slate_size,
            config.seed,
            first,
            offset_U[first : last + 1] - offset_U[first],
            item_N,
            rating_N,
            timestamp_N,
        )
        user_N = np.repeat(np.arange(first, last), world.num_events_U[first:last])
        yield pl.DataFrame(
            {
                USER_ID: user_ids.gather(user_N),
                ITEM_ID: item_ids.gather(item_N),
                RATING: rating_N,
                TIMESTAMP: timestamp_N,
            }
        )
        first = last


def write_csv(config: SyntheticConfig, path: Path, rows_per_chunk: int = ROWS_PER_CHUNK) -> None:
    """Write the interactions as a CSV file with a header, in bounded memory."""
    with path.open("wb") as file:
        for number, chunk in enumerate(chunks(config, rows_per_chunk)):
            chunk.write_csv(file, include_header=number == 0)


def random_ratings(world: World) -> pl.DataFrame:
    """What each user would say, when the log ends, of items that are drawn for them: nobody chose them, no shelf did.

    Returns:
        user_id, item_id, rating: `truth_items` rows a user, the rating 1 + Binomial(4, preference) as in the log.
    """
    config = world.config
    rng = np.random.default_rng([config.seed, _TRUTH_STREAM])
    ratings = []
    for first in range(0, config.num_users, _USERS_AT_A_TIME):
        user_B = np.arange(first, min(first + _USERS_AT_A_TIME, config.num_users))
        item_BK = np.argsort(rng.random((len(user_B), config.num_items)), axis=1)[:, : config.truth_items]
        liking_BK = np.take_along_axis(world.preference(user_B, config.end_seconds), item_BK, axis=1)
        ratings.append(
            pl.DataFrame(
                {
                    USER_ID: world.user_ids.gather(np.repeat(user_B, config.truth_items)),
                    ITEM_ID: world.item_ids.gather(item_BK.ravel()),
                    RATING: (1 + rng.binomial(4, liking_BK)).ravel().astype(np.float32),
                }
            )
        )
    return pl.concat(ratings)


def item_table(world: World) -> pl.DataFrame:
    """item_id, title, year, genres, release_date of every item, released or not."""
    release = pl.from_epoch(pl.Series("release_date", world.release_seconds_I), time_unit="s")
    return pl.DataFrame(
        {
            ITEM_ID: world.item_ids,
            TITLE: world.titles,
            YEAR: release.dt.year().cast(pl.Int32),
            GENRES: world.genres,
            "release_date": release.dt.strftime("%Y-%m-%d"),
        }
    )


def user_table(world: World) -> pl.DataFrame:
    """user_id, age_band, country of every user."""
    return pl.DataFrame({USER_ID: world.user_ids, **user_attributes(world)})


def user_attributes(world: World) -> dict[str, pl.Series]:
    """What is known of the users, in their order: age_band and country."""
    return {
        "age_band": pl.Series(AGE_BANDS).gather(world.age_band_U),
        "country": pl.Series(COUNTRIES).gather(world.country_U),
    }


def read(config: SyntheticConfig) -> RawTables:
    """The world as any other source would give it. The rows are held in memory; `chunks` gives them piece by piece."""
    world = make_world(config)
    interactions = pl.concat(chunks(config))
    log = {key: value for key, value in config.resolved().items() if key != "truth_items"}
    checksum = hashlib.sha256(json.dumps(log, sort_keys=True).encode()).hexdigest()
    return RawTables(
        interactions=nw.from_native(interactions.lazy()),
        info=SourceInfo(name="synthetic", item_noun="movie", licence="CC0-1.0", checksum=checksum),
        items=nw.from_native(item_table(world).lazy()),
        users=nw.from_native(user_table(world).lazy()),
        truth=nw.from_native(random_ratings(world).lazy()) if config.truth_items else None,
        rows_read=len(interactions),
    )
