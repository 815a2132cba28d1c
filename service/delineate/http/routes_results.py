"""Accept a session's segments, and follow them into the archive."""

from __future__ import annotations

from fastapi import APIRouter, Request

from delineate.domain.errors import NotPermitted
from delineate.domain.result import Result
from delineate.http.dependencies import OwnSession, Parts, RequestKey, User, digest_of
from delineate.http.schemas import Accept, ResultReply
from delineate.usecases.accept_segmentation import accept_segmentation, retry_result
from delineate.wiring import Services

router = APIRouter(tags=["results"])


@router.post("/sessions/{session_id}/accept", status_code=202)
def accept(body: Accept, request: Request, live: OwnSession, parts: Parts, key: RequestKey) -> ResultReply:
    """Freeze the segments and store them as a DICOM SEG."""
    result = accept_segmentation(
        parts.host,
        parts.results,
        parts.outbox,
        live,
        numbers=body.segments,
        series_description=body.series_description,
        encoding=body.encoding,
        key=key,
        digest=digest_of(request, body),
    )
    return ResultReply.of(result)


@router.get("/results/{result_id}")
def read(result_id: str, parts: Parts, user: User) -> ResultReply:
    """Read how far a result is."""
    return ResultReply.of(_own(parts, result_id, user))


@router.post("/results/{result_id}/retry", status_code=202)
def retry(result_id: str, parts: Parts, user: User) -> ResultReply:
    """Try a failed or waiting result again now."""
    return ResultReply.of(retry_result(parts.results, parts.outbox, _own(parts, result_id, user)))


def _own(parts: Services, result_id: str, user: str) -> Result:
    result = parts.results.load(result_id)
    if result.user != user:
        raise NotPermitted("The result belongs to another user.")
    return result
