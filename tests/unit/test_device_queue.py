"""How much is ahead of a prompt, and whose turn it is when there is no room for everybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from tests.fakes import LIMITS, World, point, unit_box

from delineate.domain.errors import PromptCancelled
from delineate.domain.labelmap import Region
from delineate.domain.prompts import LabelmapPrompt, PromptOrigin
from delineate.domain.segment import SegmentDescription
from delineate.domain.session import Change
from delineate.usecases.events import QueueMoved
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session
from delineate.usecases.segments import add_segment
from delineate.usecases.submit_prompt import cancel_prompt, submit_prompt
from delineate.usecases.undo import reset, undo

PATIENCE_S = 10.0


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


# --- with room for one engine ---------------------------------------------------------------------


@pytest.fixture
def narrow() -> Iterator[World]:
    world = World(replace(LIMITS, engines=1))
    world.segmenter.gate.clear()
    yield world
    world.segmenter.gate.set()
    world.host.close()


def wait_in_line(world: World, live: LiveSession, *voxel: int) -> tuple[str, Future[Change]]:
    """Send a prompt of a session for which there is no room, and return when it waits for its turn."""
    before = world.host.queue.lengths[1]
    prompt = point(*(voxel or (1, 2, 2)))
    future = submit_prompt(world.host, live, 1, prompt, run=True, digest="d")
    deadline = time.monotonic() + PATIENCE_S
    while world.host.queue.lengths[1] == before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return prompt.origin.id, future


def test_users_take_turns_whoever_came_first(narrow: World) -> None:
    ada = [narrow.open("ada") for _ in range(4)]
    eve, bob = narrow.open("eve"), narrow.open("bob")
    begin(narrow, ada[0])
    waiting = [wait_in_line(narrow, live) for live in (*ada[1:], eve, bob)]
    places = [position(narrow, live) for live in (*ada[1:], eve, bob)]
    # ada runs already, so that the others come first; then one is as good as the other
    assert [place and place[1] for place in places] == [3, 4, 5, 1, 2]
    narrow.segmenter.gate.set()
    for _, future in waiting:
        future.result(PATIENCE_S)
    # once her run has ended nobody runs, and she was the first who waited
    assert narrow.segmenter.opened_for == ["ada", "ada", "eve", "bob", "ada", "ada"]
    assert narrow.segmenter.open_engines == 1


def test_a_user_with_runs_under_way_waits_for_those_without() -> None:
    world = World(replace(LIMITS, engines=2))
    world.segmenter.gate.clear()
    ada, eve, bob = [world.open("ada") for _ in range(3)], world.open("eve"), world.open("bob")
    begin(world, ada[0])
    begin(world, ada[1])
    waiting = [wait_in_line(world, live) for live in (ada[2], eve, bob)]
    assert [world.host.queue.position(live, 1) for live in (ada[2], eve, bob)] == [
        (waiting[0][0], 4),
        (waiting[1][0], 2),
        (waiting[2][0], 3),
    ]
    world.segmenter.gate.set()
    world.host.close()


@pytest.mark.parametrize("how", ["cancel", "undo", "reset", "close"])
def test_a_prompt_that_is_taken_back_while_it_waits_never_reaches_the_device(narrow: World, how: str) -> None:
    ada, eve = narrow.open("ada"), narrow.open("eve")
    name = begin(narrow, ada)
    waiting, future = wait_in_line(narrow, eve)
    assert position(narrow, eve) == (waiting, 1)
    match how:
        case "cancel":
            cancel_prompt(narrow.host, eve, 1, waiting)
        case "undo":
            undo(narrow.host, eve, 1, "k", "d")
        case "reset":
            reset(narrow.host, eve, 1, "k", "d")
        case _:
            close_session(narrow.host, eve)
    with pytest.raises(PromptCancelled):
        future.result(PATIENCE_S)
    assert narrow.host.queue.lengths == (1, 0)
    narrow.segmenter.gate.set()
    job = ada.job(name)
    if job is not None:
        job.future.result(PATIENCE_S)
    assert narrow.segmenter.opened_for == ["ada"]
    assert len(narrow.segmenter.runs) == 1


def test_prompts_that_come_while_one_waits_share_its_run(narrow: World) -> None:
    ada, eve = narrow.open("ada"), narrow.open("eve")
    begin(narrow, ada)
    futures = [wait_in_line(narrow, eve)[1]]
    futures += [submit_prompt(narrow.host, eve, 1, point(1, 2, n), run=True, digest="d") for n in range(3, 6)]
    assert [eve.state_of(pending) for pending in eve.session.segment(1).pending.values()] == ["waiting"] * 4
    narrow.segmenter.gate.set()
    assert len({future.result(PATIENCE_S).revision for future in futures}) == 1
    assert [count for _, count, _ in narrow.segmenter.runs] == [1, 4]


def test_a_session_with_more_to_run_lets_others_have_a_turn_in_between(narrow: World) -> None:
    ada, eve = narrow.open("ada", segments=2), narrow.open("eve")
    begin(narrow, ada)
    later = submit_prompt(narrow.host, ada, 2, point(1, 2, 2), run=True, digest="d")
    _, other = wait_in_line(narrow, eve)
    narrow.segmenter.gate.set()
    later.result(PATIENCE_S)
    other.result(PATIENCE_S)
    assert narrow.segmenter.opened_for == ["ada", "eve", "ada"]
    assert ada.session.labelmap(2).count == 1


def test_whoever_listens_is_told_when_places_change(narrow: World) -> None:
    ada, eve = narrow.open("ada"), narrow.open("eve")
    begin(narrow, ada)
    woken = threading.Event()
    with narrow.host.listening(eve, woken.set) as listener:
        wait_in_line(narrow, eve)
        assert QueueMoved() in listener.take()
        assert woken.is_set()


def test_a_labelmap_needs_no_room(narrow: World) -> None:
    ada, eve = narrow.open("ada"), narrow.open("eve")
    begin(narrow, ada)
    given = LabelmapPrompt.of(
        PromptOrigin("given", True, "1.2.3"), Region(unit_box(1, 2, 3), np.ones((1, 1, 1), np.bool_))
    )
    submit_prompt(narrow.host, eve, 1, given, run=True, digest="d").result(PATIENCE_S)
    assert eve.session.labelmap(1).count == 1


def test_closing_ends_those_who_wait_and_they_run_after_the_restart(narrow: World) -> None:
    ada, eve = narrow.open("ada"), narrow.open("eve")
    begin(narrow, ada)
    wait_in_line(narrow, eve)
    narrow.host.close()
    assert narrow.host.queue.lengths == (0, 0)
    narrow.segmenter.gate.set()
    narrow.restart()
    again = narrow.host.get(eve.session.id, "eve")
    deadline = time.monotonic() + PATIENCE_S
    while again.session.labelmap(1).is_empty:
        assert time.monotonic() < deadline
        time.sleep(0.001)
