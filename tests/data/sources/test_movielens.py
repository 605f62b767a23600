from datetime import date
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest

from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.errors import DataError


def read(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    raw = read_source(MovielensConfig(path=path))
    return raw.interactions.collect().to_native(), raw.items.collect().to_native()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_the_100k_layout(tmp_path):
    flags = "0|0|0|0|0|1" + 13 * "|0"
    folder = write(
        tmp_path / "ml-100k",
        {
            "u.data": b"196\t242\t3\t881250949\n007\t1\t5\t881250950\n",
            "u.item": f"242|Misérables, Les (1995)|20-Jan-1995||http://x|{flags}\n".encode("latin-1"),
            "u.user": b"196|49|M|writer|05105\n",
        },
    )
    raw = read_source(MovielensConfig(path=folder))
    assert raw.interactions.collect().rows() == [("196", "242", 3.0, 881250949), ("007", "1", 5.0, 881250950)]
    assert raw.items.collect().to_native().to_dicts() == [
        {
            "item_id": "242",
            "title": "Misérables, Les",
            "genres": ["Comedy"],
            "release_date": date(1995, 1, 20),
            "year": 1995,
        }
    ]
    assert raw.users.collect().to_native().to_dicts() == [
        {"user_id": "196", "gender": "M", "age": 49, "occupation": "writer", "zip_code": "05105"}
    ]
    assert (raw.info.name, raw.info.item_noun, raw.rows_read) == ("movielens-100k", "movie", 2)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_the_layout_with_double_colons(tmp_path, encoding):
    movies = "73::Misérables, Les (1995)::Drama|Musical\n1::Alien: Part (II) (1979)::Horror\n"
    folder = write(
        tmp_path / "ml-10m",
        {"ratings.dat": b"1::122::5::838985046\n1::185::4.5::838983525\n", "movies.dat": movies.encode(encoding)},
    )
    events, items = read(folder)
    assert events.rows() == [("1", "122", 5.0, 838985046), ("1", "185", 4.5, 838983525)]
    assert items.select("title", "year", "genres").rows() == [
        ("Misérables, Les", 1995, ["Drama", "Musical"]),
        ("Alien: Part (II)", 1979, ["Horror"]),
    ]


def test_the_csv_layout_in_an_archive_and_the_same_in_a_folder(tmp_path):
    ratings = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n"
    movies = (
        'movieId,title,genres\n31,"American President, The (1995)",Comedy|Romance\n'
        "32,Babylon 5,(no genres listed)\n33,Death Note (2006–2007),Crime\n"
    )
    folder = write(tmp_path / "ml-latest", {"ratings.csv": ratings.encode(), "movies.csv": movies.encode()})
    with ZipFile(tmp_path / "ml-latest.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"ml-latest/{file.name}")
    packed, unpacked = (read_source(MovielensConfig(path=p)) for p in (tmp_path / "ml-latest.zip", folder))
    assert packed.info == unpacked.info
    for raw in (packed, unpacked):
        assert raw.interactions.collect().rows() == [("1", "31", 2.5, 1260759144)]
        assert raw.items.collect().to_native().rows() == [
            ("31", "American President, The", ["Comedy", "Romance"], 1995),
            ("32", "Babylon 5", [], None),
            ("33", "Death Note", ["Crime"], 2006),
        ]


def test_a_folder_without_ratings_says_what_it_has(tmp_path):
    folder = write(tmp_path / "ml-1m", {"movies.dat": b"1::A (1990)::Drama\n"})
    with pytest.raises(DataError, match=r"ml-1m has no u.data or ratings.dat or .*; it has movies.dat"):
        read(folder)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("archive", "num_ratings", "num_users", "num_rated", "num_movies"),
    [
        ("ml-100k.zip", 100_000, 943, 1_682, 1_682),
        ("ml-latest-small.zip", 100_836, 610, 9_724, 9_742),
        ("ml-1m-without-timestamps.zip", 1_000_209, 6_040, 3_706, 3_883),
    ],
)
def test_the_published_archives(real_data, archive, num_ratings, num_users, num_rated, num_movies):
    events, items = read(real_data / archive)
    assert (len(events), len(items)) == (num_ratings, num_movies)
    assert (events["user_id"].n_unique(), events["item_id"].n_unique()) == (num_users, num_rated)
    assert events["item_id"].is_in(items["item_id"].implode()).all()
    assert events["rating"].is_between(0.5, 5).all()
    assert items["year"].is_between(1900, 2020).sum() > 0.99 * num_movies
    assert items["title"].null_count() == 0
    assert not items["title"].str.contains(r"\(\d{4}\)").any()
