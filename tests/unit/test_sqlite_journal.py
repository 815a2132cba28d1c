"""What the embedded journal keeps to beside tests/contract/test_journal.py: its folder, its size, a full disk."""

from __future__ import annotations

import random
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from delineate.adapters.sqlite_journal import DataDirInUse, SqliteJournal
from delineate.adapters.sqlite_journal.database import SCHEMA, WAL_BYTES
from delineate.domain.errors import JournalUnavailable
from delineate.domain.session import Entry

MIB = 2**20


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311


def sizes(folder: Path) -> tuple[int, int]:
    """Return the bytes of the database and of its write-ahead log."""
    log = folder / "journal.sqlite3-wal"
    return (folder / "journal.sqlite3").stat().st_size, log.stat().st_size if log.exists() else 0


def eventually(true: Callable[[], bool], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_second_process_is_kept_out_and_told_what_to_do(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path)), pytest.raises(DataDirInUse, match="DELINEATE_DATA_DIR"):
        SqliteJournal(tmp_path)
    SqliteJournal(tmp_path).close()


def test_the_data_folder_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    SqliteJournal(folder).close()
    assert folder.stat().st_mode & 0o077 == 0


def test_a_purge_gives_the_space_back(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path)) as journal:
        for n in range(4):
            journal.append(f"s{n}", [Entry("step", float(p), {}, noise(n * 8 + p, MIB)) for p in range(4)])
    full, _ = sizes(tmp_path)
    assert full > 16 * MIB
    with closing(SqliteJournal(tmp_path)) as journal:
        for n in range(3):
            journal.purge(f"s{n}")
    with closing(SqliteJournal(tmp_path)) as journal:  # goes on with what the one before had no time for
        eventually(lambda: sum(sizes(tmp_path)) < full / 4 + MIB)
        assert [e.blob for e in journal.read("s3")] == [noise(24 + p, MIB) for p in range(4)]


def test_what_was_purged_is_not_on_the_disk_any_more(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.append("kept", [Entry("step", 0.0, {"user": "KEPT^NAME"}, noise(1, 100_000))])
        journal.append("purged", [Entry("step", 0.0, {"user": "PURGED^NAME"}, b"PURGED-VOXELS" * 10_000)])
        journal.purge("purged")
    content = b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite3*"))
    assert b"KEPT^NAME" in content
    assert b"PURGED" not in content


def test_a_file_of_an_earlier_version_gives_space_back_too(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.executescript(SCHEMA)
        rows = [("s", n, "step", float(n), "{}", noise(n, MIB)) for n in range(8)]
        old.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
        old.commit()
    with closing(SqliteJournal(tmp_path)) as journal:
        assert [e.blob for e in journal.read("s")] == [noise(n, MIB) for n in range(8)]
        journal.purge("s")
        eventually(lambda: sum(sizes(tmp_path)) < MIB)


def test_the_write_ahead_log_stays_short_while_sessions_are_written_and_read(tmp_path: Path) -> None:
    largest = 0
    with closing(SqliteJournal(tmp_path)) as journal:
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                journal.read("s0")

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for n in range(40):
                journal.append(f"s{n}", [Entry("step", float(n), {}, noise(n, MIB))])
                largest = max(largest, sizes(tmp_path)[1])
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert len(journal.sessions()) == 40
    assert 0 < largest < WAL_BYTES + 8 * MIB


@contextmanager
def full_disk(largest_file: int) -> Iterator[None]:
    """Let no file grow beyond a size, as the kernel does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_refuses_writes_whole_and_the_journal_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.append("s", [Entry("opened", 0.0)])
        with full_disk(2 * MIB):
            refused: list[str] = []

            def append(thread: int) -> None:
                try:
                    journal.append("s", [Entry("step", 1.0, {}, noise(thread, MIB)) for _ in range(4)])
                except JournalUnavailable as error:
                    refused.append(error.detail)

            threads = [threading.Thread(target=append, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
                assert not thread.is_alive()
            assert len(refused) == 4
            assert all("DELINEATE_DATA_DIR" in detail for detail in refused)
            with pytest.raises(JournalUnavailable, match="result r1"):
                journal.write_file("r1", "a.bin", noise(1, 4 * MIB))
            assert journal.read("s") == [Entry("opened", 0.0)]
            assert journal.read_file("r1", "a.bin") is None
        journal.append("s", [Entry("after", 2.0, {}, noise(9, MIB))])
        assert [e.kind for e in journal.read("s")] == ["opened", "after"]
    with closing(SqliteJournal(tmp_path)) as journal:
        assert [e.kind for e in journal.read("s")] == ["opened", "after"]


def test_a_closed_journal_refuses_at_once_instead_of_waiting_for_a_writer_that_is_gone(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.close()
    with pytest.raises(JournalUnavailable, match="stopping"):
        journal.append("s", [Entry("opened", 1.0)])
