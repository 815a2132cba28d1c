"""A limit on request bodies, declared or streamed."""

from __future__ import annotations

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delineate.http.problems import body_too_large


class BodyTooLarge(Exception):
    """The body passed the limit."""


class BodyLimit:
    """ASGI middleware that answers 413 once a body is larger than ``limit`` bytes."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await body_too_large(self._limit)(scope, receive, send)
            return
        received = 0
        started = refused = False

        async def counted() -> Message:
            nonlocal received, refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                refused = True
                raise BodyTooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if not refused or started:
                started = True
                await send(message)

        with suppress(BodyTooLarge):
            await self._app(scope, counted, watched)
        if refused and not started:
            await body_too_large(self._limit)(scope, receive, send)
