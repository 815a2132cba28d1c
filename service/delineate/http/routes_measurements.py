"""Measurements of a session's segments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from delineate.domain.measurement_table import MEDIA_TYPE, measurement_table
from delineate.http.dependencies import OwnSession, Parts
from delineate.http.measurement_replies import MeasurementsReply

router = APIRouter(tags=["measurements"])

CSV = "text/csv"


@router.get(
    "/sessions/{session_id}/measurements",
    response_model=MeasurementsReply,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def measurements(live: OwnSession, parts: Parts, accept: Annotated[str, Header()] = "*/*") -> Response:
    """Measure every segment as it is now; as ``text/csv`` one row for each."""
    measured = parts.measuring.measure(live)
    if CSV in accept:
        return Response(measurement_table(measured), media_type=MEDIA_TYPE)
    return Response(MeasurementsReply.of(measured).model_dump_json(), media_type="application/json")
