"""Metrics for Prometheus."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from delineate.http.dependencies import Parts, current_user
from delineate.settings import Settings

router = APIRouter(tags=["health"])


def _may_read(request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
    """Let in whoever has the metrics' own token, and every user of the service."""
    settings: Settings = request.app.state.settings
    token = settings.metrics_token
    scheme, _, given = (authorization or "").partition(" ")
    own = token is not None and hmac.compare_digest(token.get_secret_value().encode(), given.encode())
    if not (own and scheme.lower() == "bearer"):
        current_user(request, authorization)


@router.get("/metrics", dependencies=[Depends(_may_read)], response_class=Response)
def metrics(parts: Parts) -> Response:
    """Return the process's metrics in Prometheus' text format; they name no patient, series or user."""
    return Response(parts.meter.exposition(), media_type=parts.meter.content_type)
