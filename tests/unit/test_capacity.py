"""What a process takes on: engines and volumes within its memory, sessions and prompts within their limits."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
from tests.fakes import LIMITS, SHAPE, World, point

from delineate.adapters.machine_memory import memory_bytes
from delineate.domain.errors import SegmenterBusy, TooManySessions
from delineate.domain.volume import SliceSource
from delineate.usecases.capacity import BYTES_PER_VOXEL, Limits
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session
from delineate.usecases.submit_prompt import submit_prompt

PATIENCE_S = 10.0
ENGINE = prod(SHAPE)
"""Bytes of one of the fakes' engines."""
SHARED = BYTES_PER_VOXEL * prod(SHAPE)
"""Bytes of a volume, and of what the model makes of it."""

Make = Callable[..., World]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[World] = []

    def world(**changes: object) -> World:
        limits: Limits = replace(LIMITS, **changes)  # type: ignore[arg-type]
        made.append(World(limits))
        return made[-1]

    yield world
    for one in made:
        one.segmenter.gate.set()
        one.host.close()


def prompted(world: World, user: str) -> LiveSession:
    live = world.open(user)
    submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d").result(PATIENCE_S)
    return live


def live_ones(lives: list[LiveSession]) -> list[bool]:
    return [live.engine is not None for live in lives]


def test_the_one_that_was_idle_longest_is_parked_first(make: Make) -> None:
    world = make(engines=2)
    lives = [prompted(world, f"user {n}") for n in range(2)]
    submit_prompt(world.host, lives[0], 1, point(1, 2, 3), run=True, digest="d").result(PATIENCE_S)
    lives.append(prompted(world, "newcomer"))
    assert live_ones(lives) == [True, False, True]
    assert world.segmenter.open_engines == 2


def test_engines_keep_within_the_memory_and_what_they_share_counts_once(make: Make) -> None:
    world = make(engines=100, memory_bytes=2 * SHARED + 3 * ENGINE)
    lives = [prompted(world, f"user {n}") for n in range(7)]
    assert live_ones(lives) == [False] * 4 + [True] * 3


def test_volumes_that_are_files_take_no_memory_of_their_own(make: Make) -> None:
    world = make(engines=100, memory_bytes=SHARED + 3 * ENGINE, volumes_in_memory=False)
    lives = [prompted(world, f"user {n}") for n in range(7)]
    assert live_ones(lives) == [False] * 4 + [True] * 3
    assert all(live.volume is not None for live in lives)


def test_what_alone_is_larger_than_the_memory_is_held_alone(make: Make) -> None:
    world = make(memory_bytes=1)
    lives = [prompted(world, f"user {n}") for n in range(3)]
    assert live_ones(lives) == [False, False, True]


def test_a_parked_session_s_volume_goes_when_memory_is_needed_and_comes_back(make: Make) -> None:
    world = make(memory_bytes=2 * SHARED + ENGINE)
    first = prompted(world, "ada")
    others = tuple(SliceSource(f"1.5.{k}", 1) for k in range(SHAPE[0]))
    world.reader.now = replace(first.plan, series_instance_uid="1.5", slices=others)
    world.archive.versions = [{"another": "series"}]
    second = prompted(world, "eve")
    assert (first.engine, first.volume) == (None, None)
    assert second.volume is not None
    world.reader.now, world.archive.versions = first.plan, []
    submit_prompt(world.host, first, 1, point(1, 2, 3), run=True, digest="d").result(PATIENCE_S)
    assert first.session.labelmap(1).count == 2
    assert second.engine is None


def test_nobody_is_parked_while_the_model_runs(make: Make) -> None:
    world = make(engines=1)
    world.segmenter.gate.clear()
    busy, other = world.open("ada"), world.open("eve")
    running = submit_prompt(world.host, busy, 1, point(1, 2, 2), run=True, digest="d")
    assert world.segmenter.entered.acquire(timeout=PATIENCE_S)
    waiting = submit_prompt(world.host, other, 1, point(1, 2, 2), run=True, digest="d")
    world.host.queue.park_idle()
    assert live_ones([busy, other]) == [True, False]
    world.segmenter.gate.set()
    running.result(PATIENCE_S)
    waiting.result(PATIENCE_S)
    assert world.segmenter.open_engines == 1


def test_whoever_was_idle_too_long_gives_everything_up_even_if_there_is_room(make: Make) -> None:
    world = make(idle_s=0.0)
    first = prompted(world, "ada")
    second = prompted(world, "eve")
    assert (first.engine, first.volume) == (None, None)
    assert second.engine is not None


def test_a_closed_session_holds_nothing(make: Make) -> None:
    world = make()
    live = prompted(world, "ada")
    close_session(world.host, live)
    assert (live.engine, live.volume, world.segmenter.open_engines) == (None, None, 0)


def test_one_user_s_open_sessions_are_limited_and_closing_one_makes_room(make: Make) -> None:
    world = make(user_sessions=2)
    first = world.open("ada")
    world.open("ada")
    before = len(world.journal.entries)
    with pytest.raises(TooManySessions, match="DELINEATE_USER_SESSION_LIMIT"):
        world.open("ada")
    assert len(world.journal.entries) == before
    world.open("eve")
    close_session(world.host, first)
    world.open("ada")


def test_everybody_s_open_sessions_are_limited(make: Make) -> None:
    world = make(sessions=2)
    world.open("ada")
    world.open("eve")
    with pytest.raises(TooManySessions, match="DELINEATE_SESSION_LIMIT"):
        world.open("bob")


def test_one_user_s_waiting_prompts_are_limited_and_none_is_lost(make: Make) -> None:
    world = make(user_prompts=3)
    world.segmenter.gate.clear()
    live, other = world.open("ada"), world.open("eve")
    name = str(uuid.uuid4())
    prompts = [point(1, 2, n) for n in range(2)] + [point(1, 2, 5, name=name)]
    futures = [submit_prompt(world.host, live, 1, prompt, run=True, digest="d") for prompt in prompts]
    entries = len(world.journal.entries[live.session.id])
    with pytest.raises(SegmenterBusy):
        submit_prompt(world.host, live, 1, point(1, 2, 9), run=True, digest="d")
    assert len([e for e in world.journal.entries[live.session.id][entries:] if e.kind == "prompt"]) == 0
    assert submit_prompt(world.host, live, 1, prompts[-1], run=True, digest="d") is futures[-1]
    submit_prompt(world.host, live, 1, point(1, 2, 9), run=False, digest="d")
    others = submit_prompt(world.host, other, 1, point(1, 2, 9), run=True, digest="d")
    world.segmenter.gate.set()
    for future in (*futures, others):
        future.result(PATIENCE_S)
    assert live.session.labelmap(1).count == 3


def test_the_memory_of_a_container_is_its_limit(tmp_path: Path) -> None:
    limited, unlimited = tmp_path / "memory.max", tmp_path / "none.max"
    limited.write_text("1048576\n")
    unlimited.write_text("max\n")
    assert memory_bytes((limited, tmp_path / "missing")) == 1048576
    assert memory_bytes((unlimited,)) == memory_bytes((tmp_path / "missing",)) > 2**28
