from pathlib import Path

import pytest

from foretaste.data.sources import read_source
from foretaste.data.sources.ncf import NCFConfig
from foretaste.data.validate import BadRows
from foretaste.errors import DataError

FILES = {
    "tiny.train.rating": "0\t0\t5\t100\n0\t1\t3\t200\n1\t0\t4\t300\n",
    "tiny.test.rating": "0\t2\t4\t400\n1\t3\t5\t500\n",
    "tiny.test.negative": "(0,2)\t3\t4\n(1,3)\t1\t2\n",
}


def write(folder: Path, **changes: str) -> NCFConfig:
    for name, text in (FILES | {name.replace("_", "."): text for name, text in changes.items()}).items():
        (folder / name).write_text(text)
    return NCFConfig(path=folder)


def test_both_parts_and_the_negatives_are_read(tmp_path):
    raw = read_source(write(tmp_path))
    assert raw.interactions.collect().to_native().rows() == [
        ("0", "0", 5.0, 100, "train"),
        ("0", "1", 3.0, 200, "train"),
        ("1", "0", 4.0, 300, "train"),
        ("0", "2", 4.0, 400, "test"),
        ("1", "3", 5.0, 500, "test"),
    ]
    assert raw.negatives.collect().to_native().rows() == [("0", "3"), ("0", "4"), ("1", "1"), ("1", "2")]
    assert (raw.info.name, raw.info.item_noun, raw.rows_read, raw.items) == ("ncf-tiny", "movie", 5, None)


def test_times_that_only_one_part_has_are_left_out(tmp_path):
    raw = read_source(write(tmp_path, tiny_train_rating="0\t0\t5\n1\t0\t4\n"))
    assert raw.interactions.collect_schema().names() == ["user_id", "item_id", "rating", "part"]
    assert raw.interactions.collect().to_native()["part"].to_list() == ["train", "train", "test", "test"]


def test_the_item_map_says_which_film_an_item_is(tmp_path):
    config = write(tmp_path)
    (tmp_path / "item_map.tsv").write_text("ncf_item\tmovie_id\n0\t1193\n1\t661\n")
    assert read_source(config).items.collect().to_native().rows() == [("0", 1193), ("1", 661)]


def test_a_folder_with_two_data_sets_needs_a_name(tmp_path):
    config = write(tmp_path, other_train_rating="0\t9\t1\n", other_test_rating="0\t8\t1\n")
    (tmp_path / "other.test.negative").write_text("(0,8)\t7\n")
    with pytest.raises(DataError, match=r"holds other, tiny: say which, as in name: other"):
        read_source(config)
    raw = read_source(NCFConfig(path=tmp_path, name="other"))
    assert raw.interactions.collect().to_native()["item_id"].to_list() == ["9", "8"]


def test_a_folder_without_the_files_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match=r"has no file that ends in .train.rating, as ml-1m.train.rating does"):
        read_source(NCFConfig(path=tmp_path))
    (tmp_path / "ml-1m.train.rating").write_text("0\t0\t5\n")
    with pytest.raises(DataError, match=r"has no ml-1m.test.rating; it has ml-1m.train.rating"):
        read_source(NCFConfig(path=tmp_path))


def test_a_line_of_negatives_that_is_none_is_named(tmp_path):
    config = write(tmp_path)
    (tmp_path / "tiny.test.negative").write_text("(0,2)\t3\t4\n1,3\t1\t2\n")
    with pytest.raises(
        DataError, match=r"tiny.test.negative: 1 of 2 rows have something else than \(user,item\).*line 2"
    ):
        read_source(config, BadRows(on_bad_rows="fail"))


def test_a_rating_that_is_no_number_is_named(tmp_path):
    config = write(tmp_path, tiny_train_rating="0\t0\t5\t100\n0\t1\tgood\t200\n")
    with pytest.raises(DataError, match=r"tiny.train.rating: 1 of 2 rows have no rating, or one that is not a number"):
        read_source(config, BadRows(on_bad_rows="fail"))


@pytest.mark.real_data
def test_movielens_1m_has_the_published_counts(real_data):
    raw = read_source(NCFConfig(path=real_data / "ncf-ml-1m.zip"))
    events, negatives = raw.interactions.collect().to_native(), raw.negatives.collect().to_native()
    assert dict(events["part"].value_counts().rows()) == {"train": 994_169, "test": 6_040}
    assert negatives.group_by("user_id").len()["len"].unique().to_list() == [99]
    assert negatives["user_id"].n_unique() == 6_040
    assert raw.items.collect().to_native().columns == ["item_id", "movie_id"]
    assert raw.info.name == "ncf-ml-1m"
