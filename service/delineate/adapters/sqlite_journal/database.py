"""One SQLite file: a writer thread that groups commits, readers in any thread, a size that follows the content."""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from delineate.domain.errors import JournalUnavailable

log = logging.getLogger(__name__)

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
CREATE INDEX IF NOT EXISTS openings ON entries (json_extract(data, '$.user')) WHERE seq = 0;
CREATE INDEX IF NOT EXISTS endings ON entries (session) WHERE kind IN ('closed', 'load_failed');
CREATE TABLE IF NOT EXISTS results (id TEXT PRIMARY KEY, state TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
"""

WAL_BYTES = 16 * 2**20
"""Size of the write-ahead log beyond which it is emptied; a single large commit may exceed it until then."""
VACUUM_PAGES = 256
"""Freed pages (4 KiB) given back at a time, so that a write waits for a few milliseconds at most."""
INCREMENTAL = 2
"""Value of the pragma auto_vacuum by which freed pages are given back on request."""

Write = Callable[[sqlite3.Connection], None]
Waiting = tuple[Write, Future[None]]


class Database:
    """The file ``journal.sqlite3``.

    What is deleted is overwritten, and its pages go back to the file system while nobody waits for a write.

    Raises
    ------
    JournalUnavailable
        By reads and writes when the disk is full or broken, or the database was closed. A failed write left nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reads = threading.local()
        self._writes: queue.Queue[Waiting | None] = queue.Queue()
        self._closed = False
        self._guard = threading.Lock()
        self._make()
        self._writer = threading.Thread(target=self._write_loop, name="journal-writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Commit what waits and end the writer."""
        with self._guard:
            self._closed = True
            self._writes.put(None)
        self._writer.join()

    def read(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        try:
            connection = getattr(self._reads, "connection", None)
            if connection is None:
                connection = self._reads.connection = self._connect()
            return list(connection.execute(sql, parameters))
        except sqlite3.Error as error:
            raise _unavailable("read", error) from error

    def write(self, write: Write) -> None:
        """Run ``write`` inside a transaction of the writer thread; return when it is committed."""
        done: Future[None] = Future()
        with self._guard:
            if self._closed:
                raise JournalUnavailable("The journal was closed, because the service is stopping. Try again shortly.")
            self._writes.put((write, done))
        try:
            done.result()
        except sqlite3.Error as error:
            raise _unavailable("written", error) from error

    def _make(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            if _pragma(connection, "auto_vacuum") != INCREMENTAL:  # a new file, or one of an earlier version
                connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
                connection.execute("VACUUM")
        except sqlite3.OperationalError:
            log.warning("the journal's file could not be rewritten, and keeps its size", exc_info=True)
        finally:
            connection.close()
        connection = self._connect()
        connection.executescript(SCHEMA)
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _write_loop(self) -> None:
        connection = self._connect()
        self._tidy(connection)
        ended = False
        while not ended and (first := self._writes.get()) is not None:
            batch = [first]
            while not self._writes.empty() and not ended:
                following = self._writes.get()
                if following is None:
                    ended = True
                else:
                    batch.append(following)
            _commit(connection, batch)
            self._tidy(connection)
        with contextlib.suppress(sqlite3.Error):  # it is done at the next start instead
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Give freed pages back, and empty a long write-ahead log; what fails is tried after the next write."""
        with contextlib.suppress(sqlite3.Error):
            shrunk = False
            while self._writes.empty() and _pragma(connection, "freelist_count"):
                connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")  # execute() does one page
                shrunk = True
            if shrunk or self._path.with_name(f"{self._path.name}-wal").stat().st_size > WAL_BYTES:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _commit(connection: sqlite3.Connection, batch: list[Waiting]) -> None:
    """Run the writes in one transaction, and tell each waiting caller how it ended."""
    try:
        outcomes = _transaction(connection, batch)
    except sqlite3.Error as error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        outcomes = [error] * len(batch)
    for (_, done), failure in zip(batch, outcomes, strict=True):
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)


def _transaction(connection: sqlite3.Connection, batch: list[Waiting]) -> list[Exception | None]:
    """Return what each write raised: one that fails is rolled back alone; sqlite3.Error if nothing was kept."""
    connection.execute("BEGIN IMMEDIATE")
    outcomes: list[Exception | None] = []
    for write, _ in batch:
        connection.execute("SAVEPOINT one")
        try:
            write(connection)
            outcomes.append(None)
        except Exception as error:  # handed to the caller
            if not connection.in_transaction:  # a full or broken disk ends the whole transaction
                raise
            connection.execute("ROLLBACK TO one")
            outcomes.append(error)
        connection.execute("RELEASE one")
    connection.execute("COMMIT")
    return outcomes


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _unavailable(how: str, error: sqlite3.Error) -> JournalUnavailable:
    return JournalUnavailable(
        f"The journal could not be {how}: {error}. Nothing was changed. The administrator should check the disk of "
        "DELINEATE_DATA_DIR: its free space, its permissions, its health."
    )
