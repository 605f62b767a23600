"""From an answer to its row in the request log."""

from collections.abc import Mapping
from typing import Any

import orjson

from foretaste.serving.answers import PopularItems, Recommendations, SimilarItems
from foretaste.serving.exchange import Exchange
from foretaste.serving.logs.request_log import RequestLog
from foretaste.serving.logs.rows import RequestRow

_OK = 200


def record(
    log: RequestLog,
    exchange: Exchange,
    answer: Recommendations | SimilarItems | PopularItems,
    *,
    at_seconds: float,
    request_id: str | None = None,
    experiment: str | None = None,
    user_known: bool | None = None,
    asked: Mapping[str, Any] | None = None,
) -> None:
    """Write a row before the answer leaves. Where the journal is full the answer leaves without one, and is counted.

    Args:
        log: where to.
        exchange: which request.
        answer: what people will see.
        at_seconds: UTC seconds.
        request_id: where it is not that of the exchange, as within a batch.
        experiment: name of the experiment that chose the variant.
        user_known: whether the model was trained on the user; None where nobody was named.
        asked: what the request named beside the user.
    """
    row = RequestRow(
        request_id=request_id or exchange.request_id,
        timestamp=at_seconds,
        endpoint=exchange.endpoint,
        status=_OK,
        latency_ms=exchange.seconds() * 1000,
        model_version=answer.model_version,
        experiment=experiment,
        variant=exchange.variant,
        recommendations=answer.items.item_ids,
        scores=orjson.Fragment(answer.items.scores_json),
        propensities=answer.items.propensities,
        asked=asked,
    )
    if isinstance(answer, Recommendations):
        row.user_id, row.user_known = answer.user_id, user_known
        row.policy, row.is_fallback = answer.policy, answer.is_fallback
        if answer.fallback_reason is not None:
            # Without the name: requests are counted by reason, and the counts stay when a user is forgotten.
            row.fallback_reason = answer.fallback_reason.replace(f" '{answer.user_id}'", "")
    log.append(row)


def record_failure(log: RequestLog, exchange: Exchange, *, at_seconds: float) -> None:
    """Write a row of a request that a model was chosen for, and that failed with 500 or above: without it nobody who
    reads the log could tell that a model fails.

    Args:
        log: where to.
        exchange: which request.
        at_seconds: UTC seconds.
    """
    log.append(
        RequestRow(
            request_id=exchange.request_id,
            timestamp=at_seconds,
            endpoint=exchange.endpoint,
            status=exchange.status,
            latency_ms=exchange.seconds() * 1000,
            model_version=exchange.model_version,
            variant=exchange.variant,
        )
    )
