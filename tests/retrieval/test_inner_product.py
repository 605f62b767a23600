import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.models.dot_product import dot_scores
from foretaste.retrieval.inner_product import InnerProduct, unit_rows


def full_scores(item_ID, user_D):
    return dot_scores(user_D[None, :], np.ascontiguousarray(item_ID.T))[0]


def items_of(kind, rng, num_items, dim):
    item_ID = rng.standard_normal((num_items, dim))
    if kind == "heavy tails":
        item_ID = rng.standard_cauchy((num_items, dim)) * 10.0 ** rng.integers(-6, 6, (1, dim))
    if kind == "many ties":
        item_ID = rng.integers(-1, 2, (num_items, dim)) * rng.integers(0, 2, (num_items, 1))
    if kind == "close":
        item_ID = item_ID[:1] + 1e-5 * item_ID
    return item_ID.astype(np.float32)


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["normal", "heavy tails", "many ties", "close"]),
    num_items=st.sampled_from([1, 7, 63, 64, 65, 1500]),
    dim=st.integers(1, 13),
    k=st.integers(1, 30),
    share=st.sampled_from([0, 0.05, 0.3, 1]),
)
def test_the_best_are_among_the_contenders_and_their_scores_are_equal_to_the_bit(seed, kind, num_items, dim, k, share):
    rng = np.random.default_rng(seed)
    item_ID = items_of(kind, rng, num_items, dim)
    user_D = (rng.standard_normal(dim) * rng.choice([0, 1e-4, 1, 50])).astype(np.float32)
    eligible_I = rng.random(num_items) < share
    item_C, score_C = InnerProduct(item_ID).contenders(user_D, k, eligible_I)
    scores_I = full_scores(item_ID, user_D)
    assert score_C.tobytes() == scores_I[item_C].tobytes()
    assert (np.diff(item_C) > 0).all()
    assert eligible_I[item_C].all()
    eligible = np.flatnonzero(eligible_I)
    last = np.sort(scores_I[eligible])[::-1][min(k, len(eligible)) - 1] if len(eligible) else np.inf
    assert set(eligible[scores_I[eligible] >= last]) <= set(item_C.tolist())


def test_the_first_pass_leaves_few():
    rng = np.random.default_rng(0)
    item_ID, user_D = rng.standard_normal((20_000, 64), dtype=np.float32), rng.standard_normal(64, dtype=np.float32)
    item_C, _ = InnerProduct(item_ID).contenders(user_D, 10, np.ones(20_000, dtype=bool))
    assert 10 <= len(item_C) < 100


def test_rows_of_unit_length_have_cosines_as_products():
    vectors_ID = np.array([[3, 4], [6, 8], [-4, 3], [0, 0]], dtype=np.float32)
    units = InnerProduct(unit_rows(vectors_ID))
    every = np.arange(4, dtype=np.int32)
    assert units.at(units.vector(0), every).tolist() == pytest.approx([1, 1, 0, 0], abs=1e-6)
    assert units.at(units.vector(3), every).tolist() == [0, 0, 0, 0]


def test_the_bound_holds_for_the_user_whom_rounding_wrongs_most():
    # The first item sets all scales to 1. The second loses .4999 in each dimension to rounding, all of it in the
    # direction of the user: its score in 8 bits is 8, in full 11.9992. The third is a whole number in each, 11 in all.
    item_ID = np.array([[-127] * 8, [1.4999] * 8, [2, 2, 2, 1, 1, 1, 1, 1]], dtype=np.float32)
    item_C, score_C = InnerProduct(item_ID).contenders(np.ones(8, dtype=np.float32), 1, np.ones(3, dtype=bool))
    assert item_C[score_C.argmax()] == 1
