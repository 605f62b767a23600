from pathlib import Path

import polars as pl

from foretaste.data.schemas import ITEM_COLUMNS, USER_COLUMNS
from foretaste.data.sources.attributes import read_attributes, to_lists
from foretaste.data.sources.reading import open_table
from foretaste.data.validate import BadRows


def read(tmp_path: Path, text: str, name: str = "items.csv", wanted=ITEM_COLUMNS) -> tuple[pl.DataFrame, list[str]]:
    (tmp_path / name).write_text(text)
    policy = BadRows(max_bad_share=0.5, quarantine_dir=tmp_path)
    frame, notes = read_attributes(open_table(tmp_path / name, tmp_path), wanted, policy, tmp_path)
    assert not any(note.drops_events for note in notes)
    return frame, [note.reason for note in notes]


def test_items_have_canonical_columns_and_their_own(tmp_path):
    frame, notes = read(
        tmp_path,
        "asin,Title,release_year,category,price,zip,stock\n007, A ,1995.0,Drama|War,9.5,01060,3\n8,,2015-03-01,,1,5,\n",
    )
    assert notes == []
    assert frame.schema == {
        "item_id": pl.String(),
        "title": pl.String(),
        "year": pl.Int32(),
        "genres": pl.List(pl.String()),
        "price": pl.Float64(),
        "zip": pl.String(),
        "stock": pl.Int64(),
    }
    assert frame.rows() == [
        ("007", "A", 1995, ["Drama", "War"], 9.5, "01060", 3),
        ("8", None, 2015, None, 1.0, "5", None),
    ]


def test_a_repeated_id_and_a_bad_row_are_remarked(tmp_path):
    frame, notes = read(tmp_path, "item_id,title\n1,first\n1,second\n2,b\n,c\n")
    assert frame.rows() == [("1", "first"), ("2", "b")]
    assert notes[0] == "no item_id"
    assert notes[-1] == "item_id that items.csv names again: its first row counts"


def test_json_lines_with_nested_categories(tmp_path):
    frame, _ = read(tmp_path, '{"asin": 7, "categories": ["a, b", "c"], "price": 1.5}\n{"asin": "x"}\n', "items.json")
    assert frame.rows() == [("7", ["a, b", "c"], 1.5), ("x", None, None)]


def test_users_keep_their_attributes(tmp_path):
    frame, _ = read(tmp_path, "uid,age,city\n1,30,Ulm\n2,41,Bonn\n", wanted=USER_COLUMNS)
    assert frame.rows() == [("1", 30, "Ulm"), ("2", 41, "Bonn")]


def test_lists_in_every_writing():
    assert to_lists(pl.Series(["a|b, c", "(no genres listed)", None])).to_list() == [["a", "b, c"], [], None]
    assert to_lists(pl.Series(["a; b", "c"])).to_list() == [["a", "b"], ["c"]]
    assert to_lists(pl.Series(["['a', 'b, c']", "[x, y]"])).to_list() == [["a", "b, c"], ["x", "y"]]
    assert to_lists(pl.Series(["a b"]), " ").to_list() == [["a", "b"]]
