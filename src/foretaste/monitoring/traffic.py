"""Requests of a window: how many, how quick, how many failed, and how many got popular items for want of better.

The database adds up the hourly counts that the service keeps; what comes to Python is a row for each group and bucket
of latency, however many requests there were.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import TRAFFIC, bucket_ms
from foretaste.data.schemas import HOUR, MODEL_VERSION, NUM_REQUESTS
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
    return _summary(_rows(database, window, ()), window.num_hours)


def traffic_by(database: LogDatabase, window: Window, group: TrafficGroup) -> dict[str | int, Traffic]:
    """The requests of a window by a column; of `hour`, those that had any."""
    parts: dict[str | int, list[sa.RowMapping]] = defaultdict(list)
    for row in _rows(database, window, (group,)):
        parts[row[group]].append(row)
    hours = 1 if group == HOUR else window.num_hours
    return {key: _summary(rows, hours) for key, rows in sorted(parts.items())}


def model_versions(database: LogDatabase, window: Window) -> list[str]:
    """Bundles that answered in a window, the one with the most requests first."""
    column = TRAFFIC.c[MODEL_VERSION]
    total = sa.func.sum(TRAFFIC.c.num_requests)
    query = sa.select(column).where(_inside(window), column != "").group_by(column).order_by(total.desc(), column)
    with database.reading() as connection:
        return [str(version) for version in connection.execute(query).scalars()]


def _inside(window: Window) -> sa.ColumnElement[bool]:
    return TRAFFIC.c.hour.between(window.first_hour, window.last_hour)


def _rows(database: LogDatabase, window: Window, group: Sequence[str]) -> Sequence[sa.RowMapping]:
    columns = [TRAFFIC.c[name] for name in group]
    kind = [TRAFFIC.c.status, TRAFFIC.c.fallback_reason, TRAFFIC.c.user_known, TRAFFIC.c.latency_bucket]
    total = sa.func.sum(TRAFFIC.c.num_requests).label(NUM_REQUESTS)
    items = sa.func.sum(TRAFFIC.c.num_requests * TRAFFIC.c.num_items).label("items")
    shows = sa.case((TRAFFIC.c.num_items > 0, 1), else_=0).label("shows")
    query = sa.select(*columns, *kind, shows, total, items).where(_inside(window)).group_by(*columns, *kind, shows)
    with database.reading() as connection:
        return connection.execute(query).mappings().all()


def _summary(rows: Iterable[sa.RowMapping], num_hours: int) -> Traffic:
    total = answered = items = errors = refused = showing = fallbacks = named = cold = 0
    buckets: dict[int, int] = defaultdict(int)
    reasons: dict[str, int] = defaultdict(int)
    for row in rows:
        count, status = int(row[NUM_REQUESTS]), int(row["status"])
        total += count
        refused += count * (status == _OVERLOAD)
        errors += count * (status >= _SERVER_ERROR and status != _OVERLOAD)
        if status >= _ANSWERED:
            continue
        answered += count
        items += int(row["items"])
        buckets[int(row["latency_bucket"])] += count
        showing += count * int(row["shows"])
        if row["fallback_reason"]:
            fallbacks += count
            reasons[row["fallback_reason"]] += count
        if row["user_known"] >= 0:
            named += count
            cold += count * (row["user_known"] == 0)
    return Traffic(
        num_requests=total,
        requests_per_second=total / (num_hours * SECONDS_PER_HOUR),
        num_answered=answered,
        num_items=items,
        error_share=_share(errors, total),
        refused_share=_share(refused, total),
        latency=Latency(*(_quantile_ms(buckets, at) for at in (0.5, 0.95, 0.99))) if answered else None,
        fallback_share=_share(fallbacks, showing),
        fallback_reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        cold_share=cold / named if named else None,
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
