"""What the time does to clicks, whatever the model: nights, and faults elsewhere that begin hours after a promotion.

A bundle never changes. If it is worse than the one before, it is so from its first answer on, at every hour.
"""

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from foretaste.arrays import DoubleArray
from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.monitoring.experiments import Arm, arms, compare
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window

_SECONDS_PER_DAY = 86_400
_LEAST_RATE = 1e-9


@dataclass(frozen=True)
class Dip:
    """A stretch in which less was clicked than in the rest of a model's life."""

    start: float
    """UTC seconds; not the beginning of its life."""
    end: float
    """UTC seconds."""
    inside: Arm
    outside: Arm
    """The rest of its life."""


def arm(
    database: LogDatabase, version: str, since: float, until: float, only: sa.ColumnElement[bool] | None = None
) -> Arm | None:
    """What a bundle showed in a stretch of time, in UTC seconds, and what was clicked of it; None for nothing."""
    window = Window(int(since // SECONDS_PER_HOUR), int(max(since, until) // SECONDS_PER_HOUR))
    return arms(database, window, "model_version", since=since, until=until, only=only).get(version)


def same_hours(since: float, until: float) -> sa.ColumnElement[bool]:
    """Requests of the hours of the day that a stretch of time takes up, on whatever day."""
    second = (sa.cast(REQUESTS.c.timestamp, sa.BigInteger) - int(since) % _SECONDS_PER_DAY) % _SECONDS_PER_DAY
    return second < min(until - since, _SECONDS_PER_DAY)


def dip(database: LogDatabase, version: str, since: float, until: float) -> Dip | None:
    """The hours, counted from the start of a model's life, in which its clicks fell the most clearly below those of the
    rest of it; None where that is not shown, user by user, by the interval of `compare`.

    Args:
        database: of the log.
        version: the bundle.
        since: the start of its life, UTC seconds.
        until: UTC seconds.
    """
    found = lowest(*_by_hour(database, version, since, until))
    if found is None:
        return None
    start, end = (since + hour * SECONDS_PER_HOUR for hour in found)
    end = min(end, until)
    at = REQUESTS.c.timestamp
    inside = arm(database, version, start, end)
    outside = arm(database, version, since, until, (at < start) | (at >= end))
    if inside is None or outside is None:
        return None
    told = compare(outside, inside, _LEAST_RATE)
    return Dip(start, end, inside, outside) if told is not None and told.difference.high < 0 else None


def lowest(shown_H: DoubleArray, clicked_H: DoubleArray) -> tuple[int, int] | None:
    """Of all runs of hours but those from the first hour on, the one in which less is clicked than in the others by the
    largest likelihood ratio (Kulldorff, Communications in Statistics 1997, for a binomial count in a line): its first
    hour, and the one after its last. None where there is none.

    Args:
        shown_H: items shown, by hour.
        clicked_H: of them, clicked.
    """
    shown, clicked = (np.concatenate([[0.0], np.cumsum(each_H)]) for each_H in (shown_H, clicked_H))
    best, found = 0.0, None
    for first in range(1, len(shown_H)):
        inside_n, inside_c = shown[first + 1 :] - shown[first], clicked[first + 1 :] - clicked[first]
        outside_n, outside_c = shown[-1] - inside_n, clicked[-1] - inside_c
        is_lower = inside_c * outside_n < outside_c * inside_n
        if not is_lower.any():
            continue
        gain = _likelihood(inside_c, inside_n) + _likelihood(outside_c, outside_n)
        gain = np.where(is_lower, gain - _likelihood(clicked[-1:], shown[-1:]), 0.0)
        last = int(np.argmax(gain))
        if gain[last] > best:
            best, found = float(gain[last]), (first, first + 1 + last)
    return found


def _likelihood(clicked_X: DoubleArray, shown_X: DoubleArray) -> DoubleArray:
    """Logarithm of that of the counts at their own rate."""
    rate_X = np.clip(clicked_X / np.maximum(shown_X, 1.0), _LEAST_RATE, 1 - _LEAST_RATE)
    told_X: DoubleArray = clicked_X * np.log(rate_X) + (shown_X - clicked_X) * np.log1p(-rate_X)
    return told_X


def _by_hour(database: LogDatabase, version: str, since: float, until: float) -> tuple[DoubleArray, DoubleArray]:
    """(shown_H, clicked_H): items, by hours since the start."""
    row, event = REQUESTS.c, FEEDBACK.c
    inside = (row.model_version == version) & (row.timestamp >= since) & (row.timestamp < until) & (row.num_items > 0)
    hour = sa.cast(sa.func.floor((row.timestamp - since) / SECONDS_PER_HOUR), sa.Integer).label("hour")
    shown = sa.select(hour, sa.func.sum(row.num_items)).where(inside).group_by(hour.name)
    item = event.request_id + "\n" + event.item_id
    clicked = (
        sa.select(hour, sa.func.count(sa.distinct(item)))
        .select_from(FEEDBACK.join(REQUESTS, event.request_id == row.request_id))
        .where(inside, event.timestamp >= since, event.kind == "click", event.slot.is_not(None))
        .group_by(hour.name)
    )
    num_hours = max(int(np.ceil((until - since) / SECONDS_PER_HOUR)), 1)
    shown_H, clicked_H = np.zeros(num_hours), np.zeros(num_hours)
    with database.reading() as connection:
        for counts_H, query in ((shown_H, shown), (clicked_H, clicked)):
            for place, count in connection.execute(query):
                counts_H[place] = count
    return shown_H, clicked_H
