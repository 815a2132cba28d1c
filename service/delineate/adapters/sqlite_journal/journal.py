"""Journal and ResultStore in one folder."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from delineate.adapters.sqlite_journal.database import Database
from delineate.domain.errors import JournalUnavailable, ResultNotFound
from delineate.domain.ports import Opening
from delineate.domain.records import result_from_json, result_to_json
from delineate.domain.result import Result
from delineate.domain.session import Entry
from delineate.durable_files import sync, write_whole

UNDER_WAY = """
WITH ended AS (SELECT session FROM entries WHERE kind IN ('closed', 'load_failed'))
SELECT session FROM entries AS opened WHERE seq = 0 AND session NOT IN ended
AND NOT EXISTS (SELECT 1 FROM entries AS later WHERE later.session = opened.session AND later.kind = 'loaded')
UNION
SELECT session FROM (
    SELECT session, json_extract(data, '$.prompt.id') FROM entries WHERE kind = 'prompt' AND session NOT IN ended
    EXCEPT
    SELECT session, value FROM entries, json_each(data, '$.prompt_ids') WHERE kind IN ('step', 'prompts_ended')
)
"""
"""The sessions that a start goes on with, by the kinds of their entries (session.py)."""


class DataDirInUse(RuntimeError):
    """Another process works in the data folder."""


class SqliteJournal:
    """Journal and ResultStore in one folder (ports.Journal, ports.ResultStore).

    Callers block until their write is committed; writes that wait together share a commit. Never call it on an event
    loop. The folder's lock keeps every other process out, so that epochs need no look.

    No entry of a session is dropped before the whole session is purged: undo and redo reach every step, and a repeated
    request is answered from the steps that it made, even when a later step replaced them or their segment is deleted.

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
        self._results = folder / "results"
        self._results.mkdir(exist_ok=True, mode=0o700)
        self._database = Database(folder / "journal.sqlite3")

    def close(self) -> None:
        """Commit what waits, end the writer and release the folder."""
        self._database.close()
        self._lock.release()

    # --- Journal ----------------------------------------------------------------------------------

    def append(self, session_id: str, entries: Sequence[Entry], *, epoch: int = 0) -> None:  # noqa: ARG002
        """Append entries, all or none, in order; durable on return."""
        rows = [(entry.kind, entry.at, json.dumps(entry.data), entry.blob) for entry in entries]

        def write(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT max(seq) FROM entries WHERE session = ?", (session_id,)).fetchone()
            first = 0 if row[0] is None else row[0] + 1
            connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
                [(session_id, seq, *columns) for seq, columns in enumerate(rows, first)],
            )

        self._database.write(write)

    def sessions(self) -> list[str]:
        """Return the ids of all sessions, oldest first."""
        return [row[0] for row in self._database.read("SELECT session FROM entries WHERE seq = 0 ORDER BY at")]

    def openings(self, user: str) -> list[Opening]:
        """Return how that user's sessions began, oldest first."""
        rows = self._database.read(
            "SELECT session, data, session IN (SELECT session FROM entries WHERE kind IN ('closed', 'load_failed')) "
            "FROM entries WHERE seq = 0 AND json_extract(data, '$.user') = ? ORDER BY at",
            user,
        )
        return [Opening(session, json.loads(data), bool(ended)) for session, data, ended in rows]

    def untouched_since(self, at: float) -> list[str]:
        """Return the ids of the sessions whose last entry is from before ``at``."""
        rows = self._database.read(
            "SELECT session FROM entries AS opened WHERE seq = 0 AND (SELECT at FROM entries AS later "
            "WHERE later.session = opened.session ORDER BY seq DESC LIMIT 1) < ?",
            at,
        )
        return [row[0] for row in rows]

    def sessions_under_way(self) -> list[str]:
        """Return the ids of the sessions whose volume is not loaded yet, or that have a prompt without outcome."""
        return [row[0] for row in self._database.read(UNDER_WAY)]

    def read(self, session_id: str) -> list[Entry]:
        """Return a session's entries in order."""
        rows = self._database.read(
            "SELECT kind, at, data, blob FROM entries WHERE session = ? ORDER BY seq", session_id
        )
        return [Entry(kind, at, json.loads(data), blob) for kind, at, data, blob in rows]

    def purge(self, session_id: str, *, epoch: int = 0) -> None:  # noqa: ARG002
        """Forget a session for good."""
        self._run("DELETE FROM entries WHERE session = ?", session_id)

    # --- ResultStore ------------------------------------------------------------------------------

    def save(self, result: Result) -> None:
        """Write a result's state; durable on return."""
        data = json.dumps(result_to_json(result))
        self._run("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", result.id, result.state, data)

    def load(self, result_id: str) -> Result:
        """Return a result; ResultNotFound if there is none."""
        rows = self._database.read("SELECT data FROM results WHERE id = ?", result_id)
        if not rows:
            raise ResultNotFound(f"There is no result {result_id}.")
        return result_from_json(json.loads(rows[0][0]))

    def unfinished(self) -> list[Result]:
        """Return the results that are neither stored nor failed."""
        rows = self._database.read("SELECT data FROM results WHERE state NOT IN ('stored', 'failed')")
        return [result_from_json(json.loads(row[0])) for row in rows]

    def write_file(self, result_id: str, name: str, data: bytes) -> None:
        """Write a file of a result, whole or not at all; durable on return."""
        folder = self._results / result_id
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
            sync(self._results)
            write_whole(folder / name, data)
        except OSError as error:
            raise JournalUnavailable(
                f"A file of result {result_id} could not be written: {error}. The administrator should check the disk "
                "of DELINEATE_DATA_DIR."
            ) from error

    def read_file(self, result_id: str, name: str) -> bytes | None:
        """Return a file of a result, or None."""
        path = self._results / result_id / name
        return path.read_bytes() if path.exists() else None

    def purge_result(self, result_id: str) -> None:
        """Forget a result and its files."""
        self._run("DELETE FROM results WHERE id = ?", result_id)
        self.purge_files(result_id)

    def purge_files(self, result_id: str, keep: Collection[str] = ()) -> None:
        """Forget the files of a result but those named in ``keep``; its state stays."""
        folder = self._results / result_id
        with contextlib.suppress(FileNotFoundError):
            if not keep:
                shutil.rmtree(folder)
                return
            for path in folder.iterdir():
                if path.name not in keep:
                    path.unlink()

    def _run(self, sql: str, *parameters: object) -> None:
        self._database.write(lambda connection: _execute(connection, sql, parameters))


def _execute(connection: sqlite3.Connection, sql: str, parameters: tuple[object, ...]) -> None:
    connection.execute(sql, parameters)
