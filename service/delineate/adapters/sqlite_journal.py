"""The embedded journal and result store: SQLite in write-ahead mode, one writer thread, one process."""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from delineate.domain.errors import ResultNotFound
from delineate.domain.result import Result
from delineate.domain.session import Entry

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    data TEXT NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (id TEXT PRIMARY KEY, state TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
"""

Write = Callable[[sqlite3.Connection], None]


class DataDirInUse(RuntimeError):
    """Another process works in the data folder."""


class SqliteJournal:
    """Journal and ResultStore in one folder (ports.Journal, ports.ResultStore).

    Callers block until their write is committed; writes that wait together share a commit. Never call it on an event
    loop.

    Parameters
    ----------
    folder
        Made if absent, readable by its owner only; locked while this object lives.

    Raises
    ------
    DataDirInUse
        If another process holds the folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = FileLock(folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise DataDirInUse(
                f"The data folder {folder} is in use by another delineate process. Stop that one, or set "
                "DELINEATE_DATA_DIR to another folder."
            ) from None
        self._path = folder / "journal.sqlite3"
        self._results = folder / "results"
        self._results.mkdir(exist_ok=True, mode=0o700)
        self._reads = threading.local()
        self._writes: queue.Queue[tuple[Write, Future[None]] | None] = queue.Queue()
        connection = self._connect()
        connection.executescript(SCHEMA)
        connection.close()
        self._writer = threading.Thread(target=self._write_loop, name="journal-writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Commit what waits, end the writer and release the folder."""
        self._writes.put(None)
        self._writer.join()
        self._lock.release()

    # --- Journal ----------------------------------------------------------------------------------

    def append(self, session_id: str, entries: Sequence[Entry]) -> None:
        """Append entries, all or none; durable on return."""

        def write(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT max(seq) FROM entries WHERE session = ?", (session_id,)).fetchone()
            first = 0 if row[0] is None else row[0] + 1
            connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
                [(session_id, first + n, e.kind, e.at, json.dumps(e.data), e.blob) for n, e in enumerate(entries)],
            )

        self._write(write)

    def sessions(self) -> list[str]:
        """Return the ids of all sessions, oldest first."""
        rows = self._read("SELECT session FROM entries WHERE seq = 0 ORDER BY at", ())
        return [row[0] for row in rows]

    def read(self, session_id: str) -> list[Entry]:
        """Return a session's entries in order."""
        rows = self._read("SELECT kind, at, data, blob FROM entries WHERE session = ? ORDER BY seq", (session_id,))
        return [Entry(kind, at, json.loads(data), blob) for kind, at, data, blob in rows]

    def purge(self, session_id: str) -> None:
        """Forget a session for good."""
        self._write(lambda c: _run(c, "DELETE FROM entries WHERE session = ?", (session_id,)))

    # --- ResultStore ------------------------------------------------------------------------------

    def save(self, result: Result) -> None:
        """Write a result's state; durable on return."""
        row = (result.id, result.state, json.dumps(asdict(result)))
        self._write(lambda c: _run(c, "INSERT OR REPLACE INTO results VALUES (?, ?, ?)", row))

    def load(self, result_id: str) -> Result:
        """Return a result; ResultNotFound if there is none."""
        rows = self._read("SELECT data FROM results WHERE id = ?", (result_id,))
        if not rows:
            raise ResultNotFound(f"There is no result {result_id}.")
        return _result(rows[0][0])

    def unfinished(self) -> list[Result]:
        """Return the results that are neither stored nor failed."""
        rows = self._read("SELECT data FROM results WHERE state NOT IN ('stored', 'failed')", ())
        return [_result(row[0]) for row in rows]

    def write_file(self, result_id: str, name: str, data: bytes) -> None:
        """Write a file of a result, whole or not at all; durable on return."""
        folder = self._results / result_id
        folder.mkdir(exist_ok=True, mode=0o700)
        part = folder / f"{name}.part"
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(folder / name)
        _sync_folder(folder)

    def read_file(self, result_id: str, name: str) -> bytes | None:
        """Return a file of a result, or None."""
        path = self._results / result_id / name
        return path.read_bytes() if path.exists() else None

    def purge_result(self, result_id: str) -> None:
        """Forget a result and its files."""
        self._write(lambda c: _run(c, "DELETE FROM results WHERE id = ?", (result_id,)))
        self.purge_files(result_id)

    def purge_files(self, result_id: str) -> None:
        """Forget the files of a result, its state stays."""
        folder = self._results / result_id
        for path in sorted(folder.glob("*")) if folder.exists() else []:
            path.unlink()
        if folder.exists():
            folder.rmdir()

    # --- SQLite -----------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection

    def _read(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        connection = getattr(self._reads, "connection", None)
        if connection is None:
            connection = self._reads.connection = self._connect()
        return list(connection.execute(sql, parameters))

    def _write(self, write: Write) -> None:
        done: Future[None] = Future()
        self._writes.put((write, done))
        done.result()

    def _write_loop(self) -> None:
        connection = self._connect()
        while (first := self._writes.get()) is not None:
            batch = [first]
            ended = False
            while not self._writes.empty():
                following = self._writes.get()
                if following is None:
                    ended = True
                    break
                batch.append(following)
            _commit(connection, batch)
            if ended:
                break
        connection.close()


def _commit(connection: sqlite3.Connection, batch: list[tuple[Write, Future[None]]]) -> None:
    """Run the writes in one transaction; one that fails is rolled back alone."""
    connection.execute("BEGIN IMMEDIATE")
    outcomes: list[tuple[Future[None], Exception | None]] = []
    for write, done in batch:
        connection.execute("SAVEPOINT one")
        try:
            write(connection)
            outcomes.append((done, None))
        except Exception as error:  # handed to the caller
            connection.execute("ROLLBACK TO one")
            outcomes.append((done, error))
        connection.execute("RELEASE one")
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.execute("ROLLBACK")
        outcomes = [(done, earlier or error) for done, earlier in outcomes]
    for done, failure in outcomes:
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)


def _run(connection: sqlite3.Connection, sql: str, parameters: tuple[Any, ...]) -> None:
    connection.execute(sql, parameters)


def _result(text: str) -> Result:
    data = json.loads(text)
    data["coerced"] = tuple(data["coerced"])
    return Result(**data)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
