"""Points in time as files write them: UTC seconds, milliseconds and the like, or ISO dates."""

import re
from collections.abc import Sequence

import polars as pl

from foretaste.data.schemas import TIMESTAMP

UNITS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
_BOUND = 10**11
"""Seconds below it: the year 5138. Milliseconds above it: March 1973."""

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:(?P<between>[T ])\d\d:\d\d(?P<seconds>:\d\d(?:\.\d+)?)? ?(?P<zone>Z|UTC|[+-]\d\d.*)?)?"
)


def iso_format(values: Sequence[str]) -> str | None:
    """The strptime format of ISO dates like the first of `values`; None if that is no date."""
    match = _ISO.fullmatch(values[0]) if values else None
    if match is None:
        return None
    if not match["between"]:
        return "%Y-%m-%d"
    return (
        f"%Y-%m-%d{match['between']}%H:%M{'%S%.f' if match['seconds'] else ''}{'%#z' if match['zone'] else ''}".replace(
            "%M%S", "%M:%S"
        )
    )


def parsed(values: pl.Expr, iso: str | None) -> pl.Expr:
    """Int64 in the unit of the file, from text; dates of the format `iso` in seconds. Null where unreadable."""
    if iso is not None:
        time_zone = "UTC" if "%#z" in iso else None
        return values.str.strptime(pl.Datetime("us", time_zone), iso, strict=False).dt.epoch("s")
    whole = values.cast(pl.Int64, strict=False)
    return pl.coalesce(whole, values.cast(pl.Float64, strict=False).floor().cast(pl.Int64, strict=False))


def unit_of(values: pl.Expr) -> pl.Expr:
    """Which of `UNITS`, by place, a timestamp seems to be in."""
    return sum(
        ((values >= _BOUND * UNITS[unit]).cast(pl.Int8) for unit in ("seconds", "milliseconds", "microseconds")),
        start=pl.lit(0, dtype=pl.Int8),
    )


def num_by_unit(values: pl.Expr) -> dict[str, pl.Expr]:
    """Unit → how many timestamps seem to be in it."""
    return {unit: (unit_of(values) == place).sum() for place, unit in enumerate(UNITS)}


def to_seconds(unit: str) -> pl.Expr:
    """The column `timestamp` in UTC seconds, from `unit`."""
    values = pl.col(TIMESTAMP)
    return values if unit == "seconds" else values // UNITS[unit]
