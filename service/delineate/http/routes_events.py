"""What happens in a session, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from delineate.http.dependencies import OwnSession, Parts
from delineate.http.event_replies import EventWords, SessionEvents
from delineate.http.patches import PatchMaker
from delineate.usecases.events import SessionChanged
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession

router = APIRouter(tags=["sessions"])

KEEP_ALIVE_S = 15
"""Between comments on a quiet connection, so that a proxy does not take it for dead."""
LONGEST_SEND_S = 30.0
"""After which a client that takes nothing any more is given up."""
LINE_END = "\n"


class EventStream(EventSourceResponse):
    """Server-sent events; a client that takes nothing any more is cut off quietly."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the session is closed, the client goes or is dropped, or the service stops."""
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


@router.get(
    "/sessions/{session_id}/events",
    response_class=EventStream,
    responses={200: {"model": SessionEvents, "description": "Events; see SessionEvents for their kinds."}},
)
async def events(live: OwnSession, parts: Parts, patches: PatchMaker) -> EventStream:
    """Tell what happens in the session: its state first, then every change, until it is closed.

    A client that falls far behind is dropped; it connects again and starts from the state.
    """
    words = EventWords(parts, live, patches)
    return EventStream(_stream(parts.host, live, words), ping=KEEP_ALIVE_S, sep=LINE_END, send_timeout=LONGEST_SEND_S)


async def _stream(host: SessionHost, live: LiveSession, words: EventWords) -> AsyncIterator[ServerSentEvent]:
    loop = asyncio.get_running_loop()
    awake = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody listens any more
            loop.call_soon_threadsafe(awake.set)

    with host.listening(live, wake) as listener:
        listener.put(SessionChanged())
        while not listener.dropped:
            await awake.wait()
            awake.clear()
            for event in listener.take():
                is_last = event == SessionChanged() and live.session.state == "closed"
                for kind, data in await run_in_threadpool(words.of, event):
                    yield ServerSentEvent(data, event=kind, sep=LINE_END)
                if is_last:
                    return
