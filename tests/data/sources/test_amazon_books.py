from pathlib import Path

import polars as pl
import pytest

from foretaste.data.sources import read_source
from foretaste.data.sources.amazon_books import AmazonBooksConfig
from foretaste.data.validate import BadRows
from foretaste.errors import DataError

BOOKS = (
    "parent_asin,title,author,average_rating,rating_number,price,categories\n"
    "B1,A Book,\"{'avatar': 'x', 'name': 'A. Writer'}\",4.5,120,$12.99,\"['Books', 'Mystery']\"\n"
    "B2,Tom &amp; I,B. Writer,4.0,7,,\"['Books', 'Humour']\"\n"
    "B3,Third,C. Writer,3.5,1,5.00,[]\n"
)
USERS = (
    "user_id,asin,parent_asin,rating,timestamp\n"
    "U1,X1,B1,5,1602133857705\nU1,X2,B2,4,1602133857705\nU2,X9,B9,1,1602133857705\nU2,X3,B3,2,1602133857705\n"
)


def write(folder: Path, books: str = BOOKS, users: str = USERS, suffix: str = "") -> None:
    (folder / f"books{suffix}.csv").write_text(books)
    (folder / f"users{suffix}.csv").write_text(users)


def test_books_and_interactions_go_by_the_same_id(tmp_path):
    write(tmp_path)
    raw = read_source(AmazonBooksConfig(path=tmp_path))
    assert raw.interactions.collect().to_native().rows() == [
        ("U1", "B1", 5.0, 1602133857),
        ("U1", "B2", 4.0, 1602133857),
        ("U2", "B3", 2.0, 1602133857),
    ]
    first, second, _ = raw.items.collect().to_native().to_dicts()
    assert first == {
        "item_id": "B1",
        "title": "A Book",
        "genres": ["Books", "Mystery"],
        "author": "A. Writer",
        "average_rating": 4.5,
        "rating_number": 120,
        "price": 12.99,
    }
    assert (second["title"], second["author"], second["price"]) == ("Tom & I", "B. Writer", None)
    assert (raw.info.name, raw.info.item_noun) == ("amazon-books", "book")


def test_interactions_of_missing_books_are_dropped_and_counted(tmp_path):
    write(tmp_path)
    raw = read_source(AmazonBooksConfig(path=tmp_path))
    dropped = [note for note in raw.notes if note.drops_events]
    assert [(note.reason, note.count, note.examples) for note in dropped] == [
        ("a book that is not among the 3 of books.csv", 1, ("B9",))
    ]
    assert raw.rows_read == 4


def test_limits_take_the_first_books_and_the_first_interactions_with_them(tmp_path):
    write(tmp_path)
    raw = read_source(AmazonBooksConfig(path=tmp_path, books_limit=2, interactions_limit=1))
    assert raw.items.collect().to_native()["item_id"].to_list() == ["B1", "B2"]
    assert raw.interactions.collect().to_native()["item_id"].to_list() == ["B1"]
    dropped = {note.reason: note.count for note in raw.notes if note.drops_events}
    assert dropped == {"a book that is not among the 2 of books.csv": 2, "after the first 1 (interactions_limit)": 1}


@pytest.mark.parametrize("name", ["asin", "item_id", "book_id"])
def test_other_names_of_the_id_are_known(tmp_path, name):
    write(tmp_path, BOOKS.replace("parent_asin", name), f"user_id,{name},rating\nU1,B1,5\n")
    raw = read_source(AmazonBooksConfig(path=tmp_path))
    assert raw.interactions.collect().to_native().rows() == [("U1", "B1", 5.0)]


def test_trimmed_samples_stand_in_and_say_so(tmp_path):
    write(tmp_path, suffix="_sample")
    raw = read_source(AmazonBooksConfig(path=tmp_path))
    assert raw.interactions.collect().to_native()["item_id"].to_list() == ["B1", "B2", "B3"]
    assert raw.info.name == "amazon-books-sample"
    assert raw.notes[0].reason.endswith("(books.csv, users.csv), so trimmed samples stand in")
    assert not raw.notes[0].drops_events


def test_invented_books_stand_in_where_there_is_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORETASTE_DATA", raising=False)
    raw = read_source(AmazonBooksConfig())
    events, books = raw.interactions.collect().to_native(), raw.items.collect().to_native()
    assert (len(events), len(books)) == (6_000, 200)
    assert books.columns == ["item_id", "title", "genres", "author", "average_rating", "price", "rating_number"]
    assert books["title"].n_unique() == 200
    assert raw.info.name == "amazon-books-sample"
    assert raw.notes[0].reason == (
        "tables that are absent from amazon-books (books.csv, users.csv), so a small sample of invented books stands in"
    )
    again = read_source(AmazonBooksConfig())
    assert again.interactions.collect().to_native().equals(events)
    assert again.info.checksum == raw.info.checksum


def test_the_average_rating_of_an_invented_book_is_that_of_its_interactions(tmp_path):
    raw = read_source(AmazonBooksConfig(path=tmp_path))
    events, books = raw.interactions.collect().to_native(), raw.items.collect().to_native()
    expected = events.group_by("item_id").agg(pl.col("rating").mean().alias("mean"), pl.len())
    both = books.join(expected, on="item_id")
    assert both["average_rating"].to_list() == pytest.approx(both["mean"].to_list(), abs=0.051)
    assert both["rating_number"].to_list() == both["len"].to_list()


def test_the_sample_can_be_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"amazon-books does not exist; looked for"):
        read_source(AmazonBooksConfig(sample_if_absent=False))
    with pytest.raises(DataError, match=r"has no books.csv; it has no files"):
        read_source(AmazonBooksConfig(path=tmp_path, sample_if_absent=False))


def test_one_table_without_the_other_is_refused(tmp_path):
    (tmp_path / "users.csv").write_text(USERS)
    with pytest.raises(DataError, match=r"has no books.csv; it has users.csv"):
        read_source(AmazonBooksConfig(path=tmp_path))


def test_a_missing_column_is_named(tmp_path):
    write(tmp_path, books="parent_asin,names\nB1,A Book\n")
    with pytest.raises(DataError, match=r"books.csv has no column title; its columns are parent_asin, names"):
        read_source(AmazonBooksConfig(path=tmp_path))
    write(tmp_path, users="who,parent_asin\nU1,B1\n")
    with pytest.raises(DataError, match=r"users.csv has no column user_id; its columns are who, parent_asin"):
        read_source(AmazonBooksConfig(path=tmp_path))


def test_a_rating_that_is_no_number_is_named(tmp_path):
    write(tmp_path, users="user_id,parent_asin,rating\nU1,B1,5\nU1,B2,good\n")
    with pytest.raises(
        DataError, match=r"users.csv: 1 of 2 rows have no rating, or one that is not a number \(line 3\)"
    ):
        read_source(AmazonBooksConfig(path=tmp_path), BadRows(on_bad_rows="fail"))
