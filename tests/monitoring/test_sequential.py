import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate

from foretaste.monitoring.sequential import is_above


def evidence(count, total, limit):
    """Of the docstring, by quadrature: the averaged likelihood over that of the limit."""

    def weight(share):
        return (1 - share) ** (1 / (2 * limit) - 1)

    def likelihood(share):
        return (share / limit) ** count * ((1 - share) / (1 - limit)) ** (total - count)

    def over(function):
        return integrate.quad(function, limit, min(1.0, 20 * limit), limit=200)[0]

    return over(lambda share: weight(share) * likelihood(share)) / over(weight)


@pytest.mark.parametrize(("total", "limit"), [(200, 0.01), (1000, 0.01), (300, 0.05)])
def test_twenty_times_the_likelihood_of_the_limit_is_enough(total, limit):
    yes = [count for count in range(total // 5) if is_above(count, total, limit)]
    by_hand = [count for count in range(total // 5) if count > limit * total and evidence(count, total, limit) > 20]
    assert yes == by_hand
    assert limit * total < yes[0] < 5 * limit * total + 6


def test_who_asks_after_every_request_is_seldom_wrong_and_finds_what_is_there():
    rng = np.random.default_rng(0)

    def found(share):
        """At which of 3,000 requests, looked at from the 200th on by fives; None for none."""
        counts = np.cumsum(rng.random(3000) < share)
        return next((n for n in range(200, 3001, 5) if is_above(int(counts[n - 1]), n, 0.01)), math.inf)

    assert np.mean([found(0.01) < math.inf for _ in range(60)]) <= 0.05
    assert np.median([found(0.03) for _ in range(30)]) < 600
    assert all(found(0.03) < math.inf for _ in range(30))


@example(1, 10**7, 5e-324)
@example(10**7, 1, 1 - 1e-16)
@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 1))
def test_any_counts_have_an_answer_and_no_share_within_the_limit_is_above_it(count, misses, limit):
    total = count + misses
    answer = is_above(count, total, limit)
    assert not (answer and count <= limit * total)
    assert not answer or is_above(total, total, limit)


def test_the_ends():
    assert not is_above(0, 0, 0.0)
    assert is_above(1, 10**6, 0.0)
    assert not is_above(10**6, 10**6, 1.0)
