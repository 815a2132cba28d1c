"""How much is ahead of a prompt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fakes import World, point

from delineate.domain.segment import SegmentDescription
from delineate.usecases.live import LiveSession
from delineate.usecases.segments import add_segment
from delineate.usecases.submit_prompt import submit_prompt


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.segmenter.gate.clear()
    yield world
    world.segmenter.gate.set()
    world.host.close()


def begin(world: World, live: LiveSession, number: int = 1) -> str:
    """Send a prompt and wait until its run has begun."""
    prompt = point(1, 2, 2)
    submit_prompt(world.host, live, number, prompt, run=True, digest="d")
    assert world.segmenter.entered.acquire(timeout=10)
    return prompt.origin.id


def position(world: World, live: LiveSession, number: int = 1) -> tuple[str, int] | None:
    with live.lock:
        return world.host.queue.position(live, number)


def test_what_began_before_is_ahead_until_it_ends(world: World) -> None:
    ada, eve, bob = (world.open(user) for user in ("ada", "eve", "bob"))
    names = [begin(world, live) for live in (ada, eve, bob)]
    assert [position(world, live) for live in (ada, eve, bob)] == [(name, n) for n, name in enumerate(names)]
    world.segmenter.gate.set()
    for live, name in zip((ada, eve, bob), names, strict=True):
        job = live.job(name)
        if job is not None:
            job.future.result(10)
    assert [position(world, live) for live in (ada, eve, bob)] == [None] * 3


def test_the_own_sessions_other_segments_come_first(world: World) -> None:
    eve, ada = world.open("eve"), world.open("ada", segments=3)
    begin(world, eve)
    first = begin(world, ada, 1)
    waiting = [point(1, 2, 2), point(1, 2, 3)]
    for number, prompt in enumerate(waiting, 2):
        submit_prompt(world.host, ada, number, prompt, run=True, digest="d")
    assert position(world, ada, 1) == (first, 1)
    assert position(world, ada, 2) == (waiting[0].origin.id, 2)
    assert position(world, ada, 3) == (waiting[1].origin.id, 3)


def test_a_collected_prompt_waits_for_nothing(world: World) -> None:
    live = world.open()
    submit_prompt(world.host, live, 1, point(1, 2, 2), run=False, digest="d").result(10)
    add_segment(world.host, live, SegmentDescription(), "s", "d")
    assert position(world, live, 1) is None
    assert position(world, live, 2) is None
