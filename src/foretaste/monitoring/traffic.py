"""Requests of a window: how many, how quick, how many failed, and how many got popular items for want of better.

The database adds up the hourly counts that the service keeps; what comes to Python is a row for each group and bucket
of latency, however many requests there were.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import TRAFFIC, bucket_ms, latency_bucket
from foretaste.data.schemas import HOUR
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window

TrafficGroup = Literal["endpoint", "model_version", "variant", "hour"]
_SERVER_ERROR, _OVERLOAD = 500, 503
_ANSWERED = 300


@dataclass(frozen=True)
class Latency:
    """Of answered requests, in milliseconds; within the width of a bucket, 7.5 %."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Traffic:
    """Requests of a window, or of one group of them."""

    num_requests: int
    requests_per_second: float
    """Over the whole window."""
    num_answered: int
    """With a status below 300."""
    num_showing: int
    """Of them, with items."""
    num_items: int
    """Items shown by them."""
    error_share: float
    """Status 500 and above, but for 503, over all requests."""
    refused_share: float
    """Status 503, sent under overload, over all requests."""
    latency: Latency | None
    """None where nothing was answered."""
    fallback_share: float
    """Answered with popular items as nothing personal was known, over requests that show items."""
    fallback_reasons: Mapping[str, int]
    """Reason → requests, the most common first."""
    cold_share: float | None
    """Users that the model was not trained on, over requests that name one; None where none does."""


def traffic(database: LogDatabase, window: Window) -> Traffic:
    """All requests of a window."""
    return traffic_groups(database, window, ())[0]


def traffic_by(database: LogDatabase, window: Window, group: TrafficGroup) -> dict[str | int, Traffic]:
    """The requests of a window by a column; of `hour`, those that had any."""
    return traffic_groups(database, window, (group,))[1][group]


def traffic_groups(
    database: LogDatabase, window: Window, groups: Sequence[TrafficGroup]
) -> tuple[Traffic, dict[TrafficGroup, dict[str | int, Traffic]]]:
    """All requests of a window, and the same by each of several columns; the counts are read once for all of them."""
    whole = _Tally()
    parts: dict[TrafficGroup, dict[str | int, _Tally]] = {group: defaultdict(_Tally) for group in groups}
    with database.reading() as connection:
        kinds = connection.execute(_kinds(window, groups)).all()
        buckets = connection.execute(_buckets(window, groups)).all()
    for row in kinds:
        for tally in (whole, *(parts[group][key] for group, key in zip(groups, row, strict=False))):
            tally.count(*row[len(groups) :])
    for row in buckets:
        bucket, count = row[len(groups) :]
        for tally in (whole, *(parts[group][key] for group, key in zip(groups, row, strict=False))):
            tally.buckets[bucket] += count
    told: dict[TrafficGroup, dict[str | int, Traffic]] = {
        group: {
            key: tally.told(1 if group == HOUR else window.num_hours) for key, tally in sorted(parts[group].items())
        }
        for group in groups
    }
    return whole.told(window.num_hours), told


def slower_than(database: LogDatabase, window: Window, version: str, latency_ms: float) -> tuple[int, int]:
    """Of the answers of a bundle in a window: how many took longer, within the width of a bucket, and how many there
    are."""
    row = TRAFFIC.c
    slow = sa.func.sum(sa.case((row.latency_bucket > latency_bucket(latency_ms), row.num_requests), else_=0))
    query = sa.select(slow, sa.func.sum(row.num_requests)).where(
        _inside(window), row.status < _ANSWERED, row.model_version == version
    )
    with database.reading() as connection:
        found = connection.execute(query).one()
    return int(found[0] or 0), int(found[1] or 0)


def _inside(window: Window) -> sa.ColumnElement[bool]:
    return TRAFFIC.c.hour.between(window.first_hour, window.last_hour)


def _kinds(window: Window, groups: Sequence[str]) -> sa.Select[Any]:
    """Group …, status, reason of a fallback, whether the user is known, whether items are shown, requests, items."""
    shows = sa.case((TRAFFIC.c.num_items > 0, 1), else_=0)
    key = [*(TRAFFIC.c[name] for name in groups), TRAFFIC.c.status, TRAFFIC.c.fallback_reason, TRAFFIC.c.user_known]
    total = sa.func.sum(TRAFFIC.c.num_requests)
    items = sa.func.sum(TRAFFIC.c.num_requests * TRAFFIC.c.num_items)
    return sa.select(*key, shows, total, items).where(_inside(window)).group_by(*key, shows)


def _buckets(window: Window, groups: Sequence[str]) -> sa.Select[Any]:
    """Group …, bucket of latency, answered requests in it."""
    key = [*(TRAFFIC.c[name] for name in groups), TRAFFIC.c.latency_bucket]
    is_answered = TRAFFIC.c.status < _ANSWERED
    return sa.select(*key, sa.func.sum(TRAFFIC.c.num_requests)).where(_inside(window), is_answered).group_by(*key)


class _Tally:
    """Requests added up, kind by kind."""

    def __init__(self) -> None:
        self.total = self.answered = self.items = self.errors = self.refused = 0
        self.showing = self.fallbacks = self.named = self.cold = 0
        self.buckets: dict[int, int] = defaultdict(int)
        self.reasons: dict[str, int] = defaultdict(int)

    def count(self, status: int, reason: str, user_known: int, shows: int, count: int, items: int) -> None:
        """Add the requests of a kind."""
        self.total += count
        self.refused += count * (status == _OVERLOAD)
        self.errors += count * (status >= _SERVER_ERROR and status != _OVERLOAD)
        if status >= _ANSWERED:
            return
        self.answered += count
        self.items += items
        self.showing += count * shows
        if reason and shows:
            self.fallbacks += count
            self.reasons[reason] += count
        if user_known >= 0:
            self.named += count
            self.cold += count * (user_known == 0)

    def told(self, num_hours: int) -> Traffic:
        """The figures of all that was counted, over so many hours."""
        quantiles = (_quantile_ms(self.buckets, at) for at in (0.5, 0.95, 0.99))
        return Traffic(
            num_requests=self.total,
            requests_per_second=self.total / (num_hours * SECONDS_PER_HOUR),
            num_answered=self.answered,
            num_showing=self.showing,
            num_items=self.items,
            error_share=_share(self.errors, self.total),
            refused_share=_share(self.refused, self.total),
            latency=Latency(*quantiles) if self.answered else None,
            fallback_share=_share(self.fallbacks, self.showing),
            fallback_reasons=dict(sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
            cold_share=self.cold / self.named if self.named else None,
        )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _quantile_ms(buckets: Mapping[int, int], share: float) -> float:
    """The latency below which a share of the requests lies, taking those of a bucket as spread evenly over it."""
    wanted, below = share * sum(buckets.values()), 0
    for bucket in sorted(buckets):
        if below + buckets[bucket] >= wanted:
            return bucket_ms(bucket + (wanted - below) / buckets[bucket])
        below += buckets[bucket]
    raise AssertionError("a share is at most 1")
