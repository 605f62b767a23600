import numpy as np
import pytest
from scipy import stats

from foretaste.monitoring.outcomes import outcome, outcome_by, proportion


def test_outcomes_by_hand(write, a_request, an_event, database, window):
    first = a_request(recommendations=["m1", "m2", "m3"], variant="blue", user_id="u1", user_known=True)
    second = a_request(recommendations=["m1", "m2"], user_id="u2", user_known=False)
    failed = a_request(status=500)
    events = [
        an_event(first, "m2"),
        an_event(first, "m2"),  # a second click on the same item of the same answer
        an_event(first, "m3", kind="purchase", value=9.5),
        an_event(second, "m1", kind="rating", value=4),
        an_event(second, "m2", kind="rating", value=1),
        an_event(first, "m9"),  # not shown by that answer
        an_event(failed, "m1"),
    ]
    write([first, second, failed], events)
    found = outcome(database, window)
    assert (found.num_shown, found.num_clicked, found.num_purchased, found.num_ratings) == (5, 1, 1, 2)
    assert found.click_through.mean == found.conversion.mean == 1 / 5
    assert found.mean_rating == found.rating.mean == 2.5
    margin = 12.7062 * np.sqrt(4.5 / 2)  # Student's t of one degree of freedom, and the variance of 4 and 1
    assert (found.rating.low, found.rating.high) == pytest.approx((2.5 - margin, 2.5 + margin), rel=1e-4)
    by_slot = outcome_by(database, window, "slot")
    assert {slot: (one.num_shown, one.num_clicked) for slot, one in by_slot.items()} == {
        0: (2, 0),
        1: (2, 1),
        2: (1, 0),
    }
    by_variant = outcome_by(database, window, "variant")
    assert {name: (one.num_shown, one.num_clicked) for name, one in by_variant.items()} == {"": (2, 0), "blue": (3, 1)}
    by_segment = outcome_by(database, window, "user_known")
    assert {known: (one.num_shown, one.num_clicked) for known, one in by_segment.items()} == {0: (2, 0), 1: (3, 1)}


def test_nothing_shown_is_no_rate(write, database, window):
    write()
    found = outcome(database, window)
    assert (found.num_shown, found.click_through, found.mean_rating) == (0, None, None)


def test_groups_agree_with_a_count_over_all_rows(write, a_request, an_event, database, window):
    rng = np.random.default_rng(2)
    requests = [
        a_request(
            hour=float(rng.integers(24)),
            model_version=str(rng.choice(["b1", "b2"])),
            recommendations=[f"m{item}" for item in rng.permutation(8)[: rng.integers(1, 6)]],
        )
        for _ in range(200)
    ]
    clicks = [
        an_event(row, item) for row in requests for item in row.recommendations for _ in range(rng.binomial(2, 0.2))
    ]
    write(requests, clicks)
    pairs = {(event.request_id, event.item_id) for event in clicks}
    values = {
        "model_version": lambda row, slot: row.model_version,
        "slot": lambda row, slot: slot,
        "hour": lambda row, slot: int(row.timestamp // 3600),
    }
    for group, value in values.items():
        shown, clicked = {}, {}
        for row in requests:
            for slot, item in enumerate(row.recommendations):
                key = value(row, slot)
                shown[key] = shown.get(key, 0) + 1
                clicked[key] = clicked.get(key, 0) + ((row.request_id, item) in pairs)
        found = outcome_by(database, window, group)
        assert {key: (one.num_shown, one.num_clicked) for key, one in found.items()} == {
            key: (shown[key], clicked[key]) for key in shown
        }


@pytest.mark.parametrize(("part", "whole"), [(0, 10), (3, 10), (10, 10), (120, 9000)])
def test_the_interval_is_that_of_wilson(part, whole):
    found = proportion(part, whole)
    expected = stats.binomtest(part, whole).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.low <= found.mean <= found.high
