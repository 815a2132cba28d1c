"""Is the service alive, is it ready, what models has it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from delineate.domain.errors import DelineateError
from delineate.http.dependencies import Parts, User
from delineate.http.schemas import ModelReply

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer as long as the process serves requests."""
    return {"status": "live"}


@router.get("/health/ready")
def ready(parts: Parts) -> JSONResponse:
    """Say whether model, journal and archive are there: 200, or 503 with what is missing."""
    checks: dict[str, Any] = {"model": parts.segmenter.info.id}
    good = True
    for name, check in (("journal", parts.stores.check), ("archive", parts.archive.check)):
        try:
            check()
            checks[name] = "ok"
        except DelineateError as error:
            checks[name] = error.detail
            good = False
    return JSONResponse(
        {"status": "ready" if good else "not ready", "checks": checks}, status_code=200 if good else 503
    )


@router.get("/models")
def models(parts: Parts, _user: User) -> list[ModelReply]:
    """List the models that this service can run."""
    return [ModelReply.of(parts.segmenter.info)]
