from zlib import crc32

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.data.features.slots import Slots, as_lists

LISTS = pl.Series([["drama", "war"], ["drama"], ["war", "drama"], ["noir"], ["noir"], ["rare"], None, []])


def test_frequent_values_get_slots_of_their_own_and_ties_go_by_text():
    slots = Slots.fit(LISTS, top_k=2, num_buckets=0, min_rows=2)
    assert slots.values == ("drama", "noir")  # 3 rows; then noir and war with 2 each
    assert slots.encode(LISTS).toarray().tolist() == [
        [1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0], [0, 0],
    ]  # fmt: skip


def test_the_rest_shares_hashed_slots():
    slots = Slots.fit(LISTS, top_k=1, num_buckets=5, min_rows=2)
    assert len(slots) == 1 + 5
    place = 1 + crc32(b"war") % 5
    assert slots.encode(pl.Series([["war"]])).toarray()[0].nonzero()[0].tolist() == [place]


def test_rare_and_unseen_values_say_nothing():
    slots = Slots.fit(LISTS, top_k=1, num_buckets=2, min_rows=2)
    assert slots.encode(pl.Series([["rare"], ["never seen"]])).nnz == 0


def test_no_buckets_where_there_is_no_rest():
    assert len(Slots.fit(LISTS, top_k=3, num_buckets=64, min_rows=2)) == 3


def test_the_hash_is_the_same_everywhere():
    # CRC-32 of "war" by its definition, not by this machine's `hash`.
    assert Slots.fit(LISTS, top_k=2, num_buckets=1000, min_rows=2).rest == (1813179697,)


@pytest.mark.parametrize(
    ("cell", "separator", "expected"),
    [
        ("J.K. Rowling, Mary GrandPré", ",", ["j.k. rowling", "mary grandpré"]),
        (" Drama ", None, ["drama"]),
        ("", None, []),
        (",,", ",", []),
        (["War ", ""], None, ["war"]),
    ],
)
def test_cells_become_tidy_lists(cell, separator, expected):
    assert as_lists(pl.Series([cell]), separator).to_list() == [expected]


@given(st.lists(st.lists(st.text(max_size=3), max_size=4), min_size=1, max_size=8), st.randoms())
def test_a_row_is_encoded_by_itself(rows, random):
    lists = pl.Series(rows, dtype=pl.List(pl.String))
    slots = Slots.fit(lists, top_k=2, num_buckets=3, min_rows=1)
    whole = slots.encode(lists).toarray()
    order = random.sample(range(len(rows)), len(rows))
    shuffled = slots.encode(pl.Series([rows[row] for row in order], dtype=pl.List(pl.String))).toarray()
    assert (shuffled == whole[order]).all()
    assert (slots.encode(lists[:1]).toarray() == whole[:1]).all()
