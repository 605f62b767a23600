from pathlib import Path

import pytest

from foretaste.data.sources import read_source
from foretaste.data.sources.lightgcn import LightGCNConfig
from foretaste.data.validate import BadRows
from foretaste.errors import DataError


def write(folder: Path, train: str, test: str) -> LightGCNConfig:
    (folder / "train.txt").write_text(train)
    (folder / "test.txt").write_text(test)
    return LightGCNConfig(path=folder)


def test_a_line_is_a_user_and_its_items(tmp_path):
    raw = read_source(write(tmp_path, train="0 10 11\n1 10\n", test="0 12\n1 11 007\n"))
    assert raw.interactions.collect().to_native().rows() == [
        ("0", "10", "train"),
        ("0", "11", "train"),
        ("1", "10", "train"),
        ("0", "12", "test"),
        ("1", "11", "test"),
        ("1", "007", "test"),
    ]
    assert raw.interactions.collect_schema().names() == ["user_id", "item_id", "part"]
    assert raw.rows_read == 6
    assert raw.notes == ()


def test_trailing_spaces_blank_lines_and_windows_line_ends_do_no_harm(tmp_path):
    raw = read_source(write(tmp_path, train="0 10 \r\n\r\n1 10\t11\r\n", test="0 11\n\n"))
    assert raw.interactions.collect().to_native().rows() == [
        ("0", "10", "train"),
        ("1", "10", "train"),
        ("1", "11", "train"),
        ("0", "11", "test"),
    ]


def test_users_without_items_are_counted(tmp_path):
    raw = read_source(write(tmp_path, train="0 10\n1\n2 10\n", test="0 11\n3 \n"))
    told = [(note.reason, note.count, note.examples, note.drops_events) for note in raw.notes]
    assert told == [
        ("users of train.txt without items", 1, ("user 1",), False),
        ("users of test.txt without items", 1, ("user 3",), False),
    ]
    assert raw.rows_read == 3


def test_a_line_of_something_else_is_named(tmp_path):
    config = write(tmp_path, train="0 10\n1 x11 12\n2 10\n", test="0 11\n")
    with pytest.raises(DataError, match=r"train.txt: 1 of 3 rows have something else than whole numbers .*\(line 2\)"):
        read_source(config, BadRows(on_bad_rows="fail"))


def test_a_bad_line_is_left_out_and_kept(tmp_path):
    config = write(tmp_path, train="0 10\n1 x11 12\n2 10\n", test="0 11\n")
    raw = read_source(config, BadRows(max_bad_share=0.5, quarantine_dir=tmp_path / "quarantine"))
    assert raw.interactions.collect().to_native()["user_id"].to_list() == ["0", "2", "0"]
    assert [note.count for note in raw.notes] == [1, 1]
    assert "1 x11 12" in (tmp_path / "quarantine" / "train.txt.rejected.csv").read_text()


def test_a_missing_part_is_named(tmp_path):
    (tmp_path / "train.txt").write_text("0 10\n")
    with pytest.raises(DataError, match=r"has no test.txt; it has train.txt"):
        read_source(LightGCNConfig(path=tmp_path))


def test_an_empty_part_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"test.txt is empty; expected lines of ids"):
        read_source(write(tmp_path, train="0 10\n", test="\n"))


def test_a_part_without_any_items_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"train.txt has no items: each of its 2 lines is one number"):
        read_source(write(tmp_path, train="0\n1\n", test="0 10\n"))


@pytest.mark.real_data
def test_gowalla_has_the_published_counts(real_data):
    raw = read_source(LightGCNConfig(path=real_data / "gowalla.zip", item_noun="place"))
    events = raw.interactions.collect().to_native()
    assert dict(events["part"].value_counts().rows()) == {"train": 810_128, "test": 217_242}
    assert (events["user_id"].n_unique(), events["item_id"].n_unique()) == (29_858, 40_981)
    assert (raw.info.name, raw.info.item_noun, raw.info.licence) == ("gowalla", "place", "repository under MIT")
