"""Requests counted by hour and kind as they come in."""

from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from foretaste.data.log_tables import REQUESTS, SETTINGS, TRAFFIC
from foretaste.data.schemas import NUM_REQUESTS

_COUNTED_UP_TO = "traffic_counted_up_to"
"""Row of the table `foretaste`: the last `seq` that is in the counts."""
_SECONDS_PER_HOUR = 3600


def count_traffic(connection: sa.Connection) -> None:
    """Count the requests that came since the last count; in the transaction that brought them, so each counts once."""
    statements = _statements(connection.dialect.name)
    span = connection.execute(statements.span).one()
    after, upto = int(span.counted or 0), int(span.newest or 0)
    if upto > after:
        connection.execute(statements.add, {"after": after, "upto": upto})
        connection.execute(statements.remember, {"counted": str(upto)})


class _Statements(NamedTuple):
    span: sa.Select[Any]
    """The last `seq` that is counted, and the last there is."""
    add: sa.Insert
    remember: sa.Insert


@cache
def _statements(dialect: str) -> _Statements:
    """Built once, as building takes longer than running."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    counts = insert(TRAFFIC).from_select([column.name for column in TRAFFIC.c], _counted())
    more = TRAFFIC.c.num_requests + counts.excluded.num_requests
    told = insert(SETTINGS).values(name=_COUNTED_UP_TO, value=sa.bindparam("counted"))
    return _Statements(
        span=sa.select(
            sa.select(SETTINGS.c.value).where(SETTINGS.c.name == _COUNTED_UP_TO).scalar_subquery().label("counted"),
            sa.select(sa.func.max(REQUESTS.c.seq)).scalar_subquery().label("newest"),
        ),
        add=counts.on_conflict_do_update(index_elements=list(TRAFFIC.primary_key), set_={NUM_REQUESTS: more}),
        remember=told.on_conflict_do_update(index_elements=[SETTINGS.c.name], set_={"value": told.excluded.value}),
    )


def _counted() -> sa.Select[tuple[object, ...]]:
    """The requests above `after`, up to `upto`, in the columns of the table, grouped by its key."""
    row = REQUESTS.c
    hour = sa.cast(sa.func.floor(row.timestamp / _SECONDS_PER_HOUR), sa.Integer)
    text = (
        sa.func.coalesce(column, "") for column in (row.endpoint, row.model_version, row.variant, row.fallback_reason)
    )
    known = sa.func.coalesce(sa.cast(row.user_known, sa.Integer), -1)
    key = [hour, *text, row.status, known, row.num_items, row.latency_bucket]
    within = (row.seq > sa.bindparam("after"), row.seq <= sa.bindparam("upto"))
    return sa.select(*key, sa.func.count()).where(*within).group_by(*reversed(key))  # what differs most sorts first
