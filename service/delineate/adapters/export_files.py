"""Exports in a folder: one for each, with its state and, once all of it is written, its ZIP file.

Several processes may share the folder, also over a network where that carries locks (NFS does).
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from delineate.domain.errors import ExportNotFound
from delineate.domain.export import Export, export_from_json, export_to_json
from delineate.durable_files import NEW, publish, write_whole
from delineate.file_locks import try_exclusive

log = logging.getLogger(__name__)

STATE, CONTENT, WORK, FILE, LOCK = "export.json", "content.json", "work", "export.zip", "lock"
ID = re.compile(r"[0-9.]{1,64}~[0-9a-f]{32}")
"""Of an export: the images' Series Instance UID, and a UUID. The folder may hold others' folders too; those are not
touched."""
GONE = re.compile(rf"{ID.pattern}\.gone-[0-9a-f]{{32}}")
"""Name of a folder that is being deleted."""
UNREADABLE = (ValueError, TypeError, KeyError)
"""What reading a state raises that is damaged, or of a newer version."""
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
        self._unreadable: set[str] = set()
        """Ids of exports that the log has named as such."""

    def create(self, export: Export, content: bytes) -> None:
        """Begin to keep an export, and what it is made from; durable on return."""
        folder = self._of(export.id)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        write_whole(folder / CONTENT, content)
        write_whole(folder / STATE, _state(export))

    def save(self, export: Export) -> None:
        """Write the state of an export that is kept, durable on return; ExportNotFound once it is forgotten."""
        with self._kept(export.id) as folder:
            write_whole(folder / STATE, _state(export))

    def load(self, export_id: str) -> Export:
        """Return an export; ExportNotFound if there is none, or none that can be read."""
        with self._kept(export_id) as folder:
            data = (folder / STATE).read_bytes()
        try:
            return export_from_json(json.loads(data))
        except UNREADABLE as error:
            raise ExportNotFound(
                f"Export {export_id} cannot be read: its state is damaged, or of a newer version of Delineate. "
                "Export the segments again."
            ) from error

    def all(self) -> list[Export]:
        """Return every export that can be read, oldest first; one that cannot is logged once."""
        exports = (self._readable(folder) for folder in self._named(ID))
        return sorted((export for export in exports if export is not None), key=lambda e: e.created_at)

    def sweep(self, before: float) -> None:
        """Forget what no export will come of (domain.export.ExportStore), and what deleting left when it was killed."""
        abandoned = time.time() - ABANDONED_S
        for folder in self._named(ID):
            with suppress(OSError):  # another process sweeps too, or it is not ours to delete
                touched_at = folder.stat().st_mtime
                killed = touched_at < abandoned and not (folder / STATE).exists()
                if killed or (touched_at < before and self._readable(folder) is None):
                    self.purge(folder.name)
        for folder in self._named(GONE):
            shutil.rmtree(folder, ignore_errors=True)

    def read_content(self, export_id: str) -> bytes:
        """Return what an export is made from; ExportNotFound if there is nothing."""
        with self._kept(export_id) as folder:
            return (folder / CONTENT).read_bytes()

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
        """Return an empty folder to write an export's files into, what was there is forgotten; or ExportNotFound."""
        with self._kept(export_id) as folder:
            work = folder / WORK
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            return work

    def publish(self, export_id: str) -> int:
        """Make the workspace's files the export's one file, all or nothing, and return its size in bytes.

        Raises
        ------
        ExportNotFound
            Once the export is forgotten.
        """
        with self._kept(export_id) as folder:
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
        """Forget an export and its file.

        Its folder is renamed first: whoever writes it finds nothing from then on, and makes nothing of it again.
        """
        folder = self._of(export_id)
        gone = folder.with_name(f"{export_id}.gone-{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _named(self, pattern: re.Pattern[str]) -> list[Path]:
        """Return the folders with such names; what else is there is not ours."""
        there = self._folder.iterdir() if self._folder.exists() else ()
        return [path for path in there if pattern.fullmatch(path.name) and path.is_dir()]

    def _readable(self, folder: Path) -> Export | None:
        """Return the export that is kept in a folder; None if there is none, or none that can be read."""
        try:
            return export_from_json(json.loads((folder / STATE).read_bytes()))
        except FileNotFoundError:  # it is being asked for, or was deleted since
            return None
        except (OSError, *UNREADABLE) as error:
            if folder.name not in self._unreadable:
                self._unreadable.add(folder.name)
                log.warning("export cannot be read", extra={"export": folder.name, "reason": repr(error)})
            return None

    def _of(self, export_id: str) -> Path:
        if not ID.fullmatch(export_id):
            raise ExportNotFound("There is no such export.")
        return self._folder / export_id

    @contextmanager
    def _kept(self, export_id: str) -> Iterator[Path]:
        """Give the folder of an export to read and write in; ExportNotFound if it is not there, or not any more."""
        try:
            yield self._of(export_id)
        except FileNotFoundError:
            raise ExportNotFound(
                f"There is no export {export_id}: it was never made, was deleted, or is past its time."
            ) from None


def _state(export: Export) -> bytes:
    return json.dumps(export_to_json(export)).encode()
