"""The stream of events: a client that takes nothing, or goes, leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message
from tests.fakes import World, point

from delineate.http import routes_events
from delineate.http.patches import Patches
from delineate.usecases.live import LiveSession
from delineate.usecases.submit_prompt import submit_prompt
from delineate.wiring.services import Services

SCOPE = {"type": "http", "method": "GET"}


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.host.close()


async def response(world: World, live: LiveSession) -> routes_events.EventStream:
    parts = cast(Services, SimpleNamespace(segmenter=world.segmenter, host=world.host))
    return await routes_events.events(live, parts, Patches())


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_client_that_takes_nothing_is_cut_off_quietly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_events, "LONGEST_SEND_S", 0.05)
    live = world.open()
    stuck = asyncio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            stuck.set()
            await asyncio.Event().wait()

    async def connect() -> None:
        stream = asyncio.create_task((await response(world, live))(SCOPE, never, send))
        await stuck.wait()
        assert live.listeners
        await asyncio.wait_for(stream, 10)

    asyncio.run(connect())
    assert not live.listeners


def test_a_client_that_goes_is_forgotten(world: World) -> None:
    live = world.open()
    sent: list[str] = []

    async def connect() -> None:
        told, gone = asyncio.Event(), asyncio.Event()

        async def send(message: Message) -> None:
            sent.append(message.get("body", b"").decode())
            if "event: patch" in sent[-1]:
                told.set()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        stream = asyncio.create_task((await response(world, live))(SCOPE, receive, send))
        while not live.listeners:
            await asyncio.sleep(0)
        submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d")
        await asyncio.wait_for(told.wait(), 10)
        gone.set()
        await asyncio.wait_for(stream, 10)

    asyncio.run(connect())
    assert not live.listeners
    assert next(text for text in sent if text).startswith("event: session\ndata: {")
