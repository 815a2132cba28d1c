"""Segments and their prompts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from delineate.domain.errors import DelineateError
from delineate.domain.labelmap import Region
from delineate.domain.segment import SegmentDescription
from delineate.domain.session import Change, Patch, SegmentRecord, Timing
from delineate.http.dependencies import OwnSession, Parts, RequestKey, digest_of
from delineate.http.patches import Patches, PatchMaker
from delineate.http.problems import problem_document
from delineate.http.schemas import DescribeSegment, PatchReply, SegmentReply, SubmitPrompt
from delineate.usecases.live import LiveSession
from delineate.usecases.run_collected import run_collected
from delineate.usecases.segments import add_segment, change_segment, delete_segment
from delineate.usecases.submit_prompt import cancel_prompt, submit_prompt
from delineate.usecases.undo import redo, reset, undo
from delineate.wiring.services import Services

router = APIRouter(prefix="/sessions/{session_id}/segments", tags=["segments"])

NDJSON = "application/x-ndjson"

Previews = asyncio.Queue[PatchReply | None]
"""Of one prompt; ``None`` is the end."""


def _segment(parts: Services, live: LiveSession, segment: SegmentRecord) -> SegmentReply:
    with live.lock:
        return SegmentReply.of(live, segment, parts.host.queue)


@router.post("", status_code=201)
def add(body: DescribeSegment, request: Request, live: OwnSession, parts: Parts, key: RequestKey) -> SegmentReply:
    """Add a segment."""
    description = SegmentDescription(**body.changes())
    return _segment(parts, live, add_segment(parts.host, live, description, key, digest_of(request, body)))


@router.patch("/{number}")
def change(
    number: int, body: DescribeSegment, request: Request, live: OwnSession, parts: Parts, key: RequestKey
) -> SegmentReply:
    """Change what is said of a segment."""
    changed = change_segment(parts.host, live, number, body.changes(), key, digest_of(request, body))
    return _segment(parts, live, changed)


@router.delete("/{number}", status_code=204)
def delete(number: int, request: Request, live: OwnSession, parts: Parts, key: RequestKey) -> Response:
    """Delete a segment."""
    delete_segment(parts.host, live, number, key, digest_of(request, None))
    return Response(status_code=204)


@router.get("/{number}/labelmap")
def labelmap(number: int, live: OwnSession) -> PatchReply:
    """Return the whole labelmap as a patch of its tight box."""
    geometry = live.plan.geometry
    with live.lock:
        segment = live.session.segment(number)
        packed, revision = segment.packed, segment.revision
        ids = segment.steps[segment.position - 1].prompt_ids if segment.position else ()
    whole = packed.labelmap(geometry.shape)
    volume_ml = whole.count * geometry.voxel_volume_ml
    return PatchReply.of(Patch(number, revision, revision, True, ids, whole.region, volume_ml, Timing()))


@router.post("/{number}/undo")
def undo_(
    number: int, request: Request, live: OwnSession, parts: Parts, key: RequestKey, patches: PatchMaker
) -> PatchReply:
    """Take the last step back; a waiting or running prompt is cancelled instead."""
    return patches.of(live, undo(parts.host, live, number, key, digest_of(request, None)))


@router.post("/{number}/redo")
def redo_(
    number: int, request: Request, live: OwnSession, parts: Parts, key: RequestKey, patches: PatchMaker
) -> PatchReply:
    """Do the last undone step again."""
    return patches.of(live, redo(parts.host, live, number, key, digest_of(request, None)))


@router.post("/{number}/reset")
def reset_(
    number: int, request: Request, live: OwnSession, parts: Parts, key: RequestKey, patches: PatchMaker
) -> PatchReply:
    """Empty the segment and forget its prompts; can be undone."""
    return patches.of(live, reset(parts.host, live, number, key, digest_of(request, None)))


@router.post("/{number}/run")
async def run_(
    number: int, request: Request, live: OwnSession, parts: Parts, key: RequestKey, patches: PatchMaker
) -> PatchReply:
    """Run the collected prompts and return what they did together as one patch."""
    queued = await run_in_threadpool(run_collected, parts.host, live, number, key, digest_of(request, None))
    change = await asyncio.shield(asyncio.wrap_future(queued))
    return await run_in_threadpool(patches.of, live, change)


@router.delete("/{number}/prompts/{prompt_id}", status_code=204)
def cancel(number: int, prompt_id: str, live: OwnSession, parts: Parts) -> Response:
    """Cancel a waiting or running prompt."""
    cancel_prompt(parts.host, live, number, prompt_id)
    return Response(status_code=204)


@router.post("/{number}/prompts", response_model=PatchReply)
async def prompt(
    number: int,
    body: SubmitPrompt,
    request: Request,
    live: OwnSession,
    parts: Parts,
    patches: PatchMaker,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Give a prompt to the model and return the patch; as ``application/x-ndjson`` with previews first."""
    loop = asyncio.get_running_loop()
    lines: Previews = asyncio.Queue()
    wanted = NDJSON in accept

    def preview(base_revision: int, region: Region) -> None:
        shown = Patch(number, base_revision + 1, base_revision, False, (str(body.id),), region, 0.0, Timing())
        loop.call_soon_threadsafe(lines.put_nowait, PatchReply.of(shown))

    future = asyncio.wrap_future(
        await run_in_threadpool(
            lambda: submit_prompt(
                parts.host,
                live,
                number,
                body.prompt(live.plan.geometry.shape),
                run=body.run,
                digest=digest_of(request, body),
                preview=preview if wanted else None,
            )
        )
    )
    if wanted:
        return StreamingResponse(_stream(live, future, lines, patches), media_type=NDJSON)
    reply = await run_in_threadpool(patches.of, live, await asyncio.shield(future))
    return Response(reply.model_dump_json(), media_type="application/json")


async def _stream(
    live: LiveSession, future: asyncio.Future[Change], lines: Previews, patches: Patches
) -> AsyncIterator[str]:
    future.add_done_callback(lambda _: lines.put_nowait(None))
    while (line := await lines.get()) is not None:
        yield line.model_dump_json() + "\n"
    yield await _last_line(live, future, patches)


async def _last_line(live: LiveSession, future: asyncio.Future[Change], patches: Patches) -> str:
    try:
        reply = await run_in_threadpool(patches.of, live, await asyncio.shield(future))
    except DelineateError as error:
        return json.dumps(problem_document(error)) + "\n"
    return reply.model_dump_json() + "\n"
