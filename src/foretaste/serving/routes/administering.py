"""Calls by which an administrator sees and changes what is served."""

import asyncio
from http import HTTPStatus

import orjson
from fastapi import Response

from foretaste.errors import RequestError
from foretaste.serving import answer_schemas
from foretaste.serving.exchange import Exchange
from foretaste.serving.problems import documented
from foretaste.serving.routes.calls import Calls, CurrentExchange
from foretaste.serving.service import Service

_TAG = "models"


def add_administering(calls: Calls, service: Service) -> None:
    """Add `/models`, `/models/reload` and `/models/rollback`."""
    models, config = service.models, service.config

    async def show_models(exchange: CurrentExchange) -> Response:
        """What answers, and what is amiss."""
        loaded = models.current
        told = {
            "experiment": config.experiment.name if config.experiment else None,
            "loaded": [
                answer_schemas.LoadedModel(
                    variant=each.variant,
                    model_version=each.engine.model_version,
                    model=each.engine.bundle.manifest.model,
                    share=each.share,
                    model_loaded_at=each.engine.health().model_loaded_at,
                    n_users=len(each.engine.bundle.users),
                    n_items=len(each.engine.bundle.items),
                ).model_dump()
                for each in loaded.served
            ],
            "production": models.store.production_id(),
            "problems": service.problems(),
            "worker": service.worker,
            "request_id": exchange.request_id,
        }
        return calls.json(orjson.dumps(told))

    async def reload(exchange: CurrentExchange) -> Response:
        """Load what the store names as live, now; a bundle that was refused is tried again."""
        return await swapped(exchange)

    async def rollback(exchange: CurrentExchange) -> Response:
        """Make the bundle that was live before the live one again, in the store and here."""
        if config.bundle != "production":
            raise RequestError(
                f"this service serves '{config.bundle}' by its id; with bundle: production it could be rolled back."
            )
        by = exchange.caller.id if exchange.caller else ""
        await asyncio.to_thread(models.store.rollback, f"by key {by} over HTTP")
        return await swapped(exchange)

    async def swapped(exchange: Exchange) -> Response:
        status = await asyncio.to_thread(models.refresh, retry=True)
        version = models.current.default.engine.model_version
        told = {"status": status, "model_version": version, "request_id": exchange.request_id}
        return calls.json(orjson.dumps(told))

    refused = documented(HTTPStatus.CONFLICT)
    calls.get("/models", show_models, answer_schemas.ModelsAnswer, _TAG)
    calls.command("/models/reload", reload, answer_schemas.SwapAnswer, _TAG, refused)
    calls.command("/models/rollback", rollback, answer_schemas.SwapAnswer, _TAG, refused)
