"""Exports in a folder: whole or not there, and nothing of a killed one stays."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from delineate.adapters.export_files import ABANDONED_S, ExportFiles
from delineate.domain.errors import ExportNotFound
from delineate.domain.export import EmptySegment, Export, ExportedFormat, export_from_json, export_to_json
from delineate.usecases.export_rounds import EXPORT_RETENTION_S, LONGEST_PAUSE_S, SENT_AGAIN_S, ExportRounds


def name(digit: str) -> str:
    """Return an export's id, made of one hexadecimal digit."""
    return f"1.2~{digit * 32}"


EXPORT = Export(name("b"), "1.2~cd", "ada", "1.1", "1.2", 5.0, (ExportedFormat("stl"), ExportedFormat("csv")))
OTHERS = ("photos", "1.2~ab", "1.2", "b" * 32, f"{name('b')}.bak", f"1.2~{'B' * 32}", f"{name('b')}.gone-me")
"""Names that folders of others may have."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def store(folder: Path) -> ExportFiles:
    return ExportFiles(folder)


def keep(store: ExportFiles, *exports: Export) -> None:
    for export in exports:
        store.create(export, b"content")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def make_older(folder: Path, seconds: float) -> None:
    at = time.time() - seconds
    for path in folder.iterdir():
        os.utime(path, (at, at))


def test_states_and_contents_come_back(store: ExportFiles) -> None:
    keep(store, EXPORT)
    done = replace(
        EXPORT,
        state="done",
        formats=(ExportedFormat("stl", "done", ("stl/a.stl",)), EXPORT.formats[1]),
        attempts=2,
        empty=(EmptySegment(2, "Milz", "2.25.2"),),
    )
    store.save(done)
    keep(store, replace(EXPORT, id=name("a"), created_at=1.0))
    assert store.load(EXPORT.id) == done
    assert store.read_content(EXPORT.id) == b"content"
    assert [export.id for export in store.all()] == [name("a"), EXPORT.id]


def test_a_state_of_an_earlier_version_is_read() -> None:
    state = {key: value for key, value in export_to_json(EXPORT).items() if key not in ("attempts", "empty")}
    assert export_from_json(state) == EXPORT


def test_the_file_is_there_once_it_is_whole(store: ExportFiles) -> None:
    keep(store, EXPORT)
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


def test_what_a_killed_request_left_is_swept_away(store: ExportFiles, folder: Path) -> None:
    store.sweep(0.0)
    keep(store, EXPORT, replace(EXPORT, id=name("e")))
    (folder / name("e") / "export.json").unlink()
    store.sweep(0.0)
    assert names(folder) == {EXPORT.id, name("e")}, "it may be under way"
    assert store.all() == [EXPORT]
    make_older(folder, ABANDONED_S + 1)
    store.sweep(0.0)
    assert names(folder) == {EXPORT.id}
    store.purge(EXPORT.id)
    with pytest.raises(ExportNotFound):
        store.load(EXPORT.id)


def test_folders_of_others_are_left_alone(store: ExportFiles, folder: Path) -> None:
    keep(store, EXPORT)
    for other in OTHERS:
        (folder / other).mkdir()
        (folder / other / "export.json").write_text("{}")
    (folder / "empty").mkdir()
    (folder / name("a")).write_text("a file")
    make_older(folder, EXPORT_RETENTION_S + 1)
    ExportRounds(store, FakeQueue()).resume()
    assert names(folder) == {*OTHERS, "empty", name("a")}


def test_no_id_of_another_form_is_kept(store: ExportFiles) -> None:
    for other in ("..", "../x", "a/b", "", "1..2", "x" * 200, f"{name('a')}/..", f"{'1' * 65}~{'a' * 32}", *OTHERS):
        with pytest.raises(ExportNotFound):
            store.load(other)


def test_what_was_deleted_is_not_made_again(store: ExportFiles, folder: Path) -> None:
    keep(store, EXPORT)
    with store.claim(EXPORT.id) as mine:
        assert mine
        (store.workspace(EXPORT.id) / "a.stl").write_bytes(b"solid")
        store.purge(EXPORT.id)
        for attempt in (
            lambda: store.save(replace(EXPORT, state="running")),
            lambda: store.workspace(EXPORT.id),
            lambda: store.publish(EXPORT.id),
            lambda: store.read_content(EXPORT.id),
        ):
            with pytest.raises(ExportNotFound, match="was deleted"):
                attempt()
    assert names(folder) == set()


def test_a_process_killed_while_it_deletes_leaves_nothing_for_long(
    store: ExportFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, EXPORT)
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", lambda *_, **__: None)
        store.purge(EXPORT.id)
    assert len(names(folder)) == 1
    assert store.all() == []
    with pytest.raises(ExportNotFound):
        store.save(EXPORT)
    store.sweep(0.0)
    assert names(folder) == set()


@pytest.mark.parametrize(
    "state", ["", "null", "[]", '{"id": 1}', "{", json.dumps({**export_to_json(EXPORT), "new": 1})]
)
def test_an_export_that_cannot_be_read_stands_in_nobodys_way(
    store: ExportFiles, folder: Path, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = replace(EXPORT, id=name("e"), created_at=time.time())
    keep(store, replace(EXPORT, created_at=time.time()), bad)
    (folder / bad.id / "export.json").write_text(state)
    queue = FakeQueue()
    rounds = ExportRounds(store, queue)
    rounds.resume()
    rounds.purge_expired()
    assert queue.sent == [EXPORT.id]
    assert [(r.levelno, vars(r)["export"]) for r in caplog.records] == [(logging.WARNING, bad.id)], "once"
    with pytest.raises(ExportNotFound, match="Export the segments again"):
        store.load(bad.id)
    make_older(folder, EXPORT_RETENTION_S + 1)
    rounds.purge_expired()
    assert names(folder) == {EXPORT.id}, "it was asked for just now"


def test_exports_past_their_time_are_forgotten(store: ExportFiles) -> None:
    late = replace(EXPORT, id=name("f"), created_at=EXPORT.created_at + 10)
    keep(store, EXPORT, late)
    now = late.created_at + EXPORT_RETENTION_S
    queue = FakeQueue()
    ExportRounds(store, queue, lambda: now).purge_expired()
    assert list(store.all()) == [late]
    assert queue.sent == []


def test_what_is_not_finished_is_sent_again_but_not_at_once(store: ExportFiles) -> None:
    now = EXPORT.created_at
    queue = FakeQueue()
    rounds = ExportRounds(store, queue, lambda: now)
    keep(store, EXPORT, replace(EXPORT, id=name("f"), state="done"))
    for seconds, sent in ((0.0, 0), (SENT_AGAIN_S, 1), (1.0, 1), (2 * SENT_AGAIN_S, 2)):
        now += seconds
        rounds.rescan()
        assert queue.sent == [EXPORT.id] * sent
    ExportRounds(store, queue, lambda: now).resume()
    assert queue.sent == [EXPORT.id] * 3


def test_the_longer_nobody_writes_an_export_the_rarer_it_is_sent(store: ExportFiles) -> None:
    now = EXPORT.created_at
    queue = FakeQueue()
    rounds = ExportRounds(store, queue, lambda: now)
    keep(store, EXPORT)
    sent_at = []
    while now < EXPORT.created_at + 12 * 3600:
        now += SENT_AGAIN_S / 3
        before = len(queue.sent)
        rounds.rescan()
        sent_at += [now - EXPORT.created_at] * (len(queue.sent) - before)
    pauses = [later - earlier for earlier, later in zip([0.0, *sent_at], sent_at, strict=False)]
    assert pauses[:6] == [SENT_AGAIN_S * 2**n for n in range(6)]
    assert set(pauses[6:]) == {LONGEST_PAUSE_S}
    assert len(sent_at) < 20


def test_one_writes_and_another_may_when_the_first_has_ended(store: ExportFiles) -> None:
    keep(store, EXPORT)
    with store.claim(EXPORT.id) as first:
        with store.claim(EXPORT.id) as second:
            assert (first, second) == (True, False)
        with store.claim(EXPORT.id) as third:
            assert not third
    with store.claim(EXPORT.id) as again:
        assert again
    with store.claim(name("0")) as gone:
        assert not gone


class FakeQueue:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, export_id: str) -> None:
        self.sent.append(export_id)
