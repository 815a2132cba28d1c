"""One volume in the cache: a folder with a manifest and one file for each array."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from delineate.adapters.volume_cache.files import bytes_in, map_to_read
from delineate.adapters.volume_cache.manifest import ArraySpec, DamagedEntryError, Manifest
from delineate.durable_files import write_whole
from delineate.file_locks import HeldLock, shared, try_exclusive

MANIFEST = "manifest"
IN_USE = "in-use"
"""Locked, shared, by everyone who has one of the arrays in memory."""
ARRAY = ".array"
"""Suffix of the arrays' files."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder that is, was or will be an entry.

    Its modification time says when it was last used, for whoever has to make room.
    """

    folder: Path

    def begin(self) -> HeldLock:
        """Make the folder, in use from the start."""
        self.folder.mkdir(mode=0o700)
        (self.folder / IN_USE).touch(mode=0o600)
        pin = self.pin()
        assert pin is not None  # noqa: S101  # just made
        return pin

    def pin(self) -> HeldLock | None:
        """Keep the entry from being removed; None if there is no such entry."""
        return shared(self.folder / IN_USE)

    def claim(self) -> HeldLock | None:
        """Keep others from using the entry; None if it is in use or has gone."""
        return try_exclusive(self.folder / IN_USE)

    def path(self, name: str) -> Path:
        """Return the file of an array."""
        return self.folder / (name + ARRAY)

    def manifest(self) -> Manifest:
        """Read the manifest; DamagedEntryError if it is missing or not as it was written."""
        try:
            data = (self.folder / MANIFEST).read_bytes()
        except FileNotFoundError as error:
            raise DamagedEntryError("it has no manifest") from error
        return Manifest.decoded(data)

    def write_manifest(self, manifest: Manifest) -> None:
        """Publish what the entry holds; durable on return."""
        write_whole(self.folder / MANIFEST, manifest.encoded())

    def open(self, name: str, spec: ArraySpec, pin: HeldLock) -> npt.NDArray[Any]:
        """Return an array, which keeps the pin until its last view is gone; DamagedEntryError as the file is."""
        return map_to_read(self.path(name), spec, pin.release)

    def touch(self) -> None:
        """Note that the entry is used now."""
        now = time.time_ns()
        with suppress(FileNotFoundError):  # removed meanwhile, because it was damaged
            os.utime(self.folder, ns=(now, now))

    @property
    def used_at_ns(self) -> int:
        """When it was last used, nanoseconds since the epoch; 0 if it has gone."""
        try:
            return self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @property
    def nbytes(self) -> int:
        """What it takes on disk, arrays that are still being written included."""
        return bytes_in(self.folder)

    def remove_strays(self) -> None:
        """Remove what a killed writer left here; only for whoever claimed the entry."""
        listed = {self.path(name).name for name in self.manifest().arrays}
        for file in self.folder.iterdir():
            if file.name not in listed | {MANIFEST, IN_USE}:
                file.unlink(missing_ok=True)
