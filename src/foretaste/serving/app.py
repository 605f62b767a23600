"""The engine behind HTTP."""

from fastapi import FastAPI

from foretaste import __version__
from foretaste.serving.engine import Engine
from foretaste.serving.problems import add_problem_handlers
from foretaste.serving.request_ids import RequestIds
from foretaste.serving.routes import router_for


def create_app(engine: Engine) -> FastAPI:
    """The service around an engine; its documentation is at `/docs`."""
    app = FastAPI(title="foretaste", version=__version__, summary="Recommendations from one published bundle.")
    app.state.engine = engine
    app.add_middleware(RequestIds)
    add_problem_handlers(app)
    app.include_router(router_for(engine))
    return app
