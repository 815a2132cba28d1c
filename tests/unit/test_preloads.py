"""Series read ahead: joined, cancelled, in order of urgency, and given to sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.fakes import NamingReader, SlowArchive, World

from delineate.adapters.local_preloads import KEPT_RECORDS, LocalPreloadQueue, LocalPreloadRecords
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.domain.errors import ArchiveUnreachable, PreloadNotFound, SeriesNotFound
from delineate.domain.preload import PreloadOrder, PreloadRecord
from delineate.domain.volume import Volume
from delineate.usecases import preload_series
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import open_session
from delineate.usecases.preload_series import Preloader, Preloads
from delineate.usecases.volumes import VolumeShelf

LONGEST_S = 10.0
KEPT = 1024**3


class Room:
    """Preloads beside a host on one shelf."""

    def __init__(self) -> None:
        self.world = World()
        self.archive, self.reader, self.cache = SlowArchive(), NamingReader(), MemoryVolumeCache(KEPT)
        self.shelf = VolumeShelf(self.archive, self.reader, self.cache)
        self.world.host.shelf = self.shelf
        self.records = LocalPreloadRecords()
        self.prepared: list[Volume] = []
        self.preloader = Preloader(self.shelf, self.records, self.prepared.append)
        self.queue = LocalPreloadQueue(self.preloader.run)
        self.preloads = Preloads(self.records, self.queue, self.cache)

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

    def request(self, series: str, volume: str | None = None, *, urgent: bool = False) -> PreloadRecord:
        return self.preloads.request(PreloadOrder("1.2", series, volume), urgent=urgent)

    def ready(self, series: str, volume: str | None = None) -> PreloadRecord:
        self.request(series, volume)
        return self.until(series, "ready")

    def until(self, series: str, state: str) -> PreloadRecord:
        eventually(lambda: self.preloads.get(series).state == state and self.queue.idle)
        return self.preloads.get(series)

    def begun(self) -> None:
        assert self.archive.begun.acquire(timeout=LONGEST_S)


def eventually(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.preloader.close()
    room.archive.gate.set()
    room.world.host.close()
    room.queue.close()


def test_a_preload_tells_how_far_it_is(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    assert room.preloads.get("1.3").state == "loading"
    assert room.preloads.get("1.3").progress[1] == 6
    assert room.request("1.4").state == "waiting"
    room.archive.gate.set()
    assert room.until("1.3", "ready").progress == (6, 6, 600)
    room.until("1.4", "ready")
    assert [v.plan.series_instance_uid for v in room.prepared] == ["1.3", "1.4"]


def test_asking_again_while_it_is_read_is_asking_once(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    assert room.request("1.3").state == "loading"
    room.archive.gate.set()
    room.until("1.3", "ready")
    assert room.archive.fetched == ["1.3"]


def test_a_session_uses_the_preloaded_volume_and_joins_one_under_way(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    joined = room.open("1.3")
    eventually(lambda: joined.progress[2] > 0)
    room.archive.gate.set()
    joined.loading.result(LONGEST_S)
    room.until("1.3", "ready")
    planned = room.reader.planned
    later = room.open("1.3")
    later.loading.result(LONGEST_S)
    assert room.archive.fetched == ["1.3"]
    assert room.reader.planned == planned, "equal headers need not be checked again"
    assert joined.volume is not None
    assert later.volume is not None
    assert joined.volume.voxels is later.volume.voxels is room.prepared[0].voxels
    assert joined.progress == (6, 6, 600)


def test_a_ready_series_that_changed_in_the_archive_is_read_again(room: Room) -> None:
    first = room.ready("1.3").fingerprint
    assert room.ready("1.3").fingerprint == first
    room.archive.edition = 1
    room.request("1.3")
    eventually(lambda: room.preloads.get("1.3").fingerprint not in (None, first))
    room.until("1.3", "ready")
    assert room.archive.fetched == ["1.3", "1.3"]


def test_a_series_that_changes_while_it_is_read_is_read_again(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    room.archive.edition = 1
    room.archive.gate.set()
    room.begun()
    room.until("1.3", "ready")
    opened = room.open("1.3")
    opened.loading.result(LONGEST_S)
    assert room.archive.fetched == ["1.3", "1.3"]


def test_another_volume_of_the_series_takes_its_place(room: Room) -> None:
    room.ready("1.3", "a")
    other = room.ready("1.3", "b")
    assert room.preloads.get("1.3") == other
    assert other.order.volume == "b"


def test_a_failed_series_says_why_and_can_be_asked_for_again(room: Room) -> None:
    room.archive.fault = SeriesNotFound("No such series.")
    room.request("1.3")
    failed = room.until("1.3", "failed")
    assert failed.problem == {"error": "SeriesNotFound", "detail": "No such series.", "members": {}}
    room.archive.fault = None
    assert room.ready("1.3").problem is None


def test_a_volume_that_has_made_room_is_not_ready_any_more(room: Room) -> None:
    room.cache = MemoryVolumeCache()  # keeps nothing that nobody uses
    room.shelf = VolumeShelf(room.archive, room.reader, room.cache)
    room.preloader = Preloader(room.shelf, room.records, lambda _: None)
    room.preloads = Preloads(room.records, room.queue, room.cache)
    order = PreloadOrder("1.2", "1.3")
    room.records.save(PreloadRecord(order))
    room.preloader.run(order)
    assert room.archive.fetched == ["1.3"]
    with pytest.raises(PreloadNotFound):
        room.preloads.get("1.3")
    assert room.request("1.3").state == "waiting"


def test_what_was_not_asked_for_is_not_there(room: Room) -> None:
    with pytest.raises(PreloadNotFound):
        room.preloads.get("1.3")
    with pytest.raises(PreloadNotFound):
        room.preloads.cancel("1.3")


def test_a_cancelled_preload_is_broken_off(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload_series, "NOTE_S", 0.0)
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    room.request("1.4")
    room.preloads.cancel("1.3")
    room.preloads.cancel("1.4")
    room.archive.gate.set()
    eventually(lambda: room.queue.idle)
    assert room.archive.fetched == ["1.3"]
    assert room.cache.usage().volumes == 0
    with pytest.raises(PreloadNotFound):
        room.preloads.get("1.3")


def test_a_session_that_waits_gets_a_volume_whose_preload_is_cancelled(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    live = room.open("1.3")
    eventually(lambda: live.progress[1] == 6)
    room.preloads.cancel("1.3")
    room.archive.gate.set()
    live.loading.result(LONGEST_S)
    assert live.volume is not None
    assert room.archive.fetched == ["1.3"]


def test_a_user_goes_before_what_nobody_waits_for(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3.1")
    room.begun()
    for series in ("1.3.2", "1.3.3"):
        room.request(series)
    room.request("1.3.4", urgent=True)
    room.begun()
    assert room.archive.fetched == ["1.3.1", "1.3.4"], "one turn is kept for users"
    live = room.open("1.3.3")  # waits in the queue, and goes first now
    eventually(lambda: live.session.state == "loading" and len(room.shelf.waiting) == 3)
    room.archive.gate.set()
    live.loading.result(LONGEST_S)
    for series in ("1.3.1", "1.3.2", "1.3.3", "1.3.4"):
        room.until(series, "ready")
    assert room.archive.fetched == ["1.3.1", "1.3.4", "1.3.3", "1.3.2"]


def test_what_had_not_ended_is_done_after_a_restart(room: Room) -> None:
    for series, state in (("1.3.1", "waiting"), ("1.3.2", "loading"), ("1.3.3", "failed")):
        room.records.save(PreloadRecord(PreloadOrder("1.2", series), state))  # type: ignore[arg-type]
    room.preloads.resume()
    room.until("1.3.1", "ready")
    room.until("1.3.2", "ready")
    assert room.preloads.get("1.3.3").state == "failed"
    assert sorted(room.archive.fetched) == ["1.3.1", "1.3.2"]


def test_the_oldest_records_are_forgotten() -> None:
    records = LocalPreloadRecords()
    for n in range(KEPT_RECORDS + 1):
        records.save(PreloadRecord(PreloadOrder("1.2", f"1.3.{n}")))
    assert records.load("1.3.0") is None
    assert len(records.all()) == KEPT_RECORDS


def test_the_end_breaks_a_fetch_off_and_the_session_loads_after_the_restart(room: Room) -> None:
    room.archive.gate.clear()
    live = room.open("1.3")
    room.begun()
    room.world.host.closing.set()
    room.shelf.close()
    room.archive.gate.set()
    assert isinstance(live.loading.exception(LONGEST_S), ArchiveUnreachable)
    assert live.session.state == "loading"
    assert [entry.kind for entry in room.world.journal.read(live.session.id)] == ["opened"]


def test_the_end_leaves_a_preload_to_the_next_start(room: Room) -> None:
    room.archive.gate.clear()
    room.request("1.3")
    room.begun()
    room.preloader.close()
    room.shelf.close()
    room.archive.gate.set()
    eventually(lambda: room.queue.idle)
    assert room.preloads.get("1.3").state == "loading"
