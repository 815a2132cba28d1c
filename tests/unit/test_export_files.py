"""Exports in a folder: whole or not there, and nothing of a killed one stays."""

from __future__ import annotations

import os
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from delineate.adapters.export_files import ABANDONED_S, ExportFiles
from delineate.domain.errors import ExportNotFound
from delineate.domain.export import Export, ExportedFormat
from delineate.usecases.export_rounds import EXPORT_RETENTION_S, SENT_AGAIN_S, ExportRounds

EXPORT = Export("1.2~ab", "1.2~cd", "ada", "1.1", "1.2", 5.0, (ExportedFormat("stl"), ExportedFormat("csv")))


@pytest.fixture
def store(tmp_path: Path) -> ExportFiles:
    return ExportFiles(tmp_path / "exports")


def test_states_and_contents_come_back(store: ExportFiles) -> None:
    store.write_content(EXPORT.id, b"content")
    store.save(EXPORT)
    done = replace(EXPORT, state="done", formats=(ExportedFormat("stl", "done", ("stl/a.stl",)), EXPORT.formats[1]))
    store.save(done)
    store.save(replace(EXPORT, id="1.2~aa", created_at=1.0))
    assert store.load(EXPORT.id) == done
    assert store.read_content(EXPORT.id) == b"content"
    assert [export.id for export in store.all()] == ["1.2~aa", EXPORT.id]


def test_the_file_is_there_once_it_is_whole(store: ExportFiles) -> None:
    store.save(EXPORT)
    (store.workspace(EXPORT.id) / "of an earlier try").write_bytes(b"half")
    work = store.workspace(EXPORT.id)
    (work / "stl").mkdir()
    (work / "stl" / "a.stl").write_bytes(b"solid")
    assert store.file(EXPORT.id) is None
    size = store.publish(EXPORT.id)
    path = store.file(EXPORT.id)
    assert path is not None
    assert path.stat().st_size == size
    assert not work.exists()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["stl/a.stl"]


def test_what_a_killed_request_left_is_swept_away(store: ExportFiles, tmp_path: Path) -> None:
    store.sweep()
    store.save(EXPORT)
    store.write_content("1.2~ee", b"content")
    store.sweep()
    assert len(list((tmp_path / "exports").iterdir())) == 2  # it may be under way
    long_ago = time.time() - ABANDONED_S - 1
    for folder in (tmp_path / "exports").iterdir():
        os.utime(folder, (long_ago, long_ago))
    store.sweep()
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [EXPORT.id]
    store.purge(EXPORT.id)
    with pytest.raises(ExportNotFound):
        store.load(EXPORT.id)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "1.2~AB", "1..2", "x" * 200])
def test_no_id_leads_elsewhere(store: ExportFiles, name: str) -> None:
    with pytest.raises(ExportNotFound):
        store.load(name)


def test_exports_past_their_time_are_forgotten(store: ExportFiles) -> None:
    store.save(EXPORT)
    late = replace(EXPORT, id="1.2~ff", created_at=EXPORT.created_at + 10)
    store.save(late)
    now = late.created_at + EXPORT_RETENTION_S
    queue = FakeQueue()
    ExportRounds(store, queue, lambda: now).purge_expired()
    assert list(store.all()) == [late]
    assert queue.sent == []


def test_what_is_not_finished_is_sent_again_but_not_at_once(store: ExportFiles) -> None:
    now = EXPORT.created_at
    queue = FakeQueue()
    rounds = ExportRounds(store, queue, lambda: now)
    store.save(EXPORT)
    store.save(replace(EXPORT, id="1.2~ff", state="done"))
    for seconds, sent in ((0.0, 0), (SENT_AGAIN_S, 1), (1.0, 1), (SENT_AGAIN_S, 2)):
        now += seconds
        rounds.rescan()
        assert queue.sent == [EXPORT.id] * sent
    ExportRounds(store, queue, lambda: now).resume()
    assert queue.sent == [EXPORT.id] * 3


def test_one_writes_and_another_may_when_the_first_has_ended(store: ExportFiles) -> None:
    store.save(EXPORT)
    with store.claim(EXPORT.id) as first:
        with store.claim(EXPORT.id) as second:
            assert (first, second) == (True, False)
        with store.claim(EXPORT.id) as third:
            assert not third
    with store.claim(EXPORT.id) as again:
        assert again
    with store.claim("1.2~00") as gone:
        assert not gone


class FakeQueue:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, export_id: str) -> None:
        self.sent.append(export_id)
