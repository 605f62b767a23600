"""Figures that must not go beyond a limit, and since when one does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

from pydantic import Field

from foretaste.data.log_database import LogDatabase
from foretaste.monitoring.outcomes import Outcome, outcome, outcome_by
from foretaste.monitoring.traffic import Traffic, traffic, traffic_by
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window
from foretaste.settings import Settings


class Thresholds(Settings):
    """Limits of figures over a window; null checks nothing."""

    latency_p99_ms: float | None = Field(default=500, gt=0)
    """Of answered requests, at most."""
    error_share: float | None = Field(default=0.01, ge=0, le=1)
    """Requests that failed with 500 or above, but for 503; at most."""
    refused_share: float | None = Field(default=0.05, ge=0, le=1)
    """Requests refused with 503 under overload; at most."""
    fallback_share: float | None = Field(default=0.5, ge=0, le=1)
    """Answers of popular items for want of anything personal; at most."""
    min_click_through: float | None = Field(default=None, ge=0, le=1)
    """Clicked over shown items; at least. Crossed when the whole interval lies below."""
    min_requests_per_hour: float | None = Field(default=None, ge=0)
    """At least; a service that nobody asks is broken somewhere else."""


@dataclass(frozen=True)
class Alert:
    """A limit that is crossed."""

    figure: str
    """Name of the threshold."""
    value: float
    """Over the window."""
    limit: float
    since: str
    """Start of the first of the hours in a row that cross it, up to the last of the window; ISO 8601, UTC."""


_Figures = TypeVar("_Figures")
_OfTraffic = Callable[[Traffic], float | None]
_TRAFFIC_FIGURES: dict[str, _OfTraffic] = {
    "latency_p99_ms": lambda one: one.latency.p99_ms if one.latency else None,
    "error_share": lambda one: one.error_share,
    "refused_share": lambda one: one.refused_share,
    "fallback_share": lambda one: one.fallback_share,
}


def crossed(database: LogDatabase, window: Window, thresholds: Thresholds, whole: Traffic | None = None) -> list[Alert]:
    """The limits that the figures of a window cross.

    Args:
        database: of the log.
        window: over which the figures are.
        thresholds: the limits.
        whole: all requests of the window, where somebody has read them.
    """
    whole = whole or traffic(database, window)

    @cache  # the hours are a long read, and wanted only where something is wrong
    def by_hour() -> Mapping[int, Traffic]:
        return {int(hour): one for hour, one in traffic_by(database, window, "hour").items()}

    alerts = [
        Alert(name, value, limit, _since(window, by_hour(), _exceeds(_TRAFFIC_FIGURES[name], limit)))
        for name, value, limit in beyond(whole, thresholds)
    ]
    alerts += _too_few_requests(window, whole, by_hour, thresholds.min_requests_per_hour)
    alerts += _too_few_clicks(database, window, thresholds.min_click_through)
    return alerts


def beyond(traffic: Traffic, thresholds: Thresholds) -> list[tuple[str, float, float]]:
    """The limits of traffic that are exceeded: name of the threshold, value and limit."""
    found = [(name, figure(traffic), getattr(thresholds, name)) for name, figure in _TRAFFIC_FIGURES.items()]
    return [
        (name, value, limit)
        for name, value, limit in found
        if value is not None and limit is not None and value > limit
    ]


def _exceeds(figure: _OfTraffic, limit: float) -> Callable[[Traffic], bool]:
    return lambda one: (figure(one) or 0.0) > limit


def _too_few_requests(
    window: Window, whole: Traffic, hours: Callable[[], Mapping[int, Traffic]], limit: float | None
) -> list[Alert]:
    value = whole.num_requests / window.num_hours
    if limit is None or value >= limit:
        return []
    by_hour, quiet = hours(), window.last_hour
    while quiet >= window.first_hour and (quiet not in by_hour or by_hour[quiet].num_requests < limit):
        quiet -= 1
    return [Alert("min_requests_per_hour", value, limit, _told(min(quiet + 1, window.last_hour)))]


def _too_few_clicks(database: LogDatabase, window: Window, limit: float | None) -> list[Alert]:
    if limit is None:
        return []
    rate = outcome(database, window).click_through
    if rate is None or rate.high >= limit:
        return []
    by_hour = {int(hour): one for hour, one in outcome_by(database, window, "hour").items()}

    def is_low(one: Outcome) -> bool:
        return one.click_through is not None and one.click_through.mean < limit

    return [Alert("min_click_through", rate.mean, limit, _since(window, by_hour, is_low))]


def _since(window: Window, by_hour: Mapping[int, _Figures], is_crossed: Callable[[_Figures], bool]) -> str:
    """The first hour of the last run of hours that cross; hours without any request neither begin nor end one."""
    first = window.last_hour
    for hour in sorted(by_hour, reverse=True):
        if not is_crossed(by_hour[hour]):
            break
        first = hour
    return _told(first)


def _told(hour: int) -> str:
    return datetime.fromtimestamp(hour * SECONDS_PER_HOUR, UTC).isoformat()
