"""Feedback and the request that it names, brought together in the database."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foretaste.data.log_tables import FEEDBACK, FROM_REQUEST, REQUEST_KNOWN, REQUESTS
from foretaste.data.schemas import SLOT


def join_requests(connection: sa.Connection, since: float) -> None:
    """Write to feedback whose request has come by now which model and slot showed the item.

    Args:
        connection: within a transaction.
        since: feedback that was acknowledged before is left as it is, UTC seconds.
    """
    is_waiting, joining = _statements(connection.dialect.name)
    if connection.execute(is_waiting, {"since": since}).first() is not None:
        connection.execute(joining, {"since": since})


@cache
def _statements(dialect: str) -> tuple[sa.Select[Any], sa.Update]:
    """Whether any feedback waits for its request, and the update of what does; built once, as building takes longer
    than a look at an index."""
    of_feedback, of_request = FEEDBACK.c, REQUESTS.c
    if dialect == "sqlite":
        shown = sa.func.json_each(of_request.recommendations).table_valued("value", "key")
        slot: sa.ColumnElement[int] = shown.c.key
    else:
        items = sa.cast(of_request.recommendations, postgresql.JSON)
        shown = sa.func.json_array_elements_text(items).table_valued("value", with_ordinality="place").render_derived()
        slot = sa.cast(shown.c.place - 1, sa.Integer)
    first_slot = (
        sa.select(slot)
        .select_from(shown)
        .where(shown.c.value == of_feedback.item_id)
        .order_by(slot)
        .limit(1)
        .correlate(REQUESTS, FEEDBACK)
        .scalar_subquery()
    )
    waits = (of_feedback.request_known.is_(False), of_feedback.received_at >= sa.bindparam("since"))
    joining = (
        sa.update(FEEDBACK)
        .values({REQUEST_KNOWN: True, SLOT: first_slot, **{name: of_request[name] for name in FROM_REQUEST}})
        .where(*waits, of_request.request_id == of_feedback.request_id)
    )
    return sa.select(sa.literal(1)).select_from(FEEDBACK).where(*waits).limit(1), joining
