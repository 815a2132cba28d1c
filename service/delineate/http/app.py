"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from delineate import __version__
from delineate.http import (
    routes_events,
    routes_exports,
    routes_health,
    routes_measurements,
    routes_metrics,
    routes_preloads,
    routes_results,
    routes_segments,
    routes_sessions,
    routes_terminology,
    routes_versions,
)
from delineate.http.limits import BodyLimit
from delineate.http.patches import Patches
from delineate.http.problems import install_problem_handlers
from delineate.wiring.services import Services

ROOT = "/delineate"


def create_app(services: Services) -> FastAPI:
    """Return the application over ready-made parts, which it resumes at start and closes at the end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        services.resume()
        yield
        services.close()

    app = FastAPI(
        title="Delineate",
        version=__version__,
        description="Interactive 3D segmentation for PACS. Research software, not a medical device.",
        lifespan=lifespan,
        openapi_url=f"{ROOT}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.settings = services.settings
    app.state.patches = Patches(services.meter)
    routed = (
        routes_health,
        routes_metrics,
        routes_terminology,
        routes_preloads,
        routes_sessions,
        routes_segments,
        routes_measurements,
        routes_results,
        routes_versions,
        routes_exports,
        routes_events,
    )
    for module in routed:
        app.include_router(module.router, prefix=ROOT)
    install_problem_handlers(app)
    app.add_middleware(BodyLimit, limit=services.settings.body_limit_bytes)
    return app
