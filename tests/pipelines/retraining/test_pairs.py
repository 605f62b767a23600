"""A bundle of six pairs, two a day, beside other data in which the ids stand in another order."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.pipelines.retraining.pairs import _are_in, kept_pairs, known_pairs


def events(pairs, users, items, first_day=0):
    users, items = Vocabulary(pl.Series(users)), Vocabulary(pl.Series(items))
    user_N = np.array([users.index(user) for user, _ in pairs], dtype=np.int32)
    item_N = np.array([items.index(item) for _, item in pairs], dtype=np.int32)
    days = first_day + np.arange(len(pairs)) // 2
    return Interactions(user_N, item_N, np.ones(len(pairs), dtype=np.float32), days.astype(np.int64), users, items)


LEARNT = [("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c"), ("cyd", "a"), ("cyd", "b")]


@pytest.fixture
def bundle(tmp_path):
    known = events(LEARNT, ["ann", "bob", "cyd"], ["a", "b", "c"])
    dataset = Dataset(known, pl.DataFrame({"item_id": known.items.ids}), SourceInfo("tiny"))
    model = registry.build("popularity", {}).fit(dataset, FitContext())
    return BundleStore(tmp_path).publish(BundleContents.of("popularity", model, dataset, seed=0))


USERS, ITEMS = ["bob", "zoe", "ann", "cyd"], ["new", "c", "a", "b"]


def test_pairs_that_were_learnt_are_found_by_their_ids(bundle):
    later = events([("ann", "a"), ("ann", "c"), ("zoe", "a"), ("bob", "new"), ("bob", "c")], USERS, ITEMS)
    assert known_pairs(bundle, later).tolist() == [True, False, False, False, True]
    assert known_pairs(bundle, later.select(slice(0))).tolist() == []


def test_pairs_that_are_left_are_counted_over_the_time_that_the_data_covers(bundle):
    again = events([("cyd", "a"), ("bob", "b"), ("zoe", "a")], USERS, ITEMS)
    assert kept_pairs(bundle, again) == (6, 2)
    # From day 1 on the bundle has learnt four pairs.
    since = events([("cyd", "a"), ("bob", "b"), ("zoe", "a")], USERS, ITEMS, first_day=1)
    assert kept_pairs(bundle, since) == (4, 2)
    strangers = events([("zoe", "new")], USERS, ITEMS)
    assert kept_pairs(bundle, strangers) == (6, 0)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6))),
    st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 6))),
)
def test_a_pair_is_found_where_the_matrix_has_it(stored, wanted):
    rows, columns = ([pair[side] for pair in stored] for side in (0, 1))
    matrix = sparse.coo_array((np.ones(len(stored), dtype=np.float32), (rows, columns)), shape=(5, 7)).tocsr()
    matrix.sum_duplicates()
    users, items = (np.array([pair[side] for pair in wanted], dtype=np.int32) for side in (0, 1))
    assert _are_in(matrix, users, items).tolist() == [pair in stored for pair in wanted]
