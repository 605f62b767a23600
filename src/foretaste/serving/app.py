"""The service behind HTTP: the layers that a request passes, from the outside in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from foretaste import __version__
from foretaste.serving import background
from foretaste.serving.direct_calls import DirectCalls
from foretaste.serving.documentation import describe
from foretaste.serving.exchange import Exchange
from foretaste.serving.observing import Observing
from foretaste.serving.problems import add_problem_handlers
from foretaste.serving.recording import record_failure
from foretaste.serving.routes.administering import add_administering
from foretaste.serving.routes.browsing import add_browsing
from foretaste.serving.routes.calls import Calls
from foretaste.serving.routes.listening import add_listening
from foretaste.serving.routes.probing import add_probing
from foretaste.serving.routes.recommending import add_recommending
from foretaste.serving.security.door import Door
from foretaste.serving.service import Service


def create_app(service: Service) -> ASGIApp:
    """The ASGI application of a service; its documentation is at `/docs`.

    A request passes: ids, metrics and log; origins of browsers, where any are allowed; who asks; the calls of one JSON
    body; and, for all others, FastAPI.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.logs.start)
        tasks = background.start(service)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(service.logs.stop)

    api = FastAPI(
        title="foretaste",
        version=__version__,
        summary="Recommendations from published bundles.",
        lifespan=lifespan,
        redoc_url=None,
    )
    add_problem_handlers(api)
    direct = DirectCalls(api, service.config.limits)
    calls = Calls(api, direct)
    for add in (add_recommending, add_browsing, add_listening, add_probing, add_administering):
        add(calls, service)
    describe(api, service)
    layers: ASGIApp = Door(direct, service.guard)
    if service.config.security.cors_origins:
        layers = CORSMiddleware(
            layers,
            allow_origins=service.config.security.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )

    def on_failure(exchange: Exchange) -> None:
        record_failure(service.logs.requests, exchange, at_seconds=service.clock())

    return Observing(
        layers, service.metrics, service.log, logs_requests=service.config.access_log, on_failure=on_failure
    )
