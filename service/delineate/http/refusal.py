"""The service without a model: it says why, to whoever asks, until it is started again with one."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse

from delineate import __version__
from delineate.domain.errors import DelineateError
from delineate.http.app import ROOT
from delineate.http.dependencies import current_user
from delineate.http.problems import install_problem_handlers, problem_document, problem_response
from delineate.settings import Settings

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_refusal(settings: Settings, reason: DelineateError) -> FastAPI:
    """Return an application that answers every request of a known user with the reason, as a 503 problem.

    Without it a viewer could only say that nobody answers. It holds no journal and no session.
    """
    app = FastAPI(title="Delineate", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings = settings

    @app.get(f"{ROOT}/health/live")
    def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get(f"{ROOT}/health/ready")
    def ready() -> JSONResponse:
        checks: dict[str, Any] = {"model": reason.detail}
        return JSONResponse({"status": "not ready", "checks": checks}, status_code=503)

    @app.api_route(f"{ROOT}/{{path:path}}", methods=METHODS, dependencies=[Depends(current_user)])
    def refuse() -> JSONResponse:
        return problem_response(problem_document(reason) | {"status": 503})

    install_problem_handlers(app)
    return app
