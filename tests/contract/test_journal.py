"""What every journal and result store keeps to: SQLite and a real Redis."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.journals import BATCH, Backend, Program, Store, batch
from tests.redis_server import RedisServer

from delineate.domain.errors import ResultNotFound
from delineate.domain.ports import Opening
from delineate.domain.result import Result, ResultState
from delineate.domain.session import Entry

RESULT = Result(
    id="r1",
    session="s",
    user="ü",
    state="encoding",
    stage="encoding",
    study_instance_uid="1.2",
    series_instance_uid="1.3",
    sop_instance_uid="1.4",
    created_at=1.5,
    coerced=("PatientName",),
)
EVERY_BYTE = bytes(range(256))


@pytest.fixture(params=["sqlite", "redis"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "sqlite":
        return Backend("sqlite", str(tmp_path / "data"))
    server: RedisServer = request.getfixturevalue("redis_process")
    server.clear()
    return Backend("redis", server.url)


def test_entries_come_back_as_they_were_and_in_order(backend: Backend) -> None:
    first = [Entry("opened", 2.1, {"user": "ü", "n": [1, 0.1, None, True]}), Entry("step", 0.1 + 0.2, {}, EVERY_BYTE)]
    with backend.open() as journal:
        journal.append("s", first)
        journal.append("s", [])
        journal.append("s", [Entry("closed", 1e9 / 3)])
    with backend.open() as journal:
        assert journal.read("s") == [*first, Entry("closed", 1e9 / 3)]
        assert journal.read("t") == []


def test_sessions_are_listed_oldest_first(backend: Backend) -> None:
    with backend.open() as journal:
        assert journal.sessions() == []
        for name, at in (("b", 2.0), ("c", 10.0), ("a", 3.0)):
            journal.append(name, [Entry("opened", at)])
        journal.append("b", [Entry("closed", 99.0)])
        assert journal.sessions() == ["b", "a", "c"]


def test_how_sessions_began_is_found_by_their_user_with_whether_they_ended(backend: Backend) -> None:
    def opened(at: float, user: str, **data: str) -> Entry:
        return Entry("opened", at, {"user": user, **data})

    with backend.open() as journal:
        assert journal.openings("ü") == []
        journal.append("b", [opened(2.0, "ü", key="k")])
        journal.append("c", [opened(10.0, "ü")])
        journal.append("a", [opened(3.0, "ü"), Entry("loaded", 3.5)])
        journal.append("d", [opened(1.0, "eve")])
        journal.append("c", [Entry("loaded", 11.0), Entry("closed", 12.0)])
        journal.append("d", [Entry("load_failed", 2.0)])
    with backend.open() as journal:
        first, second, third = journal.openings("ü")
        assert first == Opening("b", {"user": "ü", "key": "k"}, ended=False)
        assert [(o.session_id, o.ended) for o in (second, third)] == [("a", False), ("c", True)]
        assert [(o.session_id, o.ended) for o in journal.openings("eve")] == [("d", True)]
        journal.purge("b")
        journal.purge("c")
        assert [o.session_id for o in journal.openings("ü")] == ["a"]
        journal.append("c", [opened(20.0, "ü")])
        assert [(o.session_id, o.ended) for o in journal.openings("ü")] == [("a", False), ("c", False)]


def test_sessions_that_nobody_touched_for_long_are_found_by_their_last_entry(backend: Backend) -> None:
    with backend.open() as journal:
        assert journal.untouched_since(1e9) == []
        journal.append("old", [Entry("opened", 1.0), Entry("loaded", 2.0)])
        journal.append("touched", [Entry("opened", 1.0)])
        journal.append("touched", [Entry("loaded", 9.0)])
        assert journal.untouched_since(9.0) == ["old"]
        assert sorted(journal.untouched_since(9.5)) == ["old", "touched"]


def test_a_purged_session_is_gone_and_the_others_stay(backend: Backend) -> None:
    with backend.open() as journal:
        journal.append("s", batch(0))
        journal.append("t", batch(1))
        journal.purge("s")
        journal.purge("never")
    with backend.open() as journal:
        assert journal.sessions() == ["t"]
        assert journal.read("s") == []
        assert journal.read("t") == batch(1)


def test_an_append_that_fails_leaves_no_part_and_harms_no_other(backend: Backend) -> None:
    with backend.open() as journal:
        journal.append("s", [Entry("opened", 1.0)])
        with pytest.raises(TypeError):
            journal.append("s", [Entry("good", 2.0), Entry("bad", 2.0, {"x": object()})])
        journal.append("s", [Entry("after", 3.0)])
        assert [e.kind for e in journal.read("s")] == ["opened", "after"]


def test_large_blobs_come_back_whole(backend: Backend) -> None:
    blob = random.Random(1).randbytes(8 * 2**20)  # noqa: S311
    with backend.open() as journal:
        journal.append("s", [Entry("step", 1.0, {}, blob), Entry("step", 2.0, {}, blob[::-1])])
        assert [e.blob for e in journal.read("s")] == [blob, blob[::-1]]


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_appends_of_many_threads_all_arrive_unmixed(backend: Backend) -> None:
    with backend.open() as journal:

        def work(thread: int) -> None:
            for n in range(15):
                journal.append("shared", [Entry("step", float(n), {"thread": thread, "part": p}) for p in range(BATCH)])
                journal.append(f"own{thread}", [Entry("step", float(n))])

        in_threads(8, work)
        shared = journal.read("shared")
        for thread in range(8):
            assert [e.at for e in journal.read(f"own{thread}")] == [float(n) for n in range(15)]
            mine = [(e.at, e.data["part"]) for e in shared if e.data["thread"] == thread]
            assert mine == [(float(n), p) for n in range(15) for p in range(BATCH)]
        batches = [shared[n : n + BATCH] for n in range(0, len(shared), BATCH)]
        assert all(
            [e.data["part"] for e in b] == [0, 1, 2] and len({e.data["thread"] for e in b}) == 1 for b in batches
        )


def test_a_reader_never_sees_half_an_append(backend: Backend) -> None:
    with backend.open() as journal:
        done = threading.Event()
        seen: list[int] = []

        def watch() -> None:
            while not done.is_set():
                seen.append(len(journal.read("s")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for n in range(30):
                journal.append("s", batch(n))
        finally:
            done.set()
            watcher.join()
        assert {count % BATCH for count in seen} == {0}
        assert seen == sorted(seen)


def test_what_a_killed_writer_was_told_is_kept_and_nothing_is_there_in_part(backend: Backend) -> None:
    moments = random.Random(7)  # noqa: S311
    kept = 0
    for _ in range(4):
        with Program("write", backend.kind, backend.where) as writer:
            acknowledged = [int(writer.line()) for _ in range(moments.randint(1, 12))]
            time.sleep(moments.uniform(0.0, 0.02))
            acknowledged += map(int, writer.kill())
        assert acknowledged[0] == kept
        with backend.open() as journal:
            entries = journal.read("s")
        assert len(entries) % BATCH == 0
        kept = len(entries) // BATCH
        assert kept - (acknowledged[-1] + 1) in (0, 1)  # one more may have been on its way
        assert entries == [entry for n in range(kept) for entry in batch(n)]


def test_results_and_their_files_come_back(backend: Backend) -> None:
    with backend.open() as store:
        store.save(RESULT)
        store.save(replace(RESULT, id="r2"))
        store.write_file("r1", "a.bin", EVERY_BYTE)
        store.write_file("r1", "a.bin", EVERY_BYTE[::-1])
        store.write_file("r1", "b.bin", b"")
    with backend.open() as store:
        assert store.load("r1") == RESULT
        assert {r.id for r in store.unfinished()} == {"r1", "r2"}
        assert store.read_file("r1", "a.bin") == EVERY_BYTE[::-1]
        assert store.read_file("r1", "b.bin") == b""
        assert store.read_file("r1", "none") is None
        assert store.read_file("r2", "a.bin") is None


def test_files_that_are_to_be_kept_are_not_purged(backend: Backend) -> None:
    with backend.open() as store:
        store.save(RESULT)
        for name in ("a.bin", "b.bin", "c.bin"):
            store.write_file("r1", name, b"abc")
        store.purge_files("r1", keep=("b.bin",))
        assert [store.read_file("r1", name) for name in ("a.bin", "b.bin", "c.bin")] == [None, b"abc", None]
        store.purge_files("r1", keep=("b.bin", "none"))
        assert store.read_file("r1", "b.bin") == b"abc"
        store.purge_result("r1")
        assert store.read_file("r1", "b.bin") is None


@pytest.mark.parametrize("state", ["stored", "failed"])
def test_a_result_at_its_end_is_not_unfinished_until_it_is_tried_again(backend: Backend, state: ResultState) -> None:
    with backend.open() as store:
        store.save(RESULT)
        store.save(replace(RESULT, state=state))
        assert store.unfinished() == []
        assert store.load("r1").state == state
        store.save(replace(RESULT, state="waiting", next_try_at=9.5))
        assert [r.next_try_at for r in store.unfinished()] == [9.5]


def test_files_are_purged_without_the_result_and_with_it(backend: Backend) -> None:
    with backend.open() as store:
        store.save(RESULT)
        store.write_file("r1", "a.bin", b"abc")
        store.purge_files("r1")
        assert store.read_file("r1", "a.bin") is None
        assert store.load("r1") == RESULT
        store.write_file("r1", "a.bin", b"abc")
        store.purge_result("r1")
        store.purge_result("r1")
        store.purge_files("r1")
        assert_gone(store, "r1")


def assert_gone(store: Store, result_id: str) -> None:
    with pytest.raises(ResultNotFound):
        store.load(result_id)
    assert store.read_file(result_id, "a.bin") is None
    assert store.unfinished() == []
