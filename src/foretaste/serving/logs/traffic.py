"""Requests counted by hour and kind as they come in."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from foretaste.data.log_tables import REQUESTS, SETTINGS, TRAFFIC
from foretaste.data.schemas import NUM_REQUESTS

_COUNTED_UP_TO = "traffic_counted_up_to"
"""Row of the table `foretaste`: the last `seq` that is in the counts."""
_SECONDS_PER_HOUR = 3600


def count_traffic(connection: sa.Connection) -> None:
    """Count the requests that came since the last count; in the transaction that brought them, so each counts once."""
    last = connection.execute(sa.select(SETTINGS.c.value).where(SETTINGS.c.name == _COUNTED_UP_TO)).scalar()
    upto = int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(REQUESTS.c.seq), 0))).scalar_one())
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    counts = insert(TRAFFIC).from_select([column.name for column in TRAFFIC.c], _counted(int(last or 0), upto))
    more = TRAFFIC.c.num_requests + counts.excluded.num_requests
    connection.execute(
        counts.on_conflict_do_update(index_elements=list(TRAFFIC.primary_key), set_={NUM_REQUESTS: more})
    )
    told = insert(SETTINGS).values(name=_COUNTED_UP_TO, value=str(upto))
    connection.execute(
        told.on_conflict_do_update(index_elements=[SETTINGS.c.name], set_={"value": told.excluded.value})
    )


def _counted(after: int, upto: int) -> sa.Select[tuple[object, ...]]:
    """The new requests in the columns of the table, grouped by its key."""
    row = REQUESTS.c
    hour = sa.cast(sa.func.floor(row.timestamp / _SECONDS_PER_HOUR), sa.Integer)
    text = (
        sa.func.coalesce(column, "") for column in (row.endpoint, row.model_version, row.variant, row.fallback_reason)
    )
    known = sa.func.coalesce(sa.cast(row.user_known, sa.Integer), -1)
    key = [hour, *text, row.status, known, row.num_items, row.latency_bucket]
    return sa.select(*key, sa.func.count()).where(row.seq > after, row.seq <= upto).group_by(*key)
