"""Calls by which the service learns: what people did, and who they are."""

import asyncio
import secrets
from typing import Annotated, Any

import orjson
from fastapi import Body

from foretaste.errors import RequestError
from foretaste.serving import answer_schemas, request_schemas
from foretaste.serving.exchange import Exchange
from foretaste.serving.logs.feedback import check
from foretaste.serving.logs.rows import FeedbackRow
from foretaste.serving.routes.calls import Calls, CurrentExchange
from foretaste.serving.service import Service

_TAG = "feedback"
_AHEAD_SECONDS = 300
"""How far the clock of a sender may be ahead."""


def add_listening(calls: Calls, service: Service) -> None:
    """Add `/feedback` and `/users`."""
    logs = service.logs
    waits_for_disk = service.config.log.fsync != "never"
    feedback_body = request_schemas.feedback_body(service.models.current.default.engine.item_noun)

    def take(rows: list[FeedbackRow]) -> None:
        for row in rows:
            logs.feedback.take(row)

    async def feedback(exchange: CurrentExchange, body: Annotated[feedback_body, Body()]) -> bytes:  # type: ignore[valid-type]
        """What people did with items. The next answer knows it; once acknowledged it is not lost."""
        asked: Any = body
        now = service.clock()
        rows = [_row(exchange, event, now) for event in asked.events]
        for row in rows:
            check(row)  # all of them, before the first is taken
        if waits_for_disk:
            await asyncio.to_thread(take, rows)
        else:
            take(rows)
        return orjson.dumps({"event_ids": [row.event_id for row in rows], "request_id": exchange.request_id})

    async def users(exchange: CurrentExchange, body: Annotated[request_schemas.UserBody, Body()]) -> bytes:
        """Register a user that the training never saw, with what is known of them."""
        user_id = exchange.acting_as(body.user_id)
        if user_id is None:
            raise RequestError('no user_id: expected the id of the user to register, as in {"user_id": "u7"}.')
        if waits_for_disk:
            row = await asyncio.to_thread(logs.users.register, user_id, body.attributes)
        else:
            row = logs.users.register(user_id, body.attributes)
        told = {"user_id": row.user_id, "attributes": row.attributes, "registered_at": row.registered_at}
        return orjson.dumps({**told, "request_id": exchange.request_id})

    calls.post("/feedback", feedback, answer_schemas.FeedbackAnswer, _TAG)
    calls.post("/users", users, answer_schemas.UserAnswer, _TAG)


def _row(exchange: Exchange, event: request_schemas.EventBody, now: float) -> FeedbackRow:
    """An event as it is written down.

    Raises:
        RequestError: it is said to happen later.
    """
    if event.timestamp is not None and event.timestamp > now + _AHEAD_SECONDS:
        raise RequestError(f"timestamp {event.timestamp:.0f} is in the future; expected UTC seconds, now {now:.0f}.")
    return FeedbackRow(
        event_id=event.event_id or secrets.token_hex(16),
        timestamp=now if event.timestamp is None else event.timestamp,
        received_at=now,
        kind=event.kind,
        item_id=event.item_id,
        user_id=exchange.acting_as(event.user_id),
        request_id=event.request_id,
        value=event.value,
    )
