import numpy as np
import pytest

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.warnings import (
    below_baseline,
    cold_items,
    cold_users,
    of_figures,
    of_split,
    repeated_pairs,
    sampled,
    time_leakage,
    too_few_users,
)

USERS, ITEMS = Vocabulary.of(["u0", "u1", "u2"]), Vocabulary.of(["a", "b", "c"])


def events(*rows, timed=True):
    user_N, item_N, time_N = np.array(rows).T
    return Interactions(
        user_N.astype(np.int32),
        item_N.astype(np.int32),
        np.ones(len(rows), np.float32),
        time_N.astype(np.int64) if timed else None,
        USERS,
        ITEMS,
    )


TRAIN = events((0, 0, 10), (0, 1, 20), (1, 0, 30), (2, 2, 40))
CLEAN = events((0, 2, 41), (1, 1, 50), (2, 0, 50))


def test_a_clean_split_raises_none():
    assert of_split(TRAIN, CLEAN) == []


def test_events_at_one_moment_are_no_leak():
    assert time_leakage(TRAIN, events((0, 2, 40))) is None


def test_a_planted_leak_is_told_with_its_share_and_where_it_comes_from():
    # u0's event at 15 is older than its train event at 20; item c at 39 older than c's at 40; the third is later.
    warning = time_leakage(TRAIN, events((0, 2, 15), (1, 2, 39), (1, 1, 50)))
    assert warning.kind == "time_leakage"
    assert warning.text.startswith("2 of 3 (66.7%) test events")
    assert "same item (2)" in warning.text  # item c at 15 and at 39, before 40
    assert "user (1)" in warning.text
    assert "split.method=global_time" in warning.remedy


def test_without_timestamps_nobody_can_tell():
    assert time_leakage(events((0, 0, 0), timed=False), events((0, 1, 0), timed=False)) is None


def test_a_planted_duplicate_is_told_by_name():
    warning = repeated_pairs(TRAIN, events((1, 0, 60), (0, 2, 60)))
    assert warning.kind == "repeated_pairs"
    assert warning.text.startswith("1 of 2 (50.0%) test events repeat a pair of train, as user u1 with item a")


def test_cold_users_and_items_are_told_from_a_tenth_on():
    train = events((0, 0, 1))
    assert cold_users(train, events((0, 1, 2), (1, 0, 2))).text.startswith("1 of 2 (50.0%) judged users")
    assert cold_items(train, events((0, 1, 2), (1, 0, 2))).text.startswith(
        "1 of 2 (50.0%) test events are with items that"
    )
    assert cold_items(train, events(*[(0, 0, 3)] * 10, (0, 1, 3))) is None  # 1 of 11
    assert cold_items(train, events(*[(0, 0, 3)] * 9, (0, 1, 3))) is not None  # 1 of 10


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    floor = rng.random(200)
    return {
        "counts": floor,
        "neighbours": floor + 0.05,
        "worse": floor - 0.05 + 0.1 * rng.standard_normal(200),
        "between": floor + 0.02 + 0.1 * rng.standard_normal(200),
        "unlucky": floor - 0.001 + 0.1 * rng.standard_normal(200),
    }


TYPES = {"counts": "popularity", "neighbours": "item_knn", "worse": "als", "between": "als", "unlucky": "als"}


def test_a_model_really_below_a_baseline_is_told_and_one_below_by_chance_is_not(values):
    told = [warning.text for warning in below_baseline(values, TYPES, "ndcg@10")]
    below = [tuple(text.split(":")[0].split(" is worse than ")) for text in told]
    assert ("worse", "counts") in below
    assert ("between", "neighbours") in below
    assert ("unlucky", "counts") not in below
    assert values["between"].mean() > values["counts"].mean()
    assert not any(model in ("counts", "neighbours") for model, _ in below)
    assert f"ndcg@10 {values['worse'].mean():.4f} against {values['counts'].mean():.4f}" in told[0]


def test_item_item_below_popularity_is_told_and_popularity_below_item_item_is_not(values):
    swapped = {"counts": values["neighbours"], "neighbours": values["counts"]}
    (warning,) = below_baseline(swapped, {"counts": "popularity", "neighbours": "item_knn"}, "ndcg@10")
    assert warning.text.startswith("neighbours is worse than counts")


def test_too_few_users_or_too_few_with_a_hit():
    assert too_few_users(np.r_[np.ones(10), np.zeros(20)], "ndcg@10") is None
    assert "29 users were judged" in too_few_users(np.ones(29), "ndcg@10").text
    assert "9 of them with a recall@5 above 0" in too_few_users(np.r_[np.ones(9), np.zeros(991)], "recall@5").text


def test_figures_of_full_ranking_over_enough_users_raise_none(values):
    fine = {"counts": values["counts"], "neighbours": values["neighbours"]}
    types = {"counts": "popularity", "neighbours": "item_knn"}
    assert of_figures(fine, types, "neighbours", "ndcg@10", "all") == []
    assert [one.kind for one in of_figures(fine, types, "neighbours", "ndcg@10", "given")] == ["sampled"]
    assert sampled("all") is None
