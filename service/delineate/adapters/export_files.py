"""Exports in a folder: one for each, with its state and, once all of it is written, its ZIP file.

Several processes may share the folder, also over a network where that carries locks (NFS does).
"""

from __future__ import annotations

import json
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delineate.domain.errors import ExportNotFound
from delineate.domain.export import Export, export_from_json, export_to_json
from delineate.durable_files import NEW, publish, write_whole
from delineate.file_locks import try_exclusive

STATE, CONTENT, WORK, FILE, LOCK = "export.json", "content.json", "work", "export.zip", "lock"
ABANDONED_S = 3600.0
"""A folder without a state is of a request that was killed, not of one under way, when it is so old."""
COMPRESSED = (".gz", ".nrrd")
"""Endings of files that compressing makes no smaller."""
COMPRESSION = 1


class ExportFiles:
    """The exports of a folder (domain.export.ExportStore).

    Parameters
    ----------
    folder
        Made if absent, readable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, export: Export) -> None:
        """Write an export's state; durable on return."""
        self._write(export.id, STATE, json.dumps(export_to_json(export)).encode())

    def load(self, export_id: str) -> Export:
        """Return an export; ExportNotFound if there is none."""
        return export_from_json(json.loads(self._read(export_id, STATE)))

    def all(self) -> list[Export]:
        """Return every export, oldest first."""
        states = self._folder.glob(f"*/{STATE}") if self._folder.exists() else []
        return sorted((export_from_json(json.loads(path.read_bytes())) for path in states), key=lambda e: e.created_at)

    def sweep(self) -> None:
        """Forget what is left of exports that were killed while they were asked for, an hour ago or earlier."""
        before = time.time() - ABANDONED_S
        for folder in self._folder.iterdir() if self._folder.exists() else ():
            if not (folder / STATE).exists() and folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)

    def write_content(self, export_id: str, content: bytes) -> None:
        """Keep what an export is made from; durable on return."""
        self._write(export_id, CONTENT, content)

    def read_content(self, export_id: str) -> bytes:
        """Return what an export is made from; ExportNotFound if there is nothing."""
        return self._read(export_id, CONTENT)

    @contextmanager
    def claim(self, export_id: str) -> Iterator[bool]:
        """Hold the right to write an export; False while another has it. It ends with its holder, however that ends."""
        path = self._of(export_id) / LOCK
        held = try_exclusive(path)
        try:
            yield held is not None
        finally:
            if held is not None:
                path.unlink(missing_ok=True)
                held.release()

    def workspace(self, export_id: str) -> Path:
        """Return an empty folder to write an export's files into; what was there is forgotten."""
        work = self._of(export_id) / WORK
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        return work

    def publish(self, export_id: str) -> int:
        """Make the workspace's files the export's one file, all or nothing, and return its size in bytes."""
        folder = self._of(export_id)
        part = folder / f"{FILE}{NEW}"
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as archive:
            for path in sorted(p for p in (folder / WORK).rglob("*") if p.is_file()):
                how = zipfile.ZIP_STORED if path.suffix in COMPRESSED else zipfile.ZIP_DEFLATED
                archive.write(path, path.relative_to(folder / WORK), compress_type=how)
        publish(part, folder / FILE)
        shutil.rmtree(folder / WORK)
        return (folder / FILE).stat().st_size

    def file(self, export_id: str) -> Path | None:
        """Return where the file is, or None while there is none."""
        path = self._of(export_id) / FILE
        return path if path.exists() else None

    def purge(self, export_id: str) -> None:
        """Forget an export and its file."""
        shutil.rmtree(self._of(export_id), ignore_errors=True)

    def _of(self, export_id: str) -> Path:
        if not re.fullmatch(r"[0-9a-f.~]{1,128}", export_id) or ".." in export_id:
            raise ExportNotFound("There is no such export.")
        return self._folder / export_id

    def _read(self, export_id: str, name: str) -> bytes:
        try:
            return (self._of(export_id) / name).read_bytes()
        except FileNotFoundError:
            raise ExportNotFound(f"There is no export {export_id}: it was never made, or is past its time.") from None

    def _write(self, export_id: str, name: str, data: bytes) -> None:
        folder = self._of(export_id)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        write_whole(folder / name, data)
