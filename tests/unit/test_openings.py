"""Several series opened at once: each waits only for what it needs, and memory and cache keep their bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
from tests.fakes import LIMITS, SHAPE, NamingReader, SlowArchive, World

from delineate.adapters.volume_cache import FileVolumeCache, MemoryVolumeCache
from delineate.domain.ports import Progress, SeriesHeaders, VolumeCache
from delineate.usecases.capacity import BYTES_PER_VOXEL, Limits
from delineate.usecases.host import READERS
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import open_session
from delineate.usecases.volumes import DOWNLOADS, VolumeShelf

LONGEST_S = 10.0
VOLUME = BYTES_PER_VOXEL * prod(SHAPE)


class CountingArchive(SlowArchive):
    """Notes how many series are read and fetched at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.described_at_once = self.fetched_at_once = 0
        self.most_described = self.most_fetched = 0
        self.asked = threading.Semaphore(0)
        self.answering = threading.Event()
        self.answering.set()
        self.guard = threading.Lock()
        self.fetching: Callable[[], None] = lambda: None

    def described(self, study_instance_uid: str, series_instance_uid: str) -> SeriesHeaders:
        with self.guard:
            self.described_at_once += 1
            self.most_described = max(self.most_described, self.described_at_once)
        self.asked.release()
        assert self.answering.wait(LONGEST_S)
        found = super().described(study_instance_uid, series_instance_uid)
        with self.guard:
            self.described_at_once -= 1
        return found

    def instances(
        self, study_instance_uid: str, series_instance_uid: str, sop_instance_uids: Sequence[str], progress: Progress
    ) -> Iterator[bytes]:
        with self.guard:
            self.fetched_at_once += 1
            self.most_fetched = max(self.most_fetched, self.fetched_at_once)
            self.fetching()
        try:
            yield from super().instances(study_instance_uid, series_instance_uid, sop_instance_uids, progress)
        finally:
            with self.guard:
                self.fetched_at_once -= 1


class Openings:
    """A host whose archive has any series."""

    def __init__(self, cache: VolumeCache, limits: Limits, downloads: int) -> None:
        self.world = World(limits)
        self.archive = CountingArchive()
        self.shelf = self.world.host.shelf = VolumeShelf(self.archive, NamingReader(), cache, downloads=downloads)

    def open(self, series: str) -> LiveSession:
        return open_session(
            self.world.host,
            user="ada",
            study_instance_uid="1.2",
            series_instance_uid=series,
            volume=None,
            segmentation=None,
            model=None,
            key=None,
            digest="d",
        )

    def opened(self, series: str) -> LiveSession:
        live = self.open(series)
        live.loading.result(LONGEST_S)
        return live

    def close(self) -> None:
        self.archive.answering.set()
        self.archive.gate.set()
        self.world.host.close()


Make = Callable[..., Openings]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Openings] = []

    def openings(cache: VolumeCache, downloads: int = DOWNLOADS, **limits: object) -> Openings:
        made.append(Openings(cache, replace(LIMITS, **limits), downloads))  # type: ignore[arg-type]
        return made[-1]

    yield openings
    for one in made:
        one.close()


