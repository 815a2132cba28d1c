"""Sessions: open, list, read, close."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from delineate.http.dependencies import OwnSession, Parts, RequestKey, User, digest_of
from delineate.http.schemas import OpenSession, SessionReply, Uid
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session, open_session
from delineate.wiring.services import Services

router = APIRouter(tags=["sessions"])


def _reply(parts: Services, live: LiveSession) -> SessionReply:
    with live.lock:
        return SessionReply.of(live, parts.segmenter.info, parts.host.queue)


@router.post("/sessions", status_code=201)
async def open_(
    body: OpenSession, request: Request, parts: Parts, user: User, key: RequestKey, wait: bool = False
) -> SessionReply:
    """Open a session on a series; with ``?wait=true`` the reply comes when it is ready or refused."""
    live = await run_in_threadpool(
        open_session,
        parts.host,
        user=user,
        study_instance_uid=body.study_instance_uid,
        series_instance_uid=body.series_instance_uid,
        volume=body.volume,
        segmentation=body.segmentation_sop_instance_uid,
        model=body.model,
        key=key,
        digest=digest_of(request, body),
    )
    if wait:
        await asyncio.shield(asyncio.wrap_future(live.loading))
    return _reply(parts, live)


@router.get("/sessions")
def list_(parts: Parts, user: User, study_instance_uid: Annotated[Uid | None, Query()] = None) -> list[SessionReply]:
    """List the caller's open sessions, of one study or of all."""
    return [_reply(parts, live) for live in parts.host.open_sessions(user, study_instance_uid)]


@router.get("/sessions/{session_id}")
def read(live: OwnSession, parts: Parts) -> SessionReply:
    """Read a session, also after a restart of the service."""
    return _reply(parts, live)


@router.delete("/sessions/{session_id}", status_code=204)
def close(live: OwnSession, parts: Parts) -> Response:
    """Close a session; its accepted results stay."""
    close_session(parts.host, live)
    return Response(status_code=204)
