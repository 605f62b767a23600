import pytest

from foretaste.monitoring.thresholds import Thresholds, crossed

NONE = dict.fromkeys(Thresholds.model_fields)
HOUR_20 = "2027-01-16T04:00:00+00:00"
"""The 20th hour of the window."""


@pytest.mark.parametrize(
    ("name", "limit", "fields"),
    [
        ("latency_p99_ms", 500, {"latency_ms": 900.0}),
        ("error_share", 0.01, {"status": 500}),
        ("refused_share", 0.05, {"status": 503}),
        ("fallback_share", 0.5, {"fallback_reason": "unknown user", "recommendations": ["m1"]}),
    ],
)
def test_a_limit_fires_and_clears(name, limit, fields, write, a_request, database, window):
    thresholds = Thresholds(**{**NONE, name: limit})
    good = {"recommendations": ["m1"]}
    write([a_request(hour=hour, **good) for hour in range(20)])
    assert crossed(database, window, thresholds) == []
    write([a_request(hour=hour, **fields) for hour in (20, 21, 23) for _ in range(10)])
    (alert,) = crossed(database, window, thresholds)
    assert (alert.figure, alert.limit) == (name, limit)
    assert alert.value > limit
    assert alert.since == HOUR_20
    write([a_request(hour=23, **good) for _ in range(5000)])
    assert crossed(database, window, thresholds) == []


def test_a_service_that_nobody_asks(write, a_request, database, window):
    thresholds = Thresholds(**{**NONE, "min_requests_per_hour": 2})
    write([a_request(hour=hour) for hour in range(20) for _ in range(2)])
    (alert,) = crossed(database, window, thresholds)
    assert (alert.figure, alert.value, alert.since) == ("min_requests_per_hour", 40 / 24, HOUR_20)
    write([a_request(hour=hour) for hour in range(20, 24) for _ in range(2)])
    assert crossed(database, window, thresholds) == []


def test_few_clicks_fire_only_when_it_is_no_chance(write, a_request, an_event, database, window):
    thresholds = Thresholds(**{**NONE, "min_click_through": 0.1})
    write([a_request(recommendations=["m1"]) for _ in range(10)])
    assert crossed(database, window, thresholds) == []
    write([a_request(hour=20, recommendations=["m1"]) for _ in range(200)])
    (alert,) = crossed(database, window, thresholds)
    assert (alert.figure, alert.value) == ("min_click_through", 0.0)
    clicked = [a_request(hour=21, recommendations=["m1"]) for _ in range(100)]
    write(clicked, [an_event(row, "m1") for row in clicked])
    assert crossed(database, window, thresholds) == []


def test_nothing_is_checked_without_limits(write, a_request, database, window):
    write([a_request(status=500)])
    assert crossed(database, window, Thresholds(**NONE)) == []
