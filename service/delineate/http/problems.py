"""One table from error to RFC 9457 problem document."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from delineate.domain import errors as e

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:delineate:problem:"

STATUS: Mapping[type[e.DelineateError], int] = {
    e.MissingSlice: 422,
    e.DuplicatePositions: 422,
    e.MixedOrientations: 422,
    e.NonUniformSpacing: 422,
    e.GantryTilt: 422,
    e.SeveralFramesOfReference: 422,
    e.MissingGeometry: 422,
    e.InvalidOrientation: 422,
    e.MixedMatrix: 422,
    e.MixedPixelSpacing: 422,
    e.UnsupportedPixels: 422,
    e.NotAnImage: 422,
    e.PixelDataUnusable: 422,
    e.ConstantVolume: 422,
    e.VolumeChoiceRequired: 422,
    e.UnknownVolume: 422,
    e.SeriesChanged: 409,
    e.SegmentationNotFound: 404,
    e.NotASegmentation: 422,
    e.SegmentationOfOtherSeries: 422,
    e.SegmentationUnreadable: 422,
    e.RecordingUnreadable: 422,
    e.PromptOutsideVolume: 422,
    e.WrongFrameOfReference: 422,
    e.PromptPlaneMismatch: 422,
    e.PromptPlaneUnsupported: 422,
    e.PromptReferenceMismatch: 422,
    e.PromptMalformed: 422,
    e.PromptKindUnsupported: 422,
    e.PromptConflict: 409,
    e.SessionNotFound: 404,
    e.SessionClosed: 410,
    e.SessionLoading: 409,
    e.SessionFailed: 409,
    e.SessionReadOnly: 409,
    e.NewerVersions: 409,
    e.SegmentNotFound: 404,
    e.SegmentLocked: 409,
    e.SegmentInvalid: 422,
    e.NothingToUndo: 409,
    e.NothingToRedo: 409,
    e.NothingToRun: 409,
    e.PromptNotFound: 404,
    e.IdempotencyConflict: 409,
    e.SessionOwnedElsewhere: 503,
    e.JournalUnavailable: 503,
    e.TooManySessions: 503,
    e.SegmentEmpty: 422,
    e.SegmentUnnamed: 422,
    e.SegmentsOverlap: 409,
    e.ResultNotFound: 404,
    e.ExportNotFound: 404,
    e.ExportNotReady: 409,
    e.PreloadNotFound: 404,
    e.ResultNotFailed: 409,
    e.ArchiveUnreachable: 503,
    e.ArchiveTimeout: 504,
    e.ArchiveDenied: 502,
    e.ArchiveProtocol: 502,
    e.SeriesNotFound: 404,
    e.SeriesIncomplete: 422,
    e.StoreRefused: 502,
    e.StoredDifferently: 502,
    e.CacheFull: 503,
    e.CacheDiskFailed: 507,
    e.ModelNotFound: 404,
    e.LicenceNotAccepted: 403,
    e.SegmenterBusy: 503,
    e.PredictionFailed: 502,  # not 503, for which the gateway tries another process
    e.PromptCancelled: 409,
    e.NotAuthenticated: 401,
    e.NotPermitted: 403,
}
"""Every leaf of the error tree; a test proves that none is missing."""

RETRY_AFTER_S = 5


def problem_type(name: str) -> str:
    """Return the type URI of a problem: ``MissingSlice`` gives ``urn:delineate:problem:missing-slice``."""
    return TYPE_PREFIX + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def problem_document(error: e.DelineateError) -> dict[str, Any]:
    """Return the problem document of an error: its fields become extension members."""
    title = (type(error).__doc__ or type(error).__name__).splitlines()[0]
    return _document(type(error).__name__, title, STATUS[type(error)], error.detail, _members(error))


def recorded_problem(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem document of an error that was recorded as JSON (domain/preload.py)."""
    kind = getattr(e, record["error"] or "", None)
    if kind is None or kind not in STATUS:
        return internal_fault()
    title = (kind.__doc__ or kind.__name__).splitlines()[0]
    return _document(kind.__name__, title, STATUS[kind], record["detail"], record["members"])


def internal_fault() -> dict[str, Any]:
    """Return the problem document of an error that nobody expected."""
    detail = "An internal fault. The session is as it was; try again, and tell the administrator."
    return _document("InternalFault", "Internal fault.", 500, detail, {})


def problem_response(document: Mapping[str, Any]) -> JSONResponse:
    """Return a response that carries a problem document."""
    status = document["status"]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status in (503, 504) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(document, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def body_too_large(limit: int) -> JSONResponse:
    """Return the response to a body over the limit."""
    detail = f"The request body is larger than {limit} bytes (DELINEATE_BODY_LIMIT_BYTES)."
    return problem_response(_document("BodyTooLarge", "The request body is too large.", 413, detail, {}))


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""

    @app.exception_handler(e.DelineateError)
    async def _expected(_request: Request, error: e.DelineateError) -> JSONResponse:
        return problem_response(problem_document(error))

    @app.exception_handler(RequestValidationError)
    async def _malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = [{"where": "/".join(map(str, x["loc"])), "what": x["msg"]} for x in error.errors()[:20]]
        detail = "The request is malformed: " + "; ".join(f"{x['where']}: {x['what']}" for x in found)
        document = _document("RequestMalformed", "The request is malformed.", 422, detail[:2000], {"errors": found})
        return problem_response(document)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        title = str(error.detail)
        name = "".join(word.title() for word in title.split()) or "HttpError"
        detail = f"{title}: {request.method} {request.url.path}. See /delineate/openapi.json for what there is."
        return problem_response(_document(name, title, error.status_code, detail, {}))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", exc_info=error, extra={"path": request.url.path})
        return problem_response(internal_fault())


def _members(error: e.DelineateError) -> dict[str, Any]:
    names: list[str] = [f.name for f in fields(error)] if is_dataclass(error) else []
    return {name: getattr(error, name) for name in names if name != "text"}


def _document(name: str, title: str, status: int, detail: str, members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": problem_type(name), "title": title, "status": status, "detail": detail, **members}
