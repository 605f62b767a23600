"""A bundle asked for users and items of other data: 3 users and 3 items known, one of each new."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.models import registry
from foretaste.models.protocol import FitContext, Query
from foretaste.pipelines.retraining.translated import Translated


def events(pairs, users, items):
    users, items = Vocabulary(pl.Series(users)), Vocabulary(pl.Series(items))
    user_N = np.array([users.index(user) for user, _ in pairs], dtype=np.int32)
    item_N = np.array([items.index(item) for _, item in pairs], dtype=np.int32)
    ones = np.ones(len(pairs), dtype=np.float32)
    return Interactions(user_N, item_N, ones, np.arange(len(pairs), dtype=np.int64), users, items)


@pytest.fixture
def bundle(tmp_path):
    known = events(
        [("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c"), ("cyd", "a"), ("cyd", "b")],
        ["ann", "bob", "cyd"],
        ["a", "b", "c"],
    )
    dataset = Dataset(known, pl.DataFrame({"item_id": known.items.ids}), SourceInfo("tiny"))
    model = registry.build("als", {"embedding_dim": 2, "iterations": 3}).fit(dataset, FitContext())
    return BundleStore(tmp_path).publish(BundleContents.of("als", model, dataset, seed=0))


USERS, ITEMS = ["bob", "zoe", "ann", "cyd"], ["new", "c", "a", "b"]
"""The same and a stranger, in another order."""


def history(rows):
    matrix = np.zeros((len(USERS), len(ITEMS)), dtype=np.float32)
    for user, items in rows.items():
        for item in items:
            matrix[USERS.index(user), ITEMS.index(item)] = 1
    return sparse.csr_array(matrix)


def test_scores_stand_at_the_ids_of_the_data_and_an_unknown_item_cannot_be_shown(bundle):
    translated = Translated(bundle, Vocabulary(pl.Series(USERS)), Vocabulary(pl.Series(ITEMS)))
    same = history({"bob": "bc", "ann": "ab", "cyd": "ab"})
    scores_BI = translated.score(Query(np.array([0, 2], dtype=np.int32), same[[0, 2]]))
    own_BJ = bundle.model().score(Query(np.array([1, 0], dtype=np.int32), bundle.history.weights_UI[[1, 0]]))
    assert (scores_BI[:, 0] == -np.inf).all()
    np.testing.assert_array_equal(scores_BI[:, 1:], own_BJ[:, [2, 0, 1]])  # c, a, b
    assert translated.popularity_I.tolist() == [-np.inf, 1, 2, 3]
    assert translated.is_known_I.tolist() == [False, True, True, True]


def test_who_has_news_or_is_new_is_known_by_the_whole_history(bundle):
    translated = Translated(bundle, Vocabulary(pl.Series(USERS)), Vocabulary(pl.Series(ITEMS)))
    # Ann's new event is in c, and her stored ones in a and b are not in the data any more; Zoe is a stranger.
    now = history({"ann": "c", "zoe": "b"})
    query = translated._as_known(np.array([0, -1], dtype=np.int32), now[[2, 1]])
    assert query.user_B.tolist() == [-1, -1]
    assert query.history_BI.toarray().tolist() == [[1, 1, 1], [0, 1, 0]]
    scores_BI = translated.score(Query(np.array([2, 1], dtype=np.int32), now[[2, 1]]))
    folded_BJ = bundle.model().score(Query.of_history(query.history_BI))
    np.testing.assert_array_equal(scores_BI[:, 1:], folded_BJ[:, [2, 0, 1]])


def test_news_of_items_that_the_bundle_does_not_know_are_none(bundle):
    translated = Translated(bundle, Vocabulary(pl.Series(USERS)), Vocabulary(pl.Series(ITEMS)))
    query = translated._as_known(np.array([0], dtype=np.int32), history({"ann": ["new", "a"]})[[2]])
    assert query.user_B.tolist() == [0]
    assert query.history_BI.toarray().tolist() == [[1, 1, 0]]
