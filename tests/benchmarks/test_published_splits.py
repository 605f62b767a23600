import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "published_splits.py"))
last_of_each_user = SCRIPT["last_of_each_user"]


class Fractions:
    """A generator that draws what it was given."""

    def __init__(self, *fraction_U):
        self.fraction_U = np.array(fraction_U)

    def random(self, size):
        assert size == len(self.fraction_U)
        return self.fraction_U


def train_of(user_N, num_users):
    return Interactions(
        user_N=np.array(user_N, dtype=np.int32),
        item_N=np.arange(len(user_N), dtype=np.int32),
        weight_N=np.ones(len(user_N), dtype=np.float32),
        timestamp_N=None,
        users=Vocabulary(pl.Series("id", np.arange(num_users))),
        items=Vocabulary(pl.Series("id", np.arange(len(user_N)))),
    )


def test_the_last_of_each_user_in_the_order_of_the_file():
    # Users 0, 1 and 2 have five, three and two events, mixed; user 3 has none. Four tenths of them are 2, 1.2 and .8.
    user_N = [1, 0, 0, 2, 1, 0, 2, 0, 1, 0]
    for fractions, expected in (
        ((0.0, 0.0, 0.0, 0.0), [7, 8, 9]),
        ((0.0, 0.9, 0.0, 0.0), [4, 7, 8, 9]),
        ((0.9, 0.7, 0.3, 0.9), [6, 7, 8, 9]),
    ):
        is_last_N = last_of_each_user(train_of(user_N, 4), 0.4, Fractions(*fractions))
        assert np.flatnonzero(is_last_N).tolist() == expected


def test_fractions_by_chance_come_to_the_share():
    # Each of 20,000 users with three events gives none or one, .3 on average.
    user_N = np.repeat(np.arange(20_000), 3)
    is_last_N = last_of_each_user(train_of(user_N, 20_000), 0.1, np.random.default_rng(0))
    assert set(np.bincount(user_N[is_last_N], minlength=20_000)) == {0, 1}
    assert is_last_N.mean() == pytest.approx(0.1, abs=0.004)
    assert (np.flatnonzero(is_last_N) % 3 == 2).all()


def test_the_cut_of_a_full_ranking_parts_train_and_judges_some():
    user_N = np.tile(np.arange(8_000), 20)
    train = train_of(user_N, 8_000)
    kept, judged, negatives = SCRIPT["cut"](train, is_ranked_among_given=False)
    assert negatives is None
    # Two of each 20, of 6,000 users; the rest of train has 18 of every user.
    assert np.bincount(kept.user_N).tolist() == [18] * 8_000
    assert len(np.unique(judged.user_N)) == SCRIPT["NUM_JUDGED"] == 6_000
    assert len(judged) == 12_000
    assert judged.item_N.min() >= 18 * 8_000 > kept.item_N.max()
