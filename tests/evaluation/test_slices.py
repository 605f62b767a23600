import numpy as np
import pytest
from scipy import sparse

from foretaste.evaluation.slices import item_groups, item_slices, user_slices


def test_items_are_divided_by_their_share_of_the_events():
    # 12 events: 6 are a half, of which the first third is; 2 + 2 lie in the next third, 1 + 1 in the last; one is cold.
    group_I, definitions = item_groups(np.array([1, 6, 2, 0, 1, 2]))
    assert list(definitions) == ["head items", "mid items", "tail items", "cold items"]
    assert group_I.tolist() == [2, 0, 1, 3, 2, 2]
    assert "1 items" in definitions["head items"]


def test_only_the_relevant_items_of_a_group_count():
    relevant = sparse.csr_array(np.array([[1, 0, 1], [1, 0, 0]], dtype=np.float32))
    users, items = np.array([4, 7], dtype=np.int32), np.array([[0, 1], [1, 0]], dtype=np.int32)
    slices = item_slices(users, items, relevant, np.array([9, 1, 0]), (2,), ("recall", "novelty"))
    assert list(slices) == ["head items", "cold items"]
    assert slices["head items"].values["recall@2"].tolist() == [1, 1]
    assert slices["cold items"].user_B.tolist() == [4]
    assert slices["cold items"].values["recall@2"].tolist() == [0]
    assert slices["cold items"].num_relevant == 1
    assert "novelty@2" not in slices["head items"].values


def test_users_are_divided_by_the_length_of_their_history():
    length, value = np.array([0, 5, 6, 10, 50]), np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    slices = user_slices(np.arange(5, dtype=np.int32), length, np.ones(5, dtype=np.int32), {"ndcg@2": value})
    assert {name: one.user_B.tolist() for name, one in slices.items()} == {
        "cold users": [0],
        "new users": [1],
        "light users": [2, 3],
        "heavy users": [4],
    }
    assert slices["light users"].mean("ndcg@2") == pytest.approx(0.25)
    assert slices["light users"].estimate("ndcg@2").mean == pytest.approx(0.25)
    assert "6 to 10" in slices["light users"].definition


def test_a_metric_that_is_defined_for_nobody_of_a_group_is_left_out_there():
    values = {"calibration@2": np.array([np.nan, 0.5])}
    slices = user_slices(np.arange(2, dtype=np.int32), np.array([0, 9]), np.ones(2, dtype=np.int32), values)
    assert slices["cold users"].values == {}
    assert slices["light users"].mean("calibration@2") == 0.5
