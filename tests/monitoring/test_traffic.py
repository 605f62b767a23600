import numpy as np
import pytest

from foretaste.errors import ConfigError
from foretaste.monitoring.traffic import Latency, slower_than, traffic, traffic_by
from foretaste.monitoring.windows import Window


def test_figures_by_hand(write, a_request, database, window):
    shown = {"recommendations": ["m1", "m2"], "model_version": "b1"}
    write(
        [
            a_request(**shown, user_id="u1", user_known=True),
            a_request(**shown, user_id="u2", user_known=False, fallback_reason="unknown user"),
            a_request(status=500),
            a_request(status=503),
            a_request(status=422),
            a_request(endpoint="/health"),
            a_request(hour=24, **shown),
            a_request(hour=-1, **shown),
        ]
    )
    found = traffic(database, window)
    assert (found.num_requests, found.num_answered, found.num_showing, found.num_items) == (6, 3, 2, 4)
    assert found.requests_per_second == 6 / (24 * 3600)
    assert (found.error_share, found.refused_share) == (1 / 6, 1 / 6)
    assert (found.fallback_share, found.fallback_reasons) == (1 / 2, {"unknown user": 1})
    assert found.cold_share == 1 / 2


def test_a_window_without_requests(write, database, window):
    write()
    found = traffic(database, window)
    assert (found.num_requests, found.error_share, found.latency, found.cold_share) == (0, 0.0, None, None)
    assert slower_than(database, window, "b1", 10.0) == (0, 0)


def test_latencies_agree_with_those_of_all_requests(write, a_request, database, window):
    latency_ms = np.random.default_rng(0).lognormal(1, 0.8, 3000)
    write([a_request(latency_ms=float(each)) for each in latency_ms] + [a_request(status=500, latency_ms=1e5)])
    found = traffic(database, window).latency
    expected = Latency(*np.quantile(latency_ms, [0.5, 0.95, 0.99]))
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=0.04)


def test_slow_answers_of_a_bundle_are_counted(write, a_request, database, window):
    rows = [a_request(latency_ms=ms, model_version="b1") for ms in (1, 49, 51, 120, 900)]
    rows += [a_request(latency_ms=900, model_version="b2"), a_request(latency_ms=900, model_version="b1", status=500)]
    rows += [a_request(hour=-1, latency_ms=900, model_version="b1")]
    write(rows)
    assert slower_than(database, window, "b1", 100.0) == (2, 5)
    assert slower_than(database, window, "b1", 0.5) == (5, 5)
    assert slower_than(database, window, "b2", 1e6) == (0, 1)


def test_groups_agree_with_a_count_over_all_rows(write, a_request, database, window):
    rng = np.random.default_rng(1)
    rows = [
        a_request(
            hour=float(rng.integers(24)),
            endpoint=str(rng.choice(["/recommend", "/similar"])),
            status=int(rng.choice([200, 500, 503], p=[0.8, 0.1, 0.1])),
            model_version=str(rng.choice(["b1", "b2"], p=[0.3, 0.7])),
            variant=[None, "blue"][rng.integers(2)],
            recommendations=["m1"] * int(rng.integers(4)),
            fallback_reason=[None, "cold"][rng.integers(2)],
        )
        for _ in range(500)
    ]
    write(rows)
    for group in ("endpoint", "model_version", "variant", "hour"):
        found = traffic_by(database, window, group)
        value = {"hour": lambda row: int(row.timestamp // 3600)}.get(group, lambda row, g=group: getattr(row, g) or "")
        assert set(found) == {value(row) for row in rows}
        for key, one in found.items():
            mine = [row for row in rows if value(row) == key]
            answered = [row for row in mine if row.status == 200]
            showing = [row for row in answered if row.recommendations]
            assert one.num_requests == len(mine)
            assert one.num_items == sum(len(row.recommendations) for row in answered)
            assert one.error_share == sum(row.status == 500 for row in mine) / len(mine)
            assert one.fallback_share == pytest.approx(
                sum(row.fallback_reason is not None for row in showing) / len(showing) if showing else 0
            )


@pytest.mark.parametrize(("length", "hours"), [("1h", 1), ("7d", 168), ("2w", 336)])
def test_a_window_ends_with_the_present_hour(length, hours):
    window = Window.latest(length, now=1000 * 3600 + 59)
    assert (window.last_hour, window.num_hours, window.end_seconds) == (1000, hours, 1001 * 3600)
    assert window.before() == Window(1000 - 2 * hours + 1, 1000 - hours)


@pytest.mark.parametrize("length", ["0h", "7", "h", "3m", "-1d"])
def test_a_window_of_no_length_is_refused(length):
    with pytest.raises(ConfigError, match="expected a number and h, d or w, as in 24h"):
        Window.latest(length)
