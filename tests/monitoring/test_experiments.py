import math

import numpy as np
import pytest

from foretaste.monitoring.experiments import Arm, always_valid_margin, arms, compare


def arm_of(shown_U, clicked_U):
    n, c = np.asarray(shown_U, float), np.asarray(clicked_U, float)
    return Arm(len(n), n.sum(), c.sum(), (n * n).sum(), (c * c).sum(), (n * c).sum())


def test_sums_over_users_by_hand(write, a_request, an_event, database, window):
    first = a_request(recommendations=["m1", "m2"], user_id="u1", variant="a")
    again = a_request(recommendations=["m1"], user_id="u1", variant="a")
    other = a_request(recommendations=["m1", "m2", "m3"], user_id="u2", variant="a")
    nobody = a_request(recommendations=["m1"], variant="b")
    late = a_request(hour=24, recommendations=["m1"], user_id="u1", variant="a")
    events = [an_event(first, "m1"), an_event(first, "m1"), an_event(again, "m1"), an_event(nobody, "m1")]
    events += [an_event(first, "m9"), an_event(other, "m1", kind="rating", value=1.0)]
    write([first, again, other, nobody, late], events)
    # u1 saw three items and clicked two, u2 saw three and clicked none.
    assert arms(database, window) == {"a": Arm(2, 6.0, 2.0, 18.0, 4.0, 6.0), "b": Arm(1, 1.0, 1.0, 1.0, 1.0, 1.0)}


def test_bundles_are_arms_as_well_and_what_came_too_late_to_be_clicked_is_left_out(
    write, a_request, an_event, database, window
):
    old = a_request(recommendations=["m1"], user_id="u1", model_version="old")
    new = a_request(recommendations=["m1", "m2"], user_id="u1", model_version="new", variant="a")
    fresh = a_request(hour=5, recommendations=["m1"], user_id="u2", model_version="new")
    write([old, new, fresh], [an_event(new, "m2")])
    one, two = Arm(1, 1.0, 0.0, 1.0, 0.0, 0.0), Arm(1, 2.0, 1.0, 4.0, 1.0, 2.0)
    assert arms(database, window, "model_version", until=fresh.timestamp) == {"new": two, "old": one}
    assert arms(database, window, "model_version")["new"].num_users == 2


def test_the_variance_is_that_of_the_delta_method():
    shown_U, clicked_U = np.array([2, 4, 6, 3]), np.array([1, 0, 3, 1])
    rate = 5 / 15
    expected = np.var((clicked_U - rate * shown_U) / shown_U.mean(), ddof=1)
    assert arm_of(shown_U, clicked_U).user_variance == pytest.approx(expected)


def test_the_margin_is_that_of_the_paper():
    rho_squared = (-2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))) / 5000
    t = 1000
    expected = math.sqrt(
        4.0 * 2 * (t * rho_squared + 1) / (t * t * rho_squared) * math.log(math.sqrt(t * rho_squared + 1) / 0.05)
    )
    assert always_valid_margin(4.0, t) == pytest.approx(expected)
    assert always_valid_margin(4.0, t) > 1.96 * 2 / math.sqrt(t)


def looked_at_daily(rng, lift):
    """Whether it was ever decided over twenty looks, and whether every interval held the truth."""
    decided, held = False, True
    size = 400
    users = {name: rng.binomial(10, rng.beta(2, 18, size * 20) + more) for name, more in (("a", 0), ("b", lift))}
    for day in range(1, 21):
        a, b = (arm_of(np.full(size * day, 10), users[name][: size * day]) for name in ("a", "b"))
        found = compare(a, b, 0.01)
        decided |= found.is_decided
        held &= found.difference.low <= lift <= found.difference.high
    return decided, held, found


def test_looking_daily_errs_seldom_and_finds_what_there_is():
    rng = np.random.default_rng(0)
    without = [looked_at_daily(rng, 0.0) for _ in range(100)]
    assert sum(decided for decided, _, _ in without) <= 9  # 5 of 100 are allowed; fixed intervals err in about 25
    assert sum(held for _, held, _ in without) >= 91
    found = [looked_at_daily(rng, 0.02) for _ in range(20)]
    assert all(decided for decided, _, _ in found)


def test_so_many_users_find_such_a_difference_in_four_of_five_cases():
    rng = np.random.default_rng(1)
    needed = looked_at_daily(rng, 0.0)[2].users_needed
    size, found = int(needed / 2), 0
    for _ in range(100):
        a, b = (rng.binomial(10, rng.beta(2, 18, size) + lift) for lift in (0, 0.01))
        found += compare(arm_of(np.full(size, 10), a), arm_of(np.full(size, 10), b), 0.01).is_decided
    assert 68 <= found <= 92


def test_a_few_users_say_nothing():
    assert compare(arm_of([1] * 29, [0] * 29), arm_of([1] * 40, [0] * 40), 0.01) is None
