import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.evaluation.candidates import sampled_candidates


def csr(dense):
    return sparse.csr_array(np.asarray(dense, dtype=np.float32))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.1, 0.9]),
    st.sampled_from([0.1, 0.9]),
    st.integers(1, 40),
    st.booleans(),
)
def test_rivals_are_distinct_as_many_as_asked_for_and_never_relevant_or_excluded(seed, seen, hoped, samples, all_alike):
    rng = np.random.default_rng(seed)
    relevant, exclude = rng.random((3, 30)) < hoped, rng.random((3, 30)) < seen
    weight_I = np.ones(30, int) if all_alike else rng.integers(0, 50, size=30)
    drawn = sampled_candidates(weight_I, samples, 0)(np.arange(3), csr(relevant), csr(exclude)).toarray() > 0
    assert drawn[relevant].all()
    rivals = drawn & ~relevant
    assert not (rivals & exclude).any()
    assert not rivals[:, weight_I == 0].any()
    eligible = (~relevant & ~exclude & (weight_I > 0)).sum(axis=1)
    assert rivals.sum(axis=1).tolist() == np.minimum(eligible, samples).tolist()


@pytest.mark.parametrize("redraws", [20, 0], ids=["by redrawing", "by exponential times"])
def test_rivals_follow_the_weights_without_replacement(redraws, monkeypatch):
    # Of weights 6, 3, 1 two are drawn; item 2 is left out with probability 6/10 · 3/4 + 3/10 · 6/7.
    monkeypatch.setattr("foretaste.evaluation.candidates._REDRAWS", redraws)
    num_users = 20_000
    nothing = csr(np.zeros((num_users, 4)))
    relevant = csr(np.tile([0, 0, 0, 1], (num_users, 1)))
    drawn = sampled_candidates(np.array([6, 3, 1, 9]), 2, 0)(np.arange(num_users), relevant, nothing).toarray()
    left_out = 1 - drawn[:, 2].mean()
    assert left_out == pytest.approx(6 / 10 * 3 / 4 + 3 / 10 * 6 / 7, abs=0.01)


def test_the_rivals_do_not_depend_on_how_users_are_divided_into_blocks():
    relevant = csr(np.eye(6, 50))
    whole = sampled_candidates(np.arange(50), 10, 3)(np.arange(6), relevant, None).toarray()
    by_two = sampled_candidates(np.arange(50), 10, 3)
    blocks = [by_two(np.arange(start, start + 2), relevant[start : start + 2], None).toarray() for start in (0, 2, 4)]
    np.testing.assert_array_equal(np.vstack(blocks), whole)
    assert not np.array_equal(whole, sampled_candidates(np.arange(50), 10, 4)(np.arange(6), relevant, None).toarray())
