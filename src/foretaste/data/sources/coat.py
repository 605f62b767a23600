"""Coat (Schnabel et al. 2016): ratings that people chose to give, and ratings of coats that were drawn for them.

Of 300 coats, 290 people rated 24 of their own choice and 16 that were drawn uniformly at random. A test on the latter
is free of the bias by which people meet what they will like: it tells how far a test on the former is to be trusted.
"""

from pathlib import Path
from typing import Literal

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from foretaste.arrays import IntArray
from foretaste.data.known_datasets import licence_of
from foretaste.data.locate import locate
from foretaste.data.raw import RawTables, SourceInfo
from foretaste.data.schemas import GENRES, ITEM_ID, PART, RATING, TITLE, USER_ID
from foretaste.data.sources.archives import Folder
from foretaste.errors import DataError
from foretaste.settings import Settings

_GENRE = "jackettype"


class CoatConfig(Settings):
    """The Coat shopping data set."""

    source: Literal["coat"] = "coat"
    """Ratings of coats, some chosen by the people themselves, some drawn for them at random."""
    path: Path = Path("coat.zip")
    """The archive or the unpacked folder."""
    test: Literal["self_selected", "random"] = "self_selected"
    """`self_selected`: the events are those that people chose to rate, to be split as you like, and the random ratings
    are the truth beside them. `random`: a given split that trains on the former and tests on the latter, with the
    randomly drawn coats as given candidates."""


def read(config: CoatConfig) -> RawTables:
    """Ratings from 1 to 5 without timestamps, coats with gender, type and colour, and people with what they said.

    Raises:
        DataError: a file is missing, or is not what it should be.
    """
    folder = Folder.open(locate(config.path))
    chosen, drawn = _ratings(folder, "train.ascii"), _ratings(folder, "test.ascii")
    items, users = _features(folder, "item"), _features(folder, "user")
    if config.test == "random":
        events = pl.concat(
            [chosen.with_columns(pl.lit("train").alias(PART)), drawn.with_columns(pl.lit("test").alias(PART))]
        )
    else:
        events = chosen
    titles = pl.format(
        "{} {}, {}, no. {}",
        pl.col("color").str.to_titlecase(),
        pl.col(_GENRE).replace("other", "coat"),
        "gender",
        ITEM_ID,
    )
    items = items.rename({"id": ITEM_ID}).with_columns(titles.alias(TITLE), pl.concat_list(_GENRE).alias(GENRES))
    return RawTables(
        interactions=nw.from_native(events.lazy()),
        info=SourceInfo("coat", "coat", licence_of("coat"), folder.checksum()),
        items=nw.from_native(items.drop(_GENRE).lazy()),
        users=nw.from_native(users.rename({"id": USER_ID}).lazy()),
        negatives=nw.from_native(drawn.select(USER_ID, ITEM_ID).lazy()) if config.test == "random" else None,
        truth=nw.from_native(drawn.lazy()) if config.test == "self_selected" else None,
        rows_read=len(events),
        resources=(folder.scratch,),
    )


def _ratings(folder: Folder, name: str) -> pl.DataFrame:
    """The cells other than zero of a matrix of people × coats."""
    rating_UI = _matrix(folder.require(name))
    if rating_UI.min() < 0 or rating_UI.max() > 5:
        raise DataError(f"{name}: expected ratings from 1 to 5, and 0 for none; found {rating_UI.max():g}.")
    user_N, item_N = np.nonzero(rating_UI)
    return pl.DataFrame(
        {USER_ID: _ids(user_N), ITEM_ID: _ids(item_N), RATING: rating_UI[user_N, item_N].astype(np.float32)}
    )


def _features(folder: Folder, of: Literal["item", "user"]) -> pl.DataFrame:
    """`id`, and a column for each feature that the map names as `feature:value`."""
    flags = _matrix(folder.require(f"{of}_features.ascii"))
    names = folder.require(f"{of}_features_map.txt").read_text(encoding="utf-8").split("\n")
    pairs = [name.strip().split(":", 1) for name in names if ":" in name]
    if len(pairs) != flags.shape[1]:
        raise DataError(
            f"{of}_features_map.txt names {len(pairs)} values, and {of}_features.ascii has {flags.shape[1]} columns; "
            "fetch the archive again."
        )
    columns: dict[str, pl.Series] = {"id": _ids(np.arange(len(flags)))}
    for feature in dict.fromkeys(feature for feature, _ in pairs):
        places = [place for place, (name, _) in enumerate(pairs) if name == feature]
        values = pl.Series([pairs[place][1] for place in places])
        columns[feature] = values.gather(flags[:, places].argmax(axis=1))
    return pl.DataFrame(columns)


def _matrix(path: Path) -> npt.NDArray[np.int64]:
    try:
        return np.loadtxt(path, dtype=np.int64, ndmin=2)
    except ValueError as error:
        raise DataError(
            f"{path.name}: expected rows of whole numbers between spaces, all of one length ({error})."
        ) from error


def _ids(index_N: IntArray | npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(index_N).cast(pl.String)
