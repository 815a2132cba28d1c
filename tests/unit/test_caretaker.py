"""What comes round: who was idle too long holds nothing, and who was not used for long is given back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes import LIMITS, World, point

from delineate.adapters.volume_cache import FileVolumeCache
from delineate.domain.errors import JournalUnavailable
from delineate.domain.result import Result
from delineate.usecases.caretaker import Caretaker
from delineate.usecases.live import LiveSession
from delineate.usecases.result_turns import ResultTurns
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.volumes import VolumeShelf

WAIT_S = 10.0
IDLE_S = 0.2


@pytest.fixture
def world() -> Iterator[World]:
    world = World(replace(LIMITS, idle_s=IDLE_S))
    yield world
    world.segmenter.gate.set()
    world.host.close()


@contextmanager
def going_round(world: World) -> Iterator[None]:
    turns = ResultTurns(world.journal.load, world.journal, world.outbox, world.leases)
    caretaker = Caretaker(world.host, world.journal, turns, retention_s=1e9, round_s=0.01)
    caretaker.start()
    try:
        yield
    finally:
        caretaker.close()


def eventually(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def click(world: World, live: LiveSession, i: int) -> int:
    return submit_prompt(world.host, live, 1, point(1, 2, i), run=True, digest="d").result(WAIT_S).revision


def test_who_was_idle_too_long_holds_nothing_though_nobody_needs_it_and_comes_back(
    world: World, tmp_path: Path
) -> None:
    cache = FileVolumeCache(tmp_path, 10**8)
    world.host.shelf = VolumeShelf(world.archive, world.reader, cache)
    live, only_opened = world.open(), world.open("eve")
    click(world, live, 2)
    assert cache.purge() == 0, "it is in use"
    with going_round(world):
        eventually(lambda: world.segmenter.open_engines == 0 and live.volume is only_opened.volume is None)
    assert live.engine is None
    assert cache.purge() == 1, "nobody keeps it from making room for others"
    assert world.host.all() == [live, only_opened]
    assert click(world, live, 5) == 2
    assert live.session.labelmap(1).count == 2


def test_who_works_is_not_parked_however_long_it_takes(world: World) -> None:
    live = world.open()
    world.segmenter.gate.clear()
    running = submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d")
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    engine = live.engine
    with going_round(world):
        time.sleep(2 * IDLE_S)
        assert live.engine is engine is not None
        world.segmenter.gate.set()
        assert running.result(WAIT_S).revision == 1


def test_a_journal_that_is_away_keeps_nobody_from_being_parked(world: World) -> None:
    live = world.open()
    click(world, live, 2)

    def away() -> list[Result]:
        raise JournalUnavailable("The journal is away.")

    world.journal.unfinished = away  # type: ignore[method-assign]
    with going_round(world):
        eventually(lambda: world.segmenter.open_engines == 0)


def test_a_session_that_was_parked_is_given_back_once_nobody_has_used_it_for_long(world: World) -> None:
    live = world.open()
    click(world, live, 2)
    now = world.host.clock()
    world.host.clock = lambda: now + 3600.0
    world.host.rest(1800.0)
    assert world.host.all() == [live], "it has an engine"
    time.sleep(IDLE_S)
    world.host.park()
    world.host.rest(1800.0)
    assert world.host.all() == []


def test_a_session_of_long_ago_stays_while_somebody_asks_for_it(world: World) -> None:
    name = world.open().session.id
    world.restart()
    now = world.host.clock()
    world.host.clock = lambda: now + 7200.0
    live = world.host.get(name, "ada")
    world.host.rest(3600.0)
    assert world.host.all() == [live]
    world.host.clock = lambda: now + 14400.0
    world.host.rest(3600.0)
    assert world.host.all() == []
