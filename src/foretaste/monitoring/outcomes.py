"""What people did with what they were shown: clicks, purchases and ratings, by model, variant, slot and segment.

Feedback counts where it names a request that is in the log and an item that this request showed. It is grouped by the
time at which it happened, requests by theirs; over windows much longer than people take to click the two agree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

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


def outcome(database: LogDatabase, window: Window) -> Outcome:
    """Of all that was shown in a window."""
    return _outcomes(database, window, ())[()]


def outcome_by(database: LogDatabase, window: Window, group: OutcomeGroup) -> dict[str | int, Outcome]:
    """By a column. Slots count from 0; `user_known` is 1 for users that the model was trained on, 0 for others and -1
    where nobody was named."""
    found = _outcomes(database, window, (group,))
    return {key[0]: one for key, one in sorted(found.items())}


def _outcomes(database: LogDatabase, window: Window, group: Sequence[str]) -> dict[_Key, Outcome]:
    with database.reading() as connection:
        shown = _shown(connection, window, group)
        acted = connection.execute(_acted(window, group)).mappings().all()
    acts: dict[str, dict[_Key, sa.RowMapping]] = {"click": {}, "purchase": {}, "rating": {}}
    for row in acted:
        acts.setdefault(row["kind"], {})[tuple(row[name] for name in group)] = row
    clicked, bought, rated = acts["click"], acts["purchase"], acts["rating"]
    keys = shown.keys() | clicked.keys() | bought.keys() | rated.keys() | (set() if group else {()})
    return {key: _outcome(shown.get(key, 0), clicked.get(key), bought.get(key), rated.get(key)) for key in keys}


def _outcome(
    num_shown: int, clicked: sa.RowMapping | None, bought: sa.RowMapping | None, rated: sa.RowMapping | None
) -> Outcome:
    num_clicked, num_purchased = (int(row["items"]) if row else 0 for row in (clicked, bought))
    return Outcome(
        num_shown=num_shown,
        num_clicked=num_clicked,
        click_through=proportion(num_clicked, num_shown),
        num_purchased=num_purchased,
        conversion=proportion(num_purchased, num_shown),
        num_ratings=int(rated["events"]) if rated else 0,
        mean_rating=float(rated["mean"]) if rated else None,
    )


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
    """Events on items that their request showed: how many, on how many of the items, and their mean value."""
    row = FEEDBACK.c
    columns = [_column(name).label(name) for name in group]
    item = row.request_id + "\n" + row.item_id
    return (
        sa.select(
            *columns,
            row.kind,
            sa.func.count(sa.distinct(item)).label("items"),
            sa.func.count().label("events"),
            sa.func.avg(row.value).label("mean"),
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
