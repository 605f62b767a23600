"""Calls by which orchestrators, monitoring and people see how the service is."""

from dataclasses import asdict
from http import HTTPStatus

import orjson
from fastapi import Response

from foretaste.serving import answer_schemas
from foretaste.serving.background import figures_of
from foretaste.serving.metrics import exposition
from foretaste.serving.routes.calls import Calls, CurrentExchange, Problems
from foretaste.serving.service import Service

_TAG = "service"


def add_probing(calls: Calls, service: Service) -> None:
    """Add `/health`, `/live`, `/ready` and `/metrics`."""

    async def health(exchange: CurrentExchange) -> Response:
        """What is served, and since when."""
        told = asdict(service.serves(exchange, None).engine.health())
        return calls.json(orjson.dumps({**told, "request_id": exchange.request_id}))

    async def live() -> Response:
        """Whether the process answers at all."""
        return calls.json(b'{"status":"alive"}')

    async def ready() -> Response:
        """Whether requests should come here.

        503 while the service is about to stop. A bundle that was refused is told under `problems`, with 200: what
        answered before still does, and to take the service out of rotation would turn a bad bundle into an outage.
        """
        loaded = service.models.current
        told = {
            "status": "draining" if service.is_draining else "ready",
            "model_version": loaded.default.engine.model_version,
            "problems": service.problems(),
        }
        return calls.json(orjson.dumps(told), 503 if service.is_draining else 200)

    async def metrics() -> Response:
        """Figures for Prometheus, of all workers together."""
        others = service.others.of_others() if service.others else []
        info = [
            {
                "variant": each.variant,
                "model_version": each.engine.model_version,
                "model": each.engine.bundle.manifest.model,
            }
            for each in service.models.current.served
        ]
        return Response(exposition([figures_of(service), *others], info), media_type=_PROMETHEUS)

    draining: Problems = {
        HTTPStatus.SERVICE_UNAVAILABLE.value: {"model": answer_schemas.ReadyAnswer, "description": "About to stop"}
    }
    plain: Problems = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    calls.get("/health", health, answer_schemas.HealthAnswer, _TAG)
    calls.get("/live", live, answer_schemas.LiveAnswer, _TAG)
    calls.get("/ready", ready, answer_schemas.ReadyAnswer, _TAG, draining)
    calls.get("/metrics", metrics, None, _TAG, plain)


_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
