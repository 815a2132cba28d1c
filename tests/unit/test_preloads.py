"""Series read ahead: joined, kept for a while, and given to sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from tests.fakes import FakeArchive, FakeReader, World, plan

from delineate.domain.errors import ArchiveUnreachable, PreloadNotFound, SeriesNotFound
from delineate.domain.ports import DicomJson, Progress
from delineate.domain.volume import SliceSource, VolumePlan
from delineate.usecases import preload_series
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import open_session
from delineate.usecases.preload_series import KEPT_VOLUMES, Preload, Preloads
from delineate.usecases.volumes import VolumeShelf


class SlowArchive(FakeArchive):
    """Gives one instance after another, each when ``gate`` is open, and counts the fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.fetched: list[str] = []
        self.asked: list[str] = []

    def headers(self, study_instance_uid: str, series_instance_uid: str) -> list[DicomJson]:
        self._maybe_fail()
        self.asked.append(series_instance_uid)
        return [{"study": study_instance_uid, "series": series_instance_uid}]

    def instances(
        self,
        study_instance_uid: str,  # noqa: ARG002
        series_instance_uid: str,
        sop_instance_uids: Sequence[str],
        progress: Progress,
    ) -> Iterator[bytes]:
        self.fetched.append(series_instance_uid)
        self.begun.release()
        for n, _ in enumerate(sop_instance_uids, 1):
            progress(n, len(sop_instance_uids), 100 * n)
            assert self.gate.wait(10)
            yield b""


class NamingReader(FakeReader):
    """Reads every series as ``plan()`` under its own UIDs; ``edition`` is another set of instances."""

    def __init__(self) -> None:
        super().__init__()
        self.edition = 0

    def plan(self, headers: Sequence[DicomJson], volume: str | None) -> VolumePlan:
        study, series = headers[0]["study"], headers[0]["series"]
        slices = tuple(SliceSource(f"{series}.{self.edition}.{k}", 1) for k in range(plan().geometry.shape[0]))
        return replace(plan(), study_instance_uid=study, series_instance_uid=series, volume=volume, slices=slices)


class Room:
    """Preloads beside a host on one shelf."""

    def __init__(self) -> None:
        self.world = World()
        self.archive, self.reader = SlowArchive(), NamingReader()
        self.shelf = VolumeShelf(self.archive, self.reader)
        self.world.host.shelf = self.shelf
        self.preloads = Preloads(self.shelf)

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

    def ready(self, series: str, volume: str | None = None) -> Preload:
        preload = self.preloads.request("1.2", series, volume)
        return until(preload, "ready")


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.archive.gate.set()
    room.world.host.close()
    room.preloads.close()


def until(preload: Preload, state: str) -> Preload:
    end = time.monotonic() + 10
    while preload.state != state or preload.queued:
        assert time.monotonic() < end, preload
        threading.Event().wait(0.001)
    return preload


def test_a_preload_tells_how_far_it_is(room: Room) -> None:
    room.archive.gate.clear()
    preload = room.preloads.request("1.2", "1.3", None)
    assert room.archive.begun.acquire(timeout=10)
    assert preload.state == "loading"
    assert preload.progress[1] == 6
    waiting = room.preloads.request("1.2", "1.4", None)
    assert waiting.state == "waiting"
    room.archive.gate.set()
    assert until(preload, "ready").progress == (6, 6, 600)
    until(waiting, "ready")


def test_asking_again_while_it_is_read_is_asking_once(room: Room) -> None:
    room.archive.gate.clear()
    preload = room.preloads.request("1.2", "1.3", None)
    assert room.archive.begun.acquire(timeout=10)
    assert room.preloads.request("1.2", "1.3", None) is preload
    room.archive.gate.set()
    until(preload, "ready")
    assert room.archive.fetched == ["1.3"]


def test_a_session_uses_the_preloaded_volume_and_joins_one_under_way(room: Room) -> None:
    room.archive.gate.clear()
    preload = room.preloads.request("1.2", "1.3", None)
    assert room.archive.begun.acquire(timeout=10)
    joined = room.open("1.3")
    room.archive.gate.set()
    joined.loading.result(10)
    until(preload, "ready")
    later = room.open("1.3")
    later.loading.result(10)
    assert room.archive.fetched == ["1.3"]
    assert joined.volume is later.volume is preload.kept
    assert joined.progress == (6, 6, 600)


def test_a_ready_series_that_changed_in_the_archive_is_read_again(room: Room) -> None:
    first = room.ready("1.3").kept
    assert room.ready("1.3").kept is first
    room.reader.edition = 1
    again = room.ready("1.3").kept
    assert again is not None
    assert again is not first
    assert room.archive.fetched == ["1.3", "1.3"]


def test_another_volume_of_the_series_takes_its_place(room: Room) -> None:
    room.ready("1.3", "a")
    other = room.ready("1.3", "b")
    assert room.preloads.get("1.3") is other


def test_a_failed_series_says_why_and_can_be_asked_for_again(room: Room) -> None:
    room.archive.fault = SeriesNotFound("No such series.")
    preload = until(room.preloads.request("1.2", "1.3", None), "failed")
    assert isinstance(preload.error, SeriesNotFound)
    room.archive.fault = None
    assert room.ready("1.3").error is None


def test_the_last_few_are_kept(room: Room) -> None:
    names = [f"1.3.{n}" for n in range(KEPT_VOLUMES + 2)]
    for name in names:
        room.ready(name)
    for name in names[:2]:
        with pytest.raises(PreloadNotFound):
            room.preloads.get(name)
    assert all(room.preloads.get(name).state == "ready" for name in names[2:])


def test_no_more_bytes_are_kept_than_allowed_but_always_the_newest(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload_series, "KEPT_BYTES", 1)
    room.ready("1.3.1")
    room.ready("1.3.2")
    with pytest.raises(PreloadNotFound):
        room.preloads.get("1.3.1")
    assert room.preloads.get("1.3.2").state == "ready"


def test_what_was_not_asked_for_is_not_there(room: Room) -> None:
    with pytest.raises(PreloadNotFound):
        room.preloads.get("1.3")


def test_the_end_breaks_a_fetch_off_and_the_session_loads_after_the_restart(room: Room) -> None:
    room.archive.gate.clear()
    live = room.open("1.3")
    assert room.archive.begun.acquire(timeout=10)
    room.world.host.closing.set()
    room.shelf.close()
    room.archive.gate.set()
    assert isinstance(live.loading.exception(10), ArchiveUnreachable)
    assert live.session.state == "loading"
    assert [entry.kind for entry in room.world.journal.read(live.session.id)] == ["opened"]
