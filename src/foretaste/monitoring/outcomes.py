"""What people did with what they were shown: clicks, purchases and ratings, by model, variant, slot and segment.

Feedback counts where it names a request that is in the log and an item that this request showed. It is grouped by the
time at which it happened, requests by theirs; over windows much longer than people take to click the two agree.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from scipy import stats

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, TRAFFIC
from foretaste.evaluation.significance import Estimate
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window

OutcomeGroup = Literal["endpoint", "model_version", "variant", "slot", "user_known", "hour"]
_Z = 1.959963984540054
"""Of a 95 % interval."""
_ANSWERED = 300
_Key: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of the items that were shown."""

    num_shown: int
    """Items in answers."""
    num_clicked: int
    """Of them, clicked at least once."""
    click_through: Estimate | None
    """Clicked over shown, with Wilson's interval; None where nothing was shown."""
    num_purchased: int
    """Of the items shown, bought at least once."""
    conversion: Estimate | None
    """Purchased over shown, likewise."""
    num_ratings: int
    mean_rating: float | None
    rating: Estimate | None
    """The same with Student's interval; None of fewer than two."""


def outcome(database: LogDatabase, window: Window) -> Outcome:
    """Of all that was shown in a window."""
    return outcome_groups(database, window, ())[0]


def outcome_by(database: LogDatabase, window: Window, group: OutcomeGroup) -> dict[str | int, Outcome]:
    """By a column. Slots count from 0; `user_known` is 1 for users that the model was trained on, 0 for others and -1
    where nobody was named."""
    return outcome_groups(database, window, (group,))[1][group]


def outcome_groups(
    database: LogDatabase, window: Window, groups: Sequence[OutcomeGroup]
) -> tuple[Outcome, dict[OutcomeGroup, dict[str | int, Outcome]]]:
    """Of all that was shown, and the same by each of several columns; `slot` stands alone."""
    assert "slot" not in groups or len(groups) == 1
    with database.reading() as connection:
        shown = _shown(connection, window, groups)
        acted = connection.execute(_acted(window, groups)).all()
    whole = _Tally()
    parts: dict[OutcomeGroup, dict[str | int, _Tally]] = {group: defaultdict(_Tally) for group in groups}
    for key, count in shown.items():
        for tally in (whole, *(parts[group][part] for group, part in zip(groups, key, strict=True))):
            tally.num_shown += count
    for row in acted:
        for tally in (whole, *(parts[group][part] for group, part in zip(groups, row, strict=False))):
            tally.count(*row[len(groups) :])
    told = {group: {key: tally.told() for key, tally in sorted(parts[group].items())} for group in groups}
    return whole.told(), told


class _Tally:
    """What was shown and what came of it, added up."""

    def __init__(self) -> None:
        self.num_shown = self.num_clicked = self.num_purchased = self.num_ratings = 0
        self.sum_ratings = self.sum_squares = 0.0

    def count(self, kind: str, items: int, events: int, total: float | None, squares: float | None) -> None:
        """Add the events of a kind."""
        if kind == "click":
            self.num_clicked += items
        elif kind == "purchase":
            self.num_purchased += items
        elif kind == "rating" and total is not None and squares is not None:
            self.num_ratings += events
            self.sum_ratings += total
            self.sum_squares += squares

    def told(self) -> Outcome:
        """The figures of all that was counted."""
        return Outcome(
            num_shown=self.num_shown,
            num_clicked=self.num_clicked,
            click_through=proportion(self.num_clicked, self.num_shown),
            num_purchased=self.num_purchased,
            conversion=proportion(self.num_purchased, self.num_shown),
            num_ratings=self.num_ratings,
            mean_rating=self.sum_ratings / self.num_ratings if self.num_ratings else None,
            rating=mean_of(self.num_ratings, self.sum_ratings, self.sum_squares),
        )


def mean_of(count: int, total: float, squares: float) -> Estimate | None:
    """The mean of values of which only count, sum and sum of squares are known, with Student's interval; None of
    fewer than two."""
    if count < 2:
        return None
    mean = total / count
    variance = max(squares - count * mean * mean, 0.0) / (count - 1)
    margin = float(stats.t.ppf(0.975, count - 1)) * math.sqrt(variance / count)
    return Estimate(mean, mean - margin, mean + margin)


def proportion(part: int, whole: int) -> Estimate | None:
    """part / whole with the score interval of Wilson (1927); None for a whole of 0."""
    if whole == 0:
        return None
    part = min(part, whole)
    mean, spread = part / whole, _Z * _Z / whole
    middle = (mean + spread / 2) / (1 + spread)
    margin = math.sqrt(spread * (mean * (1 - mean) + spread / 4)) / (1 + spread)
    return Estimate(mean, max(0.0, min(middle - margin, mean)), min(1.0, max(middle + margin, mean)))


def _shown(connection: sa.Connection, window: Window, group: Sequence[str]) -> dict[_Key, int]:
    """Items shown, by group. A request with n items shows one in each of the slots 0 … n - 1."""
    by_slot = tuple(group) == ("slot",)
    columns = [TRAFFIC.c.num_items] if by_slot else [TRAFFIC.c[name] for name in group]
    total = sa.func.sum(TRAFFIC.c.num_requests if by_slot else TRAFFIC.c.num_requests * TRAFFIC.c.num_items)
    inside = TRAFFIC.c.hour.between(window.first_hour, window.last_hour)
    query = sa.select(*columns, total).where(inside, TRAFFIC.c.status < _ANSWERED, TRAFFIC.c.num_items > 0)
    rows: list[tuple[Any, ...]] = [tuple(row) for row in connection.execute(query.group_by(*columns))]
    if not by_slot:
        return {row[:-1]: int(row[-1] or 0) for row in rows}
    longest = max((row[0] for row in rows), default=0)
    return {(slot,): sum(int(row[1]) for row in rows if row[0] > slot) for slot in range(longest)}


def _acted(window: Window, group: Sequence[str]) -> sa.Select[Any]:
    """Group …, kind, items with such an event of those that their request showed, and of the values of these events
    their number, sum and sum of squares."""
    row = FEEDBACK.c
    columns = [_column(name).label(name) for name in group]
    item = row.request_id + "\n" + row.item_id
    return (
        sa.select(
            *columns,
            row.kind,
            sa.func.count(sa.distinct(item)).label("items"),
            sa.func.count(row.value).label("events"),
            sa.func.sum(row.value),
            sa.func.sum(row.value * row.value),
        )
        .where(row.timestamp >= window.start_seconds, row.timestamp < window.end_seconds, row.slot.is_not(None))
        .group_by(*columns, row.kind)
    )


def _column(name: str) -> sa.ColumnElement[Any]:
    """A column of feedback in the form that the counts of traffic have it in."""
    if name == "hour":
        return sa.cast(sa.func.floor(FEEDBACK.c.timestamp / SECONDS_PER_HOUR), sa.Integer)
    if name == "user_known":
        return sa.func.coalesce(sa.cast(FEEDBACK.c.user_known, sa.Integer), -1)
    return FEEDBACK.c.slot if name == "slot" else sa.func.coalesce(FEEDBACK.c[name], "")
