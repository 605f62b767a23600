import dataclasses

import numpy as np
import polars as pl
import pytest

from foretaste.artifacts import segments as module
from foretaste.artifacts.bundle import Bundle, BundleContents
from foretaste.artifacts.segments import SEGMENTS_FILE, Segments
from foretaste.artifacts.writing import write_bundle
from foretaste.models import registry
from foretaste.models.protocol import FitContext


@pytest.fixture
def with_users(dataset, monkeypatch):
    """ann and bob, who met a b | a c d, study; cyd, who met a, is 40; dan, who met b and e, is 60."""
    monkeypatch.setattr(module, "FEWEST_USERS", 1)
    users = pl.DataFrame(
        {
            "user_id": dataset.interactions.users.ids,
            "job": ["student", "student", "clerk", None],
            "age": [20, None, 40, 60],
            "member": [True, False, False, False],
            "tags": [["x"], [], [], []],
        }
    )
    return dataclasses.replace(dataset, users=users)


def test_counts_by_hand(with_users):
    segments = Segments.of(with_users)
    (students,) = segments.of_user({"job": "student", "unheard of": 1})
    assert (students.name, students.num_users, students.num_events) == ("job student", 2, 5)
    assert students.item_X.tolist() == [0, 1, 2, 3]
    assert students.count_X.tolist() == [2, 1, 1, 1]
    assert students.is_complete
    assert [each.name for each in segments.of_user({"member": True})] == ["member true"]
    assert segments.of_user({"job": "astronaut", "age": "old", "tags": "x"}) == []


def test_numbers_are_cut_into_ranges_without_gaps(with_users):
    ages = [each for each in Segments.of(with_users).segments if each.attribute == "age"]
    for age in (-5, 20, 33.3, 40, 59.9, 60, 900):
        assert sum(each.holds(age) for each in ages) <= 1
    assert sum(each.num_users for each in ages) == 3
    assert {each.name.split()[1] for each in ages} >= {"below"}


def test_few_users_make_no_segment(with_users, monkeypatch):
    monkeypatch.setattr(module, "FEWEST_USERS", 2)
    assert {each.name for each in Segments.of(with_users).segments} <= {"job student", "member false"}
    monkeypatch.setattr(module, "FEWEST_USERS", 20)
    assert Segments.of(with_users) is None
    assert Segments.of(dataclasses.replace(with_users, users=None)) is None


def test_a_long_list_is_cut_and_says_so(with_users, monkeypatch):
    monkeypatch.setattr(module, "_MOST_ITEMS", 2)
    (students,) = Segments.of(with_users).of_user({"job": "student"})
    assert (students.item_X.tolist(), students.is_complete) == ([0, 1], False)
    monkeypatch.setattr(module, "_MOST_SEGMENTS", 1)
    assert len(Segments.of(with_users).segments) == 1


def test_a_bundle_keeps_them_and_bundles_without_stay_readable(with_users, contents, tmp_path):
    model = registry.build("popularity", {}).fit(with_users, FitContext())
    bundle = write_bundle(tmp_path, BundleContents.of("popularity", model, with_users, seed=0))
    assert SEGMENTS_FILE in bundle.manifest.files
    written, read = Segments.of(with_users).segments, Bundle.open(bundle.folder).segments.segments
    for before, after in zip(written, read, strict=True):
        for name in ("attribute", "value", "low", "high", "num_users", "num_events", "is_complete"):
            assert getattr(before, name) == getattr(after, name)
        np.testing.assert_array_equal(before.item_X, after.item_X)
        np.testing.assert_array_equal(before.count_X, after.count_X)
    without = write_bundle(tmp_path, dataclasses.replace(contents, segments=None))
    assert SEGMENTS_FILE not in without.manifest.files
    assert Bundle.open(without.folder).segments is None


def test_items_that_are_not_there_are_refused(with_users, tmp_path):
    Segments.of(with_users).write(tmp_path)
    with pytest.raises(ValueError, match="do not fit the 2 of the bundle"):
        Segments.read(tmp_path, num_items=2)
