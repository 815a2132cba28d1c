"""Exports of a session's segments: ask for one, follow it, fetch its file."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from delineate.domain.export import Export, ExportedFormat
from delineate.http.dependencies import OwnSession, Parts, RequestKey, User
from delineate.http.schemas import Request

router = APIRouter(tags=["exports"])

ZIP = "application/zip"
Format = Literal["seg", "seg-labelmap", "nifti", "nrrd", "stl", "obj", "rtstruct", "csv", "prompts", "recording"]


class RequestExport(Request):
    """Body of ``POST .../exports``."""

    formats: Annotated[list[Format], Field(min_length=1)]
    segments: Annotated[list[int], Field(min_length=1)] | None = None
    """Segment Numbers; all if left out."""


class ExportedFormatReply(BaseModel):
    """One format of an export."""

    name: str
    state: Literal["waiting", "done", "failed"]
    files: list[str]
    """Names in the export's file."""
    reason: str | None
    """Why it could not be written."""

    @classmethod
    def of(cls, one: ExportedFormat) -> ExportedFormatReply:
        """Make the reply of a format."""
        return cls(name=one.name, state=one.state, files=list(one.files), reason=one.reason)


class ExportReply(BaseModel):
    """An export on its way into a file."""

    id: str
    session: str
    state: Literal["waiting", "running", "done", "failed"]
    reason: str | None
    """Why nothing could be written."""
    done: int
    """Formats that were written, or given up."""
    total: int
    formats: list[ExportedFormatReply]
    size_bytes: int | None
    created_at: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, export: Export) -> ExportReply:
        """Make the reply of an export."""
        return cls(
            id=export.id,
            session=export.session,
            state=export.state,
            reason=export.reason,
            done=sum(one.state != "waiting" for one in export.formats),
            total=len(export.formats),
            formats=[ExportedFormatReply.of(one) for one in export.formats],
            size_bytes=export.size_bytes,
            created_at=export.created_at,
        )


@router.post("/sessions/{session_id}/exports", status_code=202)
def export(body: RequestExport, live: OwnSession, parts: Parts, key: RequestKey) -> ExportReply:
    """Freeze the segments and have them written in those formats, as one ZIP file."""
    return ExportReply.of(parts.exports.request(live, body.formats, body.segments, key=key))


@router.get("/exports/{export_id}")
def read(export_id: str, parts: Parts, user: User) -> ExportReply:
    """Read how far an export is."""
    return ExportReply.of(parts.exports.get(export_id, user))


@router.get(
    "/exports/{export_id}/file",
    response_class=FileResponse,
    responses={200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
)
def file(export_id: str, parts: Parts, user: User) -> FileResponse:
    """Fetch the file: a ZIP with a folder for each format."""
    path = parts.exports.file(export_id, user)
    return FileResponse(path, media_type=ZIP, filename="delineate-export.zip")


@router.delete("/exports/{export_id}", status_code=204)
def delete(export_id: str, parts: Parts, user: User) -> Response:
    """Forget an export and its file."""
    parts.exports.delete(export_id, user)
    return Response(status_code=204)
