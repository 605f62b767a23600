"""Every kind of bad input gives a clear message, or is put aside row by row with its line and the reason."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from foretaste.data.raw import RawTables
from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.data.sources.tables import TablesConfig
from foretaste.data.validate import BadRows
from foretaste.errors import DataError

HEADER = "user_id,item_id,rating,timestamp\n"
GOOD = [f"u{row},i{row},4.5,{1_500_000_000 + row}\n" for row in range(997)]
"""Enough rows that three bad ones are less than 1 %."""


@pytest.fixture
def quarantine(tmp_path):
    return tmp_path / "quarantine"


@pytest.fixture
def read(tmp_path, quarantine):
    def read_text(text: str | bytes, name: str = "ratings.csv", bad_rows: dict | None = None, **config) -> RawTables:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        policy = BadRows(quarantine_dir=quarantine, **(bad_rows or {}))
        return read_source(TablesConfig(path=path, **config), policy)

    return read_text


def rows(raw: RawTables) -> list[tuple]:
    return raw.interactions.collect().rows()


def with_bad(*bad: str, header: str = HEADER) -> str:
    """Two good rows, on lines 2 and 3, then the bad ones from line 4, then the other good ones."""
    return "".join([header, *GOOD[:2], *bad, *GOOD[2:]])


def rejected(quarantine: Path, name: str = "ratings.csv") -> list[tuple]:
    return pl.read_csv(quarantine / f"{name}.rejected.csv").rows()


def test_a_missing_file():
    with pytest.raises(DataError, match=r"nowhere/ratings.csv does not exist"):
        read_source(TablesConfig(path="nowhere/ratings.csv"))


@pytest.mark.parametrize("name", ["ratings.csv", "ratings.jsonl"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file(read, name, text):
    with pytest.raises(DataError, match=f"{name} is empty; expected "):
        read(text, name)


def test_a_header_only(read):
    with pytest.raises(DataError, match=r"^ratings.csv has no rows below its header$"):
        read(HEADER)


def test_a_missing_column_names_the_columns_and_the_likely_match(read):
    with pytest.raises(DataError) as raised:
        read("user_id,the_movie,stars\n1,2,3\n")
    assert str(raised.value) == (
        "ratings.csv has no column item_id; its columns are user_id, the_movie, stars; "
        "say which one it is, as in columns: {item_id: the_movie} – did you mean 'the_movie'?"
    )


def test_a_mapping_to_a_missing_column(read):
    with pytest.raises(DataError, match=r"no column 'reader' for user_id; its columns are readers, book.*'readers'\?"):
        read("readers,book\n1,2\n", columns={"user_id": "reader", "item_id": "book"})
    with pytest.raises(DataError, match=r"no column 4 for item_id: it has 2, counted from 0"):
        read("1,2\n", header=False, columns={"user_id": 0, "item_id": 4})


def test_a_file_without_a_header(read):
    with pytest.raises(DataError, match=r"looks like data: set header: false and give positions, as in columns: {user"):
        read("196,242,3\n186,302,3\n")
    with pytest.raises(DataError, match=r"its columns are 0, 1, 2, counted from 0; say which one it is"):
        read("196,242,3\n186,302,3\n", header=False)


def test_a_wrong_separator(read):
    with pytest.raises(DataError, match=r"should have commas .* separated by semicolons: set separator: ';'"):
        read("user_id;item_id\n1;2\n", separator=",")


def test_a_wrong_separator_in_a_known_format(tmp_path):
    (tmp_path / "u.data").write_text("196,242,3,881250949\n186,302,3,891717742\n")
    with pytest.raises(DataError, match=r"u.data should have tabs between its fields.*'196,242,.*separated by commas"):
        read_source(MovielensConfig(path=tmp_path))


def test_rows_without_ids_are_counted_with_their_lines(read, quarantine):
    text = with_bad(",i,3,1500000000\n", "  ,i,3,1500000000\n", '"",i,3,1500000000\n')
    raw = read(text)
    assert len(rows(raw)) == 997
    assert raw.rows_read == 1000
    note, where = raw.notes
    assert (note.reason, note.count, note.examples) == ("no user_id", 3, ("line 4", "line 5", "line 6"))
    assert note.drops_events
    assert "ratings.csv.rejected.csv" in where.reason
    assert not where.drops_events
    assert rejected(quarantine) == [
        (4, "no user_id", ",i,3,1500000000"),
        (5, "no user_id", "  ,i,3,1500000000"),
        (6, "no user_id", '"",i,3,1500000000'),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("u,,3,1500000000\n", "no item_id"),
        ("NaN,i,3,1500000000\n", "NaN or infinity for user_id"),
        ("u,-inf,3,1500000000\n", "NaN or infinity for item_id"),
        ("u,i,good,1500000000\n", "no rating, or one that is not a number"),
        ("u,i,,1500000000\n", "no rating, or one that is not a number"),
        ("u,i,nan,1500000000\n", "a rating that is NaN or infinite"),
        ("u,i,inf,1500000000\n", "a rating that is NaN or infinite"),
        ("u,i,3,yesterday\n", "no timestamp, or one that cannot be read"),
        ("u,i,3,-1\n", "a negative timestamp"),
        ("u,i,3,1500000000000\n", "a timestamp in another unit than most rows"),
        ("u,i,3\n", "too few fields, as a truncated line has"),
        ("u,i,3,1500000000,5\n", "too many fields"),
        (HEADER, "the header again"),
        ('"u,i,3,1500000000\n', "quotes that do not pair up"),
        ('u"x"y,"i"z,3,1500000000\n', "quotes that do not pair up"),
    ],
)
def test_a_bad_row_is_put_aside_and_the_others_are_read(read, quarantine, bad, reason):
    raw = read(with_bad(bad))
    assert rejected(quarantine) == [(4, reason, bad.rstrip("\n"))]
    assert (raw.notes[0].reason, raw.notes[0].count, raw.notes[0].examples) == (reason, 1, ("line 4",))
    assert [row[:2] for row in rows(raw)] == [(f"u{row}", f"i{row}") for row in range(997)]


def test_a_truncated_last_line(read, quarantine):
    raw = read(HEADER + "".join(GOOD) + "u,i")
    assert len(rows(raw)) == 997
    assert rejected(quarantine) == [(999, "too few fields, as a truncated line has", "u,i")]


def test_lines_are_counted_through_quoted_line_breaks(read, quarantine):
    header = HEADER.replace("\n", ",comment\n")
    text = header + 'a,b,3,1500000000,"two\nlines"\n' + "".join(row[:-1] + ",\n" for row in GOOD) + ",i,1,2,\n"
    assert rows(read(text))[0] == ("a", "b", 3.0, 1500000000)
    assert rejected(quarantine) == [(1001, "no user_id", ",i,1,2,")]


def test_blank_lines_and_empty_fields_at_the_end_are_no_rows(read):
    raw = read("user_id,item_id\n1,2,\n\n3,4\n\n")
    assert (rows(raw), raw.rows_read, raw.notes) == ([("1", "2"), ("3", "4")], 2, ())


def test_ids_are_text(read):
    assert rows(read("user_id,item_id\n007,1e5\n7,0x1\n ,\n", bad_rows={"max_bad_share": 0.5})) == [
        ("007", "1e5"),
        ("7", "0x1"),
    ]


def test_milliseconds_become_seconds_and_the_run_says_so(read):
    raw = read("user_id,item_id,timestamp\n1,2,1500000000999\n3,4,1600000000000\n")
    assert rows(raw) == [("1", "2", 1500000000), ("3", "4", 1600000000)]
    (note,) = raw.notes
    assert note.reason == "timestamps of ratings.csv are milliseconds: converted to seconds"
    assert (note.count, note.drops_events) == (2, False)


def test_half_seconds_half_milliseconds_is_an_error(read):
    text = "user_id,item_id,timestamp\n1,2,1500000000\n3,4,1500000000\n5,6,1500000000000\n"
    with pytest.raises(
        DataError, match=r"1 of 3 rows have a timestamp in another unit .*\(line 4\); bring all .* to sec"
    ):
        read(text)


def test_a_wrong_encoding(read):
    text = with_bad("Jürgen,i,3,1500000000\n")
    raw = read(text.encode("latin-1"))
    assert (raw.notes[0].reason, raw.notes[0].examples) == ("bytes that are not UTF-8", ("line 4",))
    assert rows(read(text.encode("latin-1"), encoding="latin-1"))[2][0] == "Jürgen"
    with pytest.raises(DataError, match=r"3 of 3 rows have bytes that are not UTF-8 .*as in encoding: latin-1"):
        read(("user_id,item_id\n" + "ä,ö\n" * 3).encode("latin-1"))
    with pytest.raises(DataError, match=r"ratings.csv is text in UTF-16, expected UTF-8; set encoding: utf-16"):
        read(text.encode("utf-16"))
    assert len(rows(read(text.encode("utf-16"), encoding="utf-16"))) == 998
    with pytest.raises(DataError, match=r"ratings.csv is not text in utf-16"):
        read(b"\xff\xfe\x00\xd8\x00\xd8", encoding="utf-16")


def test_a_truncated_gzip(read):
    packed = gzip.compress(json.dumps(list(range(9999))).encode())
    with pytest.raises(
        DataError, match=r"ratings.csv.gz breaks off or is damaged after .* bytes .*fetch the file again"
    ):
        read(packed[: len(packed) // 2], "ratings.csv.gz")


def test_a_file_that_is_no_gzip_and_a_damaged_zip(read):
    with pytest.raises(DataError, match=r"ratings.csv.gz breaks off or is damaged .*Not a gzipped file"):
        read("user_id,item_id\n1,2\n", "ratings.csv.gz")
    with pytest.raises(DataError, match=r"data.zip cannot be unpacked: File is not a zip file; fetch the file again"):
        read("PK", "data.zip")


def test_a_duplicate_header(read):
    with pytest.raises(DataError, match=r"ratings.csv: line 1 names the column 'user_id' 2 times; each column needs"):
        read("user_id,item_id,user_id\n1,2,3\n")


def test_json_lines_with_a_torn_line(read, quarantine):
    lines = [json.dumps({"user_id": user, "item_id": "007", "rating": 5}) for user in range(200)]
    raw = read("\n".join([*lines[:100], '{"user_id": 7, "item', *lines[100:]]), "events.jsonl")
    assert rows(raw) == [(str(user), "007", 5.0) for user in range(200)]
    assert rejected(quarantine, "events.jsonl") == [(101, "no complete JSON object", '{"user_id": 7, "item')]


def test_json_that_is_no_lines(read):
    with pytest.raises(DataError, match=r"expected one JSON object a line, found '\[{\"user_id\": 1}\]'; .*one array"):
        read('[{"user_id": 1}]', "events.json")


def test_too_many_bad_rows_stop_the_run(read, quarantine):
    with pytest.raises(DataError) as raised:
        read(with_bad(*[",i,3,1500000000\n"] * 10, "u,i,x,1500000000\n"))
    assert str(raised.value) == (
        "ratings.csv: 10 of 1,008 rows have no user_id (lines 4, 5, 6, …), 1 have no rating, or one that is not a "
        "number (line 14). That is 1.09% of the rows, and max_bad_share allows 1.00%: mend the file (the rows are in "
        f"{quarantine}/ratings.csv.rejected.csv), or allow more, as in max_bad_share: 0.02"
    )
    assert len(rejected(quarantine)) == 11


def test_fail_stops_at_the_first_table_with_bad_rows(read, quarantine):
    text = with_bad(",i,3,1500000000\n", GOOD[0], ",i,3,1500000000\n")
    with pytest.raises(DataError) as raised:
        read(text, bad_rows={"on_bad_rows": "fail"})
    assert str(raised.value) == (
        "ratings.csv: 2 of 1,000 rows have no user_id (lines 4, 6); drop them with --on-bad-rows=drop"
    )
    assert not quarantine.exists()


def test_drop_counts_and_keeps_no_file(read, quarantine):
    raw = read(with_bad(",i,3,1500000000\n"), bad_rows={"on_bad_rows": "drop"})
    assert [(note.reason, note.count) for note in raw.notes] == [("no user_id", 1)]
    assert not quarantine.exists()
