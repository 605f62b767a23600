import lightgbm
import numpy as np
import pytest

from foretaste.models.two_stage.trees import Trees, trees_of


def leaf(value):
    return {"leaf_value": value}


def node(feature, threshold, left, right):
    return {
        "split_feature": feature,
        "threshold": threshold,
        "decision_type": "<=",
        "left_child": left,
        "right_child": right,
    }


@pytest.fixture
def by_hand() -> Trees:
    # Feature 0 ≤ 1: 10. Above: feature 1 ≤ -1: 20, else 30. Then a stump on feature 1, and a tree that is one leaf.
    deep = node(0, 1.0, leaf(10.0), node(1, -1.0, leaf(20.0), leaf(30.0)))
    stump = node(1, 0.0, leaf(0.5), leaf(-0.25))
    trees = (deep, stump, leaf(100.0))
    return trees_of({"tree_info": [{"tree_structure": tree} for tree in trees]})


def test_rows_come_to_the_leaves_that_a_hand_finds(by_hand):
    feature_NF = np.array(
        [[1.0, 5.0], [1.5, -1.0], [1.5, -0.5], [np.nextafter(np.float32(1), 2), 0.0]], dtype=np.float32
    )
    expected_N = [10 - 0.25 + 100, 20 + 0.5 + 100, 30 + 0.5 + 100, 30 + 0.5 + 100]
    np.testing.assert_array_equal(by_hand.evaluate(feature_NF), expected_N)
    np.testing.assert_array_equal(by_hand.evaluate(feature_NF, alone=True), expected_N)


def test_no_row_comes_below_the_lowest_leaves(by_hand):
    assert by_hand.lowest == pytest.approx([10 - 0.25 + 100])


def test_the_state_survives(by_hand):
    restored = Trees.from_state(by_hand.state())
    for name in Trees._fields:
        np.testing.assert_array_equal(getattr(restored, name), getattr(by_hand, name))


def test_no_trees_say_nothing():
    trees = trees_of({"tree_info": []})
    np.testing.assert_array_equal(trees.evaluate(np.zeros((3, 2), dtype=np.float32)), np.zeros(3))


def test_what_lightgbm_learnt_is_evaluated_as_lightgbm_does():
    rng = np.random.default_rng(0)
    feature_NF = rng.standard_normal((2000, 5)).astype(np.float32)
    feature_NF[:, 3] = np.round(feature_NF[:, 3])  # values that fall on thresholds
    relevant_N = (feature_NF[:, 0] + feature_NF[:, 3] + rng.standard_normal(2000)) > 1
    settings = {"objective": "lambdarank", "num_leaves": 9, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(feature_NF, relevant_N, group=[20] * 100), 30)
    trees = trees_of(booster.dump_model())
    np.testing.assert_allclose(trees.evaluate(feature_NF), booster.predict(feature_NF), rtol=1e-12, atol=1e-12)
    assert len(np.unique(trees.feature_X)) > 1
