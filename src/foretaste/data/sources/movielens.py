"""MovieLens, every edition that GroupLens published: 100K, 1M, 10M, 20M, 25M, 32M, latest and latest-small.

F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5(4).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import narwhals as nw
import polars as pl

from foretaste.data.locate import locate
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import GENRES, ITEM_COLUMNS, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR, Column
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.attributes import NO_GENRES, read_attributes
from foretaste.data.sources.delimited import Delimited, open_delimited
from foretaste.data.sources.reading import read_events
from foretaste.data.validate import BadRows
from foretaste.settings import Settings

RELEASE_DATE = "release_date"

_GENRE_FLAGS = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_MOVIE = tuple(column for column in ITEM_COLUMNS if column.name in (ITEM_ID, TITLE, GENRES))
_USER = (
    Column(USER_ID, pl.String, required=True),
    Column("gender", pl.String),
    Column("age", pl.Int32),
    Column("occupation", pl.String),
    Column("zip_code", pl.String),
)
_YEAR = r"\s*\((\d{4})(?:[-–]\d{0,4})?\)"
_LICENCE = "GroupLens: research use, no redistribution without permission"
_EVENT = (USER_ID, ITEM_ID, RATING, TIMESTAMP)


class MovielensConfig(Settings):
    """A MovieLens data set."""

    source: Literal["movielens"] = "movielens"
    """The ratings that GroupLens publishes."""
    path: Path
    """The archive, such as `ml-100k.zip`, or the unpacked folder."""


@dataclass(frozen=True)
class _File:
    """A file of an edition."""

    name: str
    separator: str
    columns: tuple[str, ...] | None = None
    """In a file without a header."""


@dataclass(frozen=True)
class _Edition:
    """Which files an edition consists of."""

    ratings: _File
    movies: _File
    users: _File | None = None


_DAT_MOVIES = _File("movies.dat", "::", (ITEM_ID, TITLE, GENRES))
_DAT_USERS = _File("users.dat", "::", (USER_ID, "gender", "age", "occupation", "zip_code"))
_EDITIONS = (
    _Edition(
        _File("u.data", "\t", _EVENT),
        _File("u.item", "|", (ITEM_ID, TITLE, RELEASE_DATE, "video_release_date", "imdb_url", *_GENRE_FLAGS)),
        _File("u.user", "|", (USER_ID, "age", "gender", "occupation", "zip_code")),
    ),
    _Edition(_File("ratings.dat", "::", _EVENT), _DAT_MOVIES, _DAT_USERS),
    _Edition(_File("ratings_no_timestamp.dat", "::", _EVENT[:3]), _DAT_MOVIES, _DAT_USERS),
    _Edition(_File("ratings.csv", ","), _File("movies.csv", ",")),
)


def read(config: MovielensConfig, bad_rows: BadRows) -> RawTables:
    """Ratings, movies and, where the edition has them, users.

    Movies have a `title` without its year, `year`, `genres` and, in 100K, `release_date`. Users, up to 10M, have
    `gender`, `age`, `occupation` and `zip_code`; 1M codes ages and occupations, see its README.

    Raises:
        DataError: the files of no edition are there, or one is damaged.
    """
    folder = Folder.open(locate(config.path))
    folder.require(*(edition.ratings.name for edition in _EDITIONS))
    edition = next(edition for edition in _EDITIONS if folder.find(edition.ratings.name))
    scratch = Path(folder.scratch.name)
    events = read_events(_open(edition.ratings, folder), bad_rows, scratch)
    movies, movie_notes = read_attributes(_open(edition.movies, folder), _MOVIE, bad_rows, scratch)
    users: pl.DataFrame | None = None
    user_notes: tuple[Note, ...] = ()
    if edition.users is not None and folder.find(edition.users.name):
        users, user_notes = read_attributes(_open(edition.users, folder), _USER, bad_rows, scratch)
    return RawTables(
        interactions=nw.from_native(events.frame),
        items=nw.from_native(_tidy(movies).lazy()),
        users=None if users is None else nw.from_native(users.lazy()),
        info=SourceInfo(_name(folder, edition), "movie", _LICENCE, folder.checksum()),
        notes=(*events.notes, *movie_notes, *user_notes),
        rows_read=events.rows_read,
        resources=(folder.scratch,),
    )


def _open(file: _File, folder: Folder) -> Delimited:
    path = folder.require(file.name)
    return open_delimited(
        path,
        Path(folder.scratch.name),
        separator=file.separator,
        has_names=file.columns is None,
        names=file.columns,
        encoding="utf-8" if file in (edition.ratings for edition in _EDITIONS) or _is_utf8(path) else "latin-1",
    )


def _is_utf8(path: Path) -> bool:
    """100K and 1M have their titles in latin-1, all later editions in UTF-8."""
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _tidy(movies: pl.DataFrame) -> pl.DataFrame:
    """The year apart from the title; genre flags as a list; links and empty columns left out."""
    if _GENRE_FLAGS[0] in movies.columns:
        flags = [pl.when(pl.col(genre) == 1).then(pl.lit(genre)) for genre in _GENRE_FLAGS if genre not in NO_GENRES]
        movies = movies.with_columns(pl.concat_list(flags).list.drop_nulls().alias(GENRES))
        movies = movies.with_columns(pl.col(RELEASE_DATE).str.to_date("%d-%b-%Y", strict=False))
    kept = [name for name in (ITEM_ID, TITLE, GENRES, RELEASE_DATE) if name in movies.columns]
    year = pl.col(TITLE).str.extract(_YEAR).cast(pl.Int32).alias(YEAR)
    title = pl.col(TITLE).str.replace(_YEAR, " ").str.replace_all(r"\s+", " ").str.strip_chars()
    return movies.select(kept).with_columns(title, year)


def _name(folder: Folder, edition: _Edition) -> str:
    if folder.name.startswith("ml-"):
        return f"movielens-{folder.name.removeprefix('ml-')}"
    return "movielens-100k" if edition is _EDITIONS[0] else folder.name
