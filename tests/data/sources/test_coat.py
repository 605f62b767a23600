import pytest

from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.coat import CoatConfig
from foretaste.data.splits import GivenSplit, split
from foretaste.errors import DataError

FILES = {
    "train.ascii": "0 4 0 \n5 0 1 \n",
    "test.ascii": "3 0 5 \n0 0 2 \n",
    "item_features.ascii": "1 0 1 0 0 1\n0 1 0 1 1 0\n1 0 1 0 0 1\n",
    "item_features_map.txt": "gender:men\ngender:women\njackettype:rain\njackettype:other\ncolor:red\ncolor:navy\n",
    "user_features.ascii": "1 0\n0 1\n",
    "user_features_map.txt": "age:20-30\nage:over 60",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def rows(frame):
    return frame.collect(backend="polars").to_native().rows()


def test_chosen_ratings_are_the_events_and_drawn_ones_the_truth(folder):
    raw = read_source(CoatConfig(path=folder))
    assert rows(raw.interactions) == [("0", "1", 4.0), ("1", "0", 5.0), ("1", "2", 1.0)]
    assert rows(raw.truth) == [("0", "0", 3.0), ("0", "2", 5.0), ("1", "2", 2.0)]
    assert raw.negatives is None
    items = raw.items.collect(backend="polars").to_native()
    assert items["title"].to_list() == ["Navy rain, men, no. 0", "Red coat, women, no. 1", "Navy rain, men, no. 2"]
    assert items["genres"].to_list() == [["rain"], ["other"], ["rain"]]
    assert rows(raw.users) == [("0", "20-30"), ("1", "over 60")]


def test_or_they_are_a_given_split_with_the_drawn_items_as_candidates(folder):
    prepared = prepare(read_source(CoatConfig(path=folder, test="random")), PrepareConfig(min_rating=4))
    parts = split(prepared, GivenSplit())
    assert parts.train.items.ids_at(parts.train.item_N) == ["1", "0"]
    assert parts.test.items.ids_at(parts.test.item_N) == ["2"]
    assert len(prepared.negatives) == 3
    assert prepared.truth is None


def test_the_truth_is_encoded_with_its_ratings(folder):
    prepared = prepare(read_source(CoatConfig(path=folder)), PrepareConfig(min_rating=4))
    # Item 2 has no event that counts: nobody can score it.
    assert prepared.truth.items.ids_at(prepared.truth.item_N) == ["0"]
    assert prepared.truth.weight_N.tolist() == [3]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.ascii", "0 4 0\n5 0\n", r"train\.ascii: expected rows of whole numbers .* all of one length"),
        ("test.ascii", "0 9 0\n5 0 1\n", "expected ratings from 1 to 5, and 0 for none; found 9"),
        ("user_features_map.txt", "age:20-30\n", "names 1 values, and user_features.ascii has 2 columns"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read_source(CoatConfig(path=folder))


@pytest.mark.real_data
def test_the_archive_has_the_published_sizes(real_data):
    raw = read_source(CoatConfig(path=real_data / "coat.zip"))
    chosen, drawn = rows(raw.interactions), rows(raw.truth)
    assert (len(chosen), len(drawn)) == (290 * 24, 290 * 16)
    assert len({(user, item) for user, item, _ in chosen} & {(user, item) for user, item, _ in drawn}) == 366
