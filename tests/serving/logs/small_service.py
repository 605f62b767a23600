"""The least service that has logs, for a test to kill: `python small_service.py PORT LOG_CONFIG_AS_JSON`."""

import asyncio
import sys
import time
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from foretaste.serving.exchange import new_request_id
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig


def app_of(config: LogConfig) -> Starlette:
    @asynccontextmanager
    async def lifespan(app):
        app.state.logs = ServiceLogs(config)
        await asyncio.to_thread(app.state.logs.start)
        yield
        await asyncio.to_thread(app.state.logs.stop)

    async def ready(request):
        return JSONResponse({"status": "ready"})

    async def recommend(request):
        body = await request.json()
        items = [f"m{slot}" for slot in range(body["k"])]
        row = RequestRow(
            request_id=new_request_id(),
            timestamp=time.time(),
            endpoint="/recommend",
            status=200,
            latency_ms=1.0,
            user_id=body["user_id"],
            model_version="small",
            recommendations=items,
            scores=[1.0] * len(items),
            propensities=[1.0] * len(items),
        )
        request.app.state.logs.requests.append(row)
        return JSONResponse({"request_id": row.request_id, "model_version": row.model_version})

    async def feedback(request):
        now = time.time()
        for event in (await request.json())["events"]:
            request.app.state.logs.feedback.take(FeedbackRow(timestamp=now, received_at=now, **event))
        return JSONResponse({})

    routes = [
        Route("/ready", ready),
        Route("/recommend", recommend, methods=["POST"]),
        Route("/feedback", feedback, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(app_of(LogConfig.model_validate_json(sys.argv[2])), port=int(sys.argv[1]), log_level="warning")