def eventually(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("in_files", [False, True])
def test_a_series_in_the_cache_opens_while_as_many_as_may_be_are_fetched(
    make: Make, tmp_path: Path, in_files: bool
) -> None:
    cache = FileVolumeCache(tmp_path, 100 * VOLUME) if in_files else MemoryVolumeCache(100 * VOLUME)
    room = make(cache, memory_bytes=(DOWNLOADS + 1) * VOLUME, volumes_in_memory=not in_files)
    room.opened("1.3")
    room.archive.gate.clear()
    held = [room.open(f"1.4.{n}") for n in range(DOWNLOADS + 3)]
    for _ in range(1 + DOWNLOADS):
        assert room.archive.begun.acquire(timeout=LONGEST_S)
    again = room.opened("1.3")
    assert again.volume is not None
    assert again.session.state == "ready"
    assert [live.session.state for live in held] == ["loading"] * len(held)
    assert room.archive.most_fetched == DOWNLOADS
    room.archive.gate.set()
    for live in held:
        live.loading.result(LONGEST_S)
    assert room.archive.most_fetched == DOWNLOADS


def test_a_series_that_is_fetched_already_is_joined_at_once(make: Make) -> None:
    room = make(MemoryVolumeCache(100 * VOLUME))
    room.archive.gate.clear()
    plan = room.shelf.plan("1.2", "1.3", None)
    preload = threading.Thread(target=lambda: room.shelf.load(plan, lambda *_: None, urgent=False))
    preload.start()
    assert room.archive.begun.acquire(timeout=LONGEST_S)
    held = [room.open(f"1.4.{n}") for n in range(DOWNLOADS + 1)]
    joined = room.open("1.3")
    eventually(lambda: joined.progress[2] > 0)
    assert all(live.session.state == "loading" for live in held)
    room.archive.gate.set()
    joined.loading.result(LONGEST_S)
    preload.join()
    assert room.archive.fetched.count("1.3") == 1


def test_the_archive_is_asked_for_some_series_at_a_time(make: Make) -> None:
    room = make(MemoryVolumeCache())
    room.archive.answering.clear()
    lives = [room.open(f"1.4.{n}") for n in range(3 * READERS)]
    for _ in range(READERS):
        assert room.archive.asked.acquire(timeout=LONGEST_S)
    assert not room.archive.asked.acquire(timeout=0.1)
    room.archive.answering.set()
    for live in lives:
        live.loading.result(LONGEST_S)
    assert room.archive.most_described == READERS


def test_volumes_that_arrive_at_once_keep_within_the_memory(make: Make) -> None:
    room = make(MemoryVolumeCache(), memory_bytes=2 * VOLUME)
    most = 0

    def look() -> None:
        nonlocal most
        held = sum(live.volume is not None for live in room.world.host.all())
        most = max(most, held + room.archive.fetched_at_once)

    room.archive.fetching = look
    lives = [room.open(f"1.4.{n}") for n in range(8)]
    for live in lives:
        live.loading.result(LONGEST_S)
    assert most == 2
    assert sum(live.volume is not None for live in lives) == 2


def test_openings_beyond_the_cache_take_the_place_of_those_that_are_done(make: Make, tmp_path: Path) -> None:
    room = make(FileVolumeCache(tmp_path, 3 * VOLUME), volumes_in_memory=False)
    lives = [room.open(f"1.4.{n}") for n in range(12)]
    for live in lives:
        live.loading.result(LONGEST_S)
    assert {live.session.state for live in lives} == {"ready"}


def test_several_openings_of_one_series_share_the_turn_for_which_others_give_up_their_room(
    make: Make, tmp_path: Path
) -> None:
    room = make(FileVolumeCache(tmp_path, int(1.5 * VOLUME)), volumes_in_memory=False, downloads=1)
    for n in range(10):
        lives = [room.open(f"1.4.{n}") for _ in range(4)]
        for live in lives:
            live.loading.result(LONGEST_S)
    assert room.archive.most_fetched == 1
    assert len(room.archive.fetched) == 10


def test_openings_that_wait_end_with_the_process_and_go_on_after_the_restart(make: Make) -> None:
    room = make(MemoryVolumeCache())
    room.archive.gate.clear()
    room.archive.answering.clear()
    for n in range(3 * READERS):
        room.open(f"1.4.{n}")
    for _ in range(READERS):
        assert room.archive.asked.acquire(timeout=LONGEST_S)
    closing = threading.Thread(target=room.world.host.close)
    closing.start()
    assert room.world.host.closing.wait(LONGEST_S)
    room.archive.answering.set()
    closing.join(LONGEST_S)
    assert not closing.is_alive()
    assert not room.archive.asked.acquire(blocking=False), "a stopping service asks for no further series"
    entries = room.world.journal.entries.values()
    assert {tuple(entry.kind for entry in kept) for kept in entries} == {("opened",)}
