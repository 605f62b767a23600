"""What the time does to clicks, whatever the model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.monitoring.times import arm, dip, lowest, same_hours
from foretaste.monitoring.windows import SECONDS_PER_HOUR
from foretaste.serving.logs.rows import FeedbackRow

FIRST_HOUR = 500_000
BEGIN = FIRST_HOUR * SECONDS_PER_HOUR


@pytest.mark.parametrize(
    ("clicked_H", "found"),
    [
        ([20, 20, 2, 2, 20], (2, 4)),
        ([20, 20, 20, 20, 3], (4, 5)),
        ([20, 20, 20, 20, 20], None),
        # From the first hour on it is no dip, however deep.
        ([0, 30, 30, 30, 30], None),
        ([0, 0, 0, 0, 0], None),
    ],
)
def test_the_lowest_run_of_hours(clicked_H, found):
    assert lowest(np.full(5, 100.0), np.array(clicked_H, dtype=float)) == found


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8))
def test_no_other_run_is_likelier(hours):
    shown_H = np.array([max(pair) for pair in hours], dtype=float)
    clicked_H = np.array([min(pair) for pair in hours], dtype=float)

    def gain(first, last):
        inside = np.zeros(len(hours), dtype=bool)
        inside[first:last] = True
        parts = [(clicked_H[each].sum(), shown_H[each].sum()) for each in (inside, ~inside)]
        if min(n for _, n in parts) == 0 or parts[0][0] * parts[1][1] >= parts[1][0] * parts[0][1]:
            return 0.0
        whole = (clicked_H.sum(), shown_H.sum())
        return sum(_log_likelihood(c, n) for c, n in parts) - _log_likelihood(*whole)

    runs = [(first, last) for first in range(1, len(hours)) for last in range(first + 1, len(hours) + 1)]
    best = max((gain(*run) for run in runs), default=0.0)
    found = lowest(shown_H, clicked_H)
    assert (0.0 if found is None else gain(*found)) == pytest.approx(best, abs=1e-6)


def _log_likelihood(clicked, shown):
    return sum(count * np.log(count / shown) for count in (clicked, shown - clicked) if count)


@pytest.fixture
def lived(write, a_request):
    """A model is asked by 200 users in each of some hours, and by hour so many of them click one of two items."""

    def lived_(clicks, version="new"):
        for hour, num_clicks in clicks.items():
            requests = [
                a_request(hour + place / 200, user_id=f"u{place}", recommendations=["a", "b"], model_version=version)
                for place in range(200)
            ]
            told = [
                FeedbackRow(
                    event_id=f"e{row.request_id}",
                    timestamp=row.timestamp + 1,
                    received_at=row.timestamp + 1,
                    kind="click",
                    item_id="a",
                    request_id=row.request_id,
                )
                for row in requests[:num_clicks]
            ]
            write(requests, told)

    return lived_


def test_a_dip_is_found_with_what_was_clicked_in_it_and_out_of_it(database, lived):
    lived({0: 80, 1: 80, 2: 10, 3: 10, 4: 80})
    lived({0: 80, 1: 1, 2: 80}, version="old")
    found = dip(database, "new", BEGIN, BEGIN + 5 * SECONDS_PER_HOUR)
    assert [(at - BEGIN) / SECONDS_PER_HOUR for at in (found.start, found.end)] == [2, 4]
    assert (found.inside.num_shown, found.inside.num_clicked) == (800, 20)
    assert (found.outside.num_shown, found.outside.num_clicked) == (1200, 240)


@pytest.mark.parametrize("clicks", [{0: 80, 1: 80, 2: 70}, {0: 10, 1: 80, 2: 80}, {0: 5, 1: 5, 2: 5}, {}])
def test_chance_and_what_began_with_the_model_are_no_dip(database, lived, clicks):
    lived(clicks)
    assert dip(database, "new", BEGIN, BEGIN + 3 * SECONDS_PER_HOUR) is None


@pytest.mark.parametrize(("length", "shown"), [(2, 3 * 400), (24, 4 * 400), (100, 4 * 400)])
def test_the_same_hours_of_other_days(database, lived, length, shown):
    lived({-48: 80, -24: 40, -23: 40, -12: 10})
    only = same_hours(BEGIN, BEGIN + length * SECONDS_PER_HOUR)
    found = arm(database, "new", BEGIN - 72 * SECONDS_PER_HOUR, BEGIN, only)
    assert found.num_shown == shown
