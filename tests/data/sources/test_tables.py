import gzip
from datetime import datetime
from zipfile import ZipFile

import polars as pl
import pytest
from pydantic import ValidationError

from foretaste.data.sources import read_source
from foretaste.data.sources.tables import ColumnsConfig, TablesConfig
from foretaste.data.validate import BadRows
from foretaste.errors import DataError

EVENT = ("007", "i", 4.5, 1_500_000_000)


def test_recbole_atomic_files(tmp_path):
    (tmp_path / "toy.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n007\ti\t4.5\t1500000000\n"
    )
    (tmp_path / "toy.item").write_text("item_id:token\tmovie_title:token_seq\tgenre:token_seq\ni\tThe\tDrama War\n")
    (tmp_path / "toy.user").write_text("user_id:token\tage:float\n007\t30\n")
    raw = read_source(
        TablesConfig(path=tmp_path / "toy.inter", items_path="toy.item", users_path="toy.user", item_noun="movie")
    )
    assert raw.interactions.collect().rows() == [EVENT]
    assert raw.items.collect().rows() == [("i", "The", ["Drama", "War"])]
    assert raw.users.collect().rows() == [("007", 30)]
    assert (raw.info.name, raw.info.item_noun) == ("toy", "movie")


def test_positions_name_the_columns_of_a_file_without_a_header(tmp_path):
    (tmp_path / "events.txt").write_text("i;x;007;1500000000;4.5\n")
    columns = {"user_id": 2, "item_id": 0, "rating": 4, "timestamp": 3}
    raw = read_source(TablesConfig(path=tmp_path / "events.txt", header=False, columns=columns))
    assert raw.interactions.collect().rows() == [EVENT]


def test_parquet_with_numbers_for_ids_and_real_times(tmp_path):
    frame = pl.DataFrame(
        {
            "user": [7, None, 9],
            "item": [1.0, 2.0, float("nan")],
            "rating": [5, 4, 3],
            "time": [datetime(2017, 7, 14, 2, 40)] * 3,
        }
    )
    frame.write_parquet(tmp_path / "events.parquet")
    bad_rows = {"max_bad_share": 0.7, "on_bad_rows": "drop"}
    raw = read_source(TablesConfig(path=tmp_path / "events.parquet"), BadRows(**bad_rows))
    assert raw.interactions.collect().rows() == [("7", "1", 5.0, 1_500_000_000)]
    assert [(note.reason, note.examples) for note in raw.notes] == [
        ("NaN or infinity for item_id", ("line 3",)),
        ("no user_id", ("line 2",)),
    ]


def test_the_parts_of_a_table_are_read_as_one(tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    for part, users in {"part-00001": ["c", None], "part-00000": ["b", "a"]}.items():
        rows = pl.DataFrame({"user_id": users, "item_id": ["i", "j"]})
        rows.write_parquet(folder / f"{part}.snappy.parquet")
        (folder / f".{part}.snappy.parquet.crc").write_bytes(b"\0")
    (folder / "_SUCCESS").touch()
    with pytest.raises(DataError, match=r"holds 2 tables.*take all as parts of one, by file: '\*\.parquet'"):
        read_source(TablesConfig(path=folder))
    config = TablesConfig(path=folder, file="*.parquet")
    raw = read_source(config, BadRows(max_bad_share=0.5, quarantine_dir=tmp_path))
    assert raw.interactions.collect().rows() == [("b", "i"), ("a", "j"), ("c", "i")]
    assert (raw.info.name, raw.rows_read) == ("events", 4)
    assert [(note.count, note.examples) for note in raw.notes if note.drops_events] == [(1, ("line 4",))]
    assert pl.read_csv(tmp_path / "events.rejected.csv").rows() == [(4, "no user_id", ",j")]

    checksum = raw.info.checksum
    pl.DataFrame({"user_id": ["d"], "item_id": ["k"]}).write_parquet(folder / "part-00002.parquet")
    assert read_source(config, BadRows(max_bad_share=0.5, quarantine_dir=tmp_path)).info.checksum != checksum
    pl.DataFrame({"user_id": [4], "item_id": ["k"]}).write_parquet(folder / "part-00002.parquet")
    with pytest.raises(
        DataError, match=r"part-00002.parquet has the columns user_id \(Int64\), item_id \(String\), and"
    ):
        read_source(config)
    with pytest.raises(DataError, match=r"has no part-9\*\.parquet"):
        read_source(TablesConfig(path=folder, file="part-9*.parquet"))
    (folder / "day=2").mkdir()
    pl.DataFrame({"user_id": ["d"]}).write_parquet(folder / "day=2/part-00002.parquet")
    with pytest.raises(DataError, match=r"several files part-00002.parquet; expected one"):
        read_source(config)


def test_one_table_in_an_archive_is_found_and_of_several_one_is_named(tmp_path):
    with ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("data/events.csv.gz", gzip.compress(b"user_id,item_id\n007,i\n"))
        archive.writestr("data/README.md", "hello")
    assert read_source(TablesConfig(path=tmp_path / "data.zip")).interactions.collect().rows() == [EVENT[:2]]
    with ZipFile(tmp_path / "data.zip", "a") as archive:
        archive.writestr("data/items.csv", "item_id,title\ni,T\n")
    with pytest.raises(DataError, match=r"holds 2 tables: data/events.csv.gz, data/items.csv; expected one: name"):
        read_source(TablesConfig(path=tmp_path / "data.zip"))
    raw = read_source(TablesConfig(path=tmp_path / "data.zip", file="events.csv", items_path="items.csv"))
    assert raw.items.collect().rows() == [("i", "T")]


def test_frames_outlive_the_call_that_made_them(tmp_path):
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(b"user_id,item_id\n007,i\n"))
    raw = read_source(TablesConfig(path=tmp_path / "events.csv.gz"))
    assert raw.interactions.collect().rows() == raw.interactions.collect().rows() == [EVENT[:2]]


def test_a_misspelt_key_is_refused():
    with pytest.raises(ValidationError, match="seperator"):
        TablesConfig(path="x", seperator=",")


def test_a_split_of_ones_own_comes_with_the_rows(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item,part\nu,a,train\nu,b,test\nv,a,valid\nv,c,holdout\n")
    wanted = TablesConfig(path=path, columns=ColumnsConfig(part="part"))
    raw = read_source(wanted, BadRows(on_bad_rows="drop", max_bad_share=1))
    assert raw.interactions.collect().to_native()["part"].to_list() == ["train", "test", "valid"]
    assert raw.notes[0].reason == "a part other than train, valid, test"
    # A column that happens to be called so is no split unless the config says it is.
    plain = read_source(TablesConfig(path=path), BadRows())
    assert "part" not in plain.interactions.collect_schema().names()
