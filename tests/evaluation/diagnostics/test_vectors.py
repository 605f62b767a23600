import numpy as np
import pytest
from scipy import sparse

from foretaste.evaluation.diagnostics.metadata import Categories
from foretaste.evaluation.diagnostics.vectors import alignment, cohesion, norms


def categories(*rows):
    matrix = np.array(rows, dtype=np.float32)
    return Categories("genres", [str(value) for value in range(matrix.shape[1])], sparse.csr_array(matrix))


def vectors(*rows):
    return np.array(rows, dtype=np.float32)


def test_lengths_by_hand():
    told = norms(vectors([3, 4], [0, 1], [9, 9], [0, 10]), np.array([10, 0, 0, 100]))
    assert (told.num_vectors, told.mean, told.stdev) == (2, 7.5, 2.5)
    assert told.quantiles["min"] == 5
    assert told.quantiles["50%"] == 7.5
    assert sum(told.counts) == 2
    assert told.r_events == pytest.approx(1)


def test_equal_lengths_have_no_correlation_and_one_bin():
    told = norms(vectors([0.6, 0.8], [1, 0], [0, 1]), np.array([1, 5, 9]))
    assert told.r_events is None
    assert told.counts == (3,)


def test_without_events_there_is_nothing_to_measure():
    assert norms(vectors([1, 0]), np.array([0])) is None


def test_cohesion_by_hand():
    # Four items on a quarter circle, neighbours by angle: 0-1 alike, 1-0 alike, 2-1 not, 3-2 alike.
    angles = np.radians([0, 10, 25, 90])
    item_ID = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 7
    told = cohesion(item_ID, np.ones(4), categories([1, 0], [1, 0], [0, 1], [0, 1]), 1, 100, 0)
    assert told.share.mean == 3 / 4
    assert told.expected == pytest.approx(1 / 3)
    assert (told.neighbor_k, told.num_items) == (1, 4)


def planted(seed=0, num_items=400, num_groups=8):
    rng = np.random.default_rng(seed)
    group_I = rng.integers(num_groups, size=num_items)
    item_ID = rng.standard_normal((num_groups, 16))[group_I] * 3 + 0.2 * rng.standard_normal((num_items, 16))
    return item_ID.astype(np.float32), np.eye(num_groups, dtype=np.float32)[group_I], rng


def test_planted_groups_are_found_and_shuffled_ones_are_chance():
    item_ID, has_IC, rng = planted()
    events_I = np.ones(len(item_ID))
    found = cohesion(item_ID, events_I, categories(*has_IC), 10, 200, 0)
    assert found.share.mean > 0.99
    assert found.num_items == 200
    shuffled = cohesion(item_ID, events_I, categories(*rng.permutation(has_IC)), 10, 400, 0)
    assert shuffled.share.mean == pytest.approx(shuffled.expected, abs=0.02)
    assert shuffled.expected == pytest.approx(1 / 8, abs=0.01)


def test_items_without_events_vector_or_category_take_no_part():
    item_ID = vectors([1, 0], [1, 0.1], [1, 0], [0, 0], [1, 0])
    has = categories([1], [1], [1], [1], [0])
    told = cohesion(item_ID, np.array([1, 1, 0, 1, 1]), has, 5, 10, 0)
    assert (told.num_items, told.neighbor_k) == (2, 1)
    assert cohesion(item_ID, np.array([1, 0, 0, 1, 1]), has, 5, 10, 0) is None


def test_alignment_by_hand():
    # Centres: (1, 0) of the first value, (0, 1) of the second. The user stands at 3-4-5 from both.
    item_ID = vectors([2, 0], [5, 0], [0, 1])
    has = categories([1, 0], [1, 0], [0, 1])
    likes = sparse.csr_array(np.array([[0, 2.5], [1, 0], [1, 1], [0, 0]], dtype=np.float32))
    user_BD = vectors([3, 4], [0, 0], [1, 1], [1, 1])
    told = alignment(user_BD, likes, item_ID, np.ones(3), has)
    assert told.num_users == 1
    assert told.liked.mean == pytest.approx(0.8)
    assert told.others.mean == pytest.approx(0.6)
    assert told.difference.mean == pytest.approx(0.2)


def test_users_stand_near_planted_tastes_and_nowhere_near_shuffled_ones():
    item_ID, has_IC, rng = planted(1)
    taste_B = rng.integers(8, size=300)
    first_I = np.array([np.flatnonzero(has_IC[:, taste])[0] for taste in range(8)])
    user_BD = item_ID[first_I[taste_B]]
    likes = np.eye(8, dtype=np.float32)[taste_B]
    near = alignment(user_BD, sparse.csr_array(likes), item_ID, np.ones(len(item_ID)), categories(*has_IC))
    assert near.liked.mean > 0.95
    assert near.difference.low > 0.5
    chance = alignment(
        user_BD, sparse.csr_array(rng.permutation(likes)), item_ID, np.ones(len(item_ID)), categories(*has_IC)
    )
    assert abs(chance.difference.mean) < 0.1


def test_nobody_to_align_is_nothing():
    likes = sparse.csr_array(np.ones((1, 2), dtype=np.float32))
    assert alignment(vectors([1, 0]), likes, vectors([1, 0], [0, 1]), np.ones(2), categories([1, 0], [0, 1])) is None
