"""Accept a session's segments, and follow them into the archive."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from delineate.domain.errors import NotPermitted
from delineate.domain.result import Result
from delineate.http.dependencies import OwnSession, Parts, RequestKey, User, digest_of
from delineate.http.result_replies import Accept, ResultReply
from delineate.usecases.accept_segmentation import AcceptRequest, retry_result
from delineate.wiring.services import Services

router = APIRouter(tags=["results"])


@router.post("/sessions/{session_id}/accept", status_code=202)
def accept(body: Accept, request: Request, live: OwnSession, parts: Parts, key: RequestKey) -> ResultReply:
    """Freeze the segments and store them as a DICOM SEG, with their measurements and prompts as DICOM SR."""
    wanted = AcceptRequest(body.segments, body.series_description, body.encoding, body.known_versions)
    return ResultReply.of(parts.accepting.accept(live, wanted, key=key, digest=digest_of(request, body)))


@router.get("/results/{result_id}")
def read(result_id: str, parts: Parts, user: User) -> ResultReply:
    """Read how far a result is."""
    return ResultReply.of(_own(parts, result_id, user))


@router.post("/results/{result_id}/retry", status_code=202)
def retry(result_id: str, parts: Parts, user: User) -> ResultReply:
    """Try a failed or waiting result, or documents that failed, again now."""
    return ResultReply.of(retry_result(parts.results, parts.outbox, _own(parts, result_id, user)))


@router.get(
    "/results/{result_id}/recording",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def recording(result_id: str, parts: Parts, user: User) -> Response:
    """Read how the segments came to be: what `delineate replay` makes them again from."""
    return Response(parts.recorder.read(_own(parts, result_id, user).id), media_type="application/json")


def _own(parts: Services, result_id: str, user: str) -> Result:
    result = parts.results.load(result_id)
    if result.user != user:
        raise NotPermitted("The result belongs to another user.")
    return result
