import numpy as np
import pytest
from scipy import stats

from foretaste.evaluation.significance import bootstrap, compare, holm, permutation_p, student, wilcoxon_p


def test_the_interval_is_that_of_the_mean():
    # 400 users, half 0 and half 1: the standard error is 0.5 / 20, the interval about 1.96 of them to each side.
    values = np.tile([0.0, 1.0], 200)[:, None]
    (estimate,) = bootstrap(values)
    assert estimate.mean == 0.5
    assert estimate.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.008)
    assert estimate.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.008)


def test_equal_seeds_give_equal_intervals_and_metrics_share_the_resamples():
    values = np.random.default_rng(0).random((50, 1))
    first, second = bootstrap(np.hstack([values, values]))
    assert first == second
    assert first.mean == values[:, 0].mean()
    assert bootstrap(values) == bootstrap(values) != bootstrap(values, seed=1)


def test_one_user_has_no_spread():
    (estimate,) = bootstrap(np.array([[0.25]]))
    assert (estimate.low, estimate.mean, estimate.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 1, 1], 2 / 8),  # only all plus and all minus reach a sum of 3
        ([1, 2, -1], 6 / 8),  # the sums of ±1 ±2 ±1 are 4, 2, 2, 0, 0, -2, -2, -4
        ([0.1, 0.2, -0.3], 1.0),  # a sum of zero is never further than any other, whatever the rounding
        ([0, 0, 0, 1, 1], 2 / 4),  # a zero has no sign to flip
        ([0, 0], 1.0),
    ],
)
def test_a_few_differences_try_every_pattern_of_signs(differences, p):
    assert permutation_p(np.array(differences, dtype=float)) == pytest.approx(p)


def test_random_flips_come_near_the_normal_p_and_never_reach_zero():
    rng = np.random.default_rng(1)
    differences = rng.normal(0.1, 1, size=400)
    exact = 2 * stats.norm.sf(abs(differences.sum()) / np.sqrt((differences**2).sum()))
    assert permutation_p(differences) == pytest.approx(exact, abs=0.01)
    assert permutation_p(np.ones(100)) == 1 / 10_001


@pytest.mark.parametrize("test", [permutation_p, wilcoxon_p])
def test_p_is_uniform_where_two_models_are_alike(test):
    # Differences as metrics have them: many zeros, a long tail, symmetric about zero.
    rng = np.random.default_rng(5)
    p = []
    for trial in range(200):
        sizes = rng.choice([0.0, 0.0, 0.1, 0.39, 1.0], size=40) * rng.random(40)
        differences = sizes * rng.choice([-1, 1], size=40)
        p.append(test(differences, trial) if test is permutation_p else test(differences))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09
    shifted = [test(rng.normal(1, 1, size=40)) for _ in range(5)]
    assert max(shifted) < 0.03


def test_wilcoxon_by_hand():
    # Ranks 1, 2, 3 all positive: of 8 patterns only this one and its mirror are as far out.
    assert wilcoxon_p(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.25)
    assert wilcoxon_p(np.zeros(4)) == 1.0


def test_zeros_are_ranked_but_count_for_neither_side():
    # Pratt: the two zeros take ranks 1 and 2. The negatives weigh 3 + 4 = 7; 7 of the 32 subsets of ranks 3 … 7 sum to
    # 7 or less. Without the zeros they would weigh 1 + 2 = 3, which 5 of 32 subsets of 1 … 5 do not exceed.
    differences = np.array([0, 0, -0.1, -0.2, 0.3, 0.4, 0.5])
    assert wilcoxon_p(differences) == pytest.approx(2 * 7 / 32)
    assert wilcoxon_p(differences[2:]) == pytest.approx(2 * 5 / 32)


def test_holm_by_hand():
    # In order .01 × 4, .02 × 3, .03 × 2, .04 × 1 are .04, .06, .06 and .04, which may not be below the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_comparison_is_paired_and_corrected():
    rng = np.random.default_rng(0)
    base = rng.random(200)
    values = {"base": base, "little": base + 0.01 + 0.001 * rng.standard_normal(200), "same": base.copy()}
    little, same = compare([("little", "base"), ("same", "base")], values)
    assert little.difference.mean == pytest.approx(0.01, abs=0.001)
    # Paired: the interval is that of the differences, not of the users.
    assert little.difference.high - little.difference.low < 0.001
    assert little.is_real
    assert (same.permutation_p, same.wilcoxon_p, same.corrected_p, same.is_real) == (1, 1, 1, False)
    assert little.corrected_p == pytest.approx(2 * little.permutation_p)
    assert compare([], values) == []


def test_the_interval_of_a_few_worlds_is_that_of_student():
    # Mean 3, standard deviation √2.5, √5 values, t of 4 degrees of freedom 2.7764: 3 ± 2.7764 · √(2.5 / 5).
    found = student([1, 2, 3, 4, 5])
    assert (found.mean, found.low, found.high) == pytest.approx((3, 3 - 1.9632, 3 + 1.9632), abs=1e-4)
