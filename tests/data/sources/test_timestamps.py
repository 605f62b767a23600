import polars as pl
import pytest

from foretaste.data.sources.timestamps import UNITS, iso_format, parsed, unit_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2015-03-01", 1425168000),
        ("2015-03-01 12:00", 1425211200),
        ("2015-03-01 12:00:00", 1425211200),
        ("2015-03-01T12:00:00.123", 1425211200),
        ("2015-03-01T12:00:00Z", 1425211200),
        ("2015-03-01T12:00:00+02:00", 1425204000),
        ("2015-03-01T12:00:00.5-0230", 1425220200),
        ("1425211200", 1425211200),
        ("1425211200.75", 1425211200),
        ("1.4252112e9", 1425211200),
        ("noon", None),
        ("", None),
    ],
)
def test_points_in_time(text, seconds):
    frame = pl.DataFrame({"time": [text]})
    assert frame.select(parsed(pl.col("time"), iso_format([text]))).item() == seconds


def test_dates_that_are_not_iso_are_not_guessed():
    assert iso_format(["01/02/2015"]) is None
    assert iso_format([]) is None


def test_the_unit_is_told_by_the_magnitude():
    now = 1_500_000_000
    frame = pl.DataFrame({"time": [now, now * 10**3, now * 10**6, now * 10**9, 0]})
    units = frame.select(unit_of(pl.col("time"))).to_series()
    assert [list(UNITS)[unit] for unit in units] == [
        "seconds",
        "milliseconds",
        "microseconds",
        "nanoseconds",
        "seconds",
    ]
