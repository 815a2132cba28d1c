"""Exports from the request to their end, over the ports in memory: what is left out, deleted, or ends its writer."""

from __future__ import annotations

import json
import logging
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.fakes import FakeCodec, World, point

from delineate.adapters.export_files import ExportFiles
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.domain.errors import SegmentEmpty, SegmentUnnamed
from delineate.domain.export import Export
from delineate.domain.ports import ExportSource
from delineate.domain.segment import CodedConcept
from delineate.usecases.export_segments import Exports
from delineate.usecases.live import LiveSession
from delineate.usecases.segments import change_segment
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.volumes import VolumeShelf
from delineate.usecases.write_export import ATTEMPTS, ExportWriter

NAME = {
    "category": CodedConcept("91723000", "SCT", "Anatomical Structure"),
    "type": CodedConcept("10200004", "SCT", "Liver"),
}


class Killed(BaseException):
    """Ends the writer as a kill would."""


class FakeExporter:
    """Writes one file, and calls what it is given before or after that."""

    def __init__(self, before: Callable[[], object] = lambda: None, after: Callable[[], object] = lambda: None) -> None:
        self.before, self.after = before, after
        self.runs = 0

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:  # noqa: ARG002
        self.runs += 1
        self.before()
        (folder / "a").write_bytes(b"a")
        self.after()
        return ("a",)


class FakeQueue:
    def send(self, export_id: str) -> None:
        """Nobody is woken: the tests write themselves."""


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.host.close()


@pytest.fixture
def store(tmp_path: Path) -> ExportFiles:
    return ExportFiles(tmp_path / "exports")


@pytest.fixture
def exports(world: World, store: ExportFiles) -> Exports:
    return Exports(store, FakeQueue(), world.segmenter)


def drawn(world: World, *empty: int, segments: int = 1) -> LiveSession:
    """Return a session with named segments, those of the numbers ``empty`` without voxels and names."""
    live = world.open(segments=segments)
    for number in set(range(1, segments + 1)).difference(empty):
        change_segment(world.host, live, number, {**NAME, "label": f"Liver {number}"}, str(uuid.uuid4()), "d")
        submit_prompt(world.host, live, number, point(1, 2, 2), run=True, digest="d").result(10)
    return live


def writer(world: World, store: ExportFiles, **exporters: FakeExporter) -> ExportWriter:
    shelf = VolumeShelf(world.archive, world.reader, MemoryVolumeCache())
    unused: Any = cast(Any, None)
    return ExportWriter(store, world.archive, shelf, FakeCodec(), unused, unused, exporters)


def request(exports: Exports, live: LiveSession, *formats: str, numbers: list[int] | None = None) -> Export:
    return exports.request(live, formats or ("stl",), numbers, key=str(uuid.uuid4()))


def manifest(store: ExportFiles, export_id: str) -> dict[str, Any]:
    path = store.file(export_id)
    assert path is not None
    with zipfile.ZipFile(path) as archive:
        read: dict[str, Any] = json.loads(archive.read("export.json"))
    return read


def test_an_export_of_all_segments_leaves_empty_ones_out_and_names_them(
    world: World, store: ExportFiles, exports: Exports
) -> None:
    live = drawn(world, 1, 3, segments=4)
    change_segment(world.host, live, 3, {"label": "Milz"}, str(uuid.uuid4()), "d")
    export = request(exports, live)
    writer(world, store, stl=FakeExporter()).run(export.id)
    made = manifest(store, export.id)
    assert [(s["number"], s["label"]) for s in made["segments"]] == [(1, "Liver 2"), (2, "Liver 4")]
    assert made["empty"] == [
        {"number": n, "label": label, "tracking_uid": live.session.segment(n).tracking_uid}
        for n, label in ((1, ""), (3, "Milz"))
    ]


def test_what_is_named_and_empty_and_what_is_empty_altogether_is_refused(world: World, exports: Exports) -> None:
    live = drawn(world, 2, segments=2)
    with pytest.raises(SegmentEmpty, match=r"\[2\]"):
        request(exports, live, numbers=[1, 2])
    for session in (drawn(world, 1, 2, segments=2), world.open(segments=0)):
        with pytest.raises(SegmentEmpty):
            request(exports, session)


def test_what_is_drawn_and_unnamed_is_refused(world: World, exports: Exports) -> None:
    live = world.open()
    submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d").result(10)
    with pytest.raises(SegmentUnnamed):
        request(exports, live)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_export_that_is_deleted_while_it_is_written_leaves_nothing(
    world: World, store: ExportFiles, exports: Exports, tmp_path: Path, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    export = request(exports, drawn(world), "stl", "obj")
    caplog.set_level(logging.INFO)
    deleting = FakeExporter(**{when: lambda: exports.delete(export.id, "ada")})
    further = FakeExporter()
    writer(world, store, stl=deleting, obj=further).run(export.id)
    assert list((tmp_path / "exports").iterdir()) == []
    assert (deleting.runs, further.runs) == (1, 0)
    assert [(r.levelname, r.message) for r in caplog.records] == [("INFO", "export is gone")]


def test_a_format_that_fails_unexpectedly_is_named_and_the_others_are_there(
    world: World, store: ExportFiles, exports: Exports, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    export = request(exports, drawn(world), "stl", "obj")
    writer(world, store, stl=FakeExporter(after=fail), obj=FakeExporter()).run(export.id)
    done = store.load(export.id)
    assert (done.state, [one.state for one in done.formats]) == ("done", ["failed", "done"])
    assert "format failed" in caplog.messages


def test_an_export_that_ends_its_writer_each_time_is_given_up(
    world: World, store: ExportFiles, exports: Exports
) -> None:
    def kill() -> None:
        raise Killed

    export = request(exports, drawn(world), "nrrd", "stl", "obj")
    deadly = FakeExporter(after=kill)
    writes = writer(world, store, nrrd=FakeExporter(), stl=deadly, obj=FakeExporter())
    for attempt in range(1, ATTEMPTS + 1):
        with pytest.raises(Killed):
            writes.run(export.id)
        assert (store.load(export.id).state, store.load(export.id).attempts) == ("running", attempt)
    writes.run(export.id)
    ended = store.load(export.id)
    assert ended.state == "failed"
    assert "begun 3 times" in str(ended.reason)
    assert "before stl was written" in str(ended.reason)
    assert "more memory" in str(ended.reason)
    writes.run(export.id)
    assert deadly.runs == ATTEMPTS


def test_an_export_that_was_begun_before_shows_only_what_is_written_this_time(
    world: World, store: ExportFiles, exports: Exports
) -> None:
    export = request(exports, drawn(world), "stl", "obj")
    seen: list[list[str]] = []

    def look() -> None:
        seen.append([one.state for one in store.load(export.id).formats])
        if len(seen) == 1:
            raise Killed

    watched = FakeExporter(before=look)
    with pytest.raises(Killed):
        writer(world, store, stl=FakeExporter(), obj=watched).run(export.id)
    first = FakeExporter(before=look)
    writer(world, store, stl=first, obj=FakeExporter()).run(export.id)
    assert seen == [["done", "waiting"], ["waiting", "waiting"]]
    assert store.load(export.id).state == "done"
