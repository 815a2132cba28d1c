"""The cache's folder as a whole: what is where, what it takes, and what goes when there is no room."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delineate.adapters.volume_cache.entry import Entry
from delineate.adapters.volume_cache.manifest import DamagedEntryError
from delineate.domain.errors import CacheDiskFailed, CacheFull
from delineate.durable_files import NEW
from delineate.file_locks import HeldLock, exclusive

_log = logging.getLogger(__name__)


class Room:
    """The folders of one cache, which any number of processes may share.

    Entries are made under ``writing`` and renamed to ``entries`` when they are whole; what is to go is renamed to
    ``removed`` first. Each step is one rename, so that a crash leaves something to sweep, never half an entry.

    Parameters
    ----------
    root
        Made if absent, readable by its owner only. On a local disk: locks of network file systems differ.
    budget_bytes
        Most bytes that all entries together may take.
    """

    def __init__(self, root: Path, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.root = root
        self._entries, self._writing, self._removed = (root / name for name in ("entries", "writing", "removed"))
        self._locks = root / "locks"
        self._links = root / "plans"
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self._entries, self._writing, self._removed, self._locks, self._links):
            folder.mkdir(exist_ok=True, mode=0o700)

    def entry(self, key: str) -> Entry:
        """Return the entry of a key, there or not."""
        return Entry(self._entries / key)

    def entries(self) -> list[Entry]:
        """Return all entries, least recently used first."""
        return sorted(map(Entry, self._entries.iterdir()), key=lambda entry: entry.used_at_ns)

    def key_lock(self, key: str) -> Path:
        """Return the file that whoever writes to a key's entry locks."""
        return self._locks / key

    def link(self, name: str, key: str) -> None:
        """Have ``name`` lead to a key's entry for as long as that is there."""
        new = self._links / f"{name}.{uuid.uuid4().hex}{NEW}"
        new.symlink_to(Path("..") / self._entries.name / key)
        new.replace(self._links / name)

    def linked(self, name: str) -> Entry | None:
        """Return the entry that ``name`` leads to, there or not; None if there is no such name."""
        try:
            return self.entry((self._links / name).readlink().name)
        except FileNotFoundError:
            return None

    def begin(self, key: str) -> tuple[Entry, HeldLock]:
        """Make an empty entry outside the cache, to be published or removed; call it within ``claimed``."""
        entry = Entry(self._writing / f"{key}.{uuid.uuid4().hex}")
        return entry, entry.begin()

    def publish(self, entry: Entry, key: str) -> Entry:
        """Put a whole entry in its place, in one step; the caller holds the key's lock."""
        published = self.entry(key)
        self.remove(published)
        entry.folder.rename(published.folder)
        return published

    def remove(self, entry: Entry) -> None:
        """Remove an entry, in one step; whoever has it in memory keeps it."""
        away = self._removed / uuid.uuid4().hex
        try:
            entry.folder.rename(away)
        except FileNotFoundError:
            return
        shutil.rmtree(away, ignore_errors=True)

    def used_bytes(self) -> int:
        """Return what all entries take, those being written included."""
        return sum(Entry(folder).nbytes for parent in (self._entries, self._writing) for folder in parent.iterdir())

    @contextmanager
    def claimed(self, nbytes: int) -> Iterator[None]:
        """Make room for so many bytes; within the context the caller alone takes room, and allocates what it takes.

        Raises
        ------
        CacheFull
            If there is no room even without the entries that nobody uses: none is removed then.
        CacheDiskFailed
            If the disk has no space.
        """
        with exclusive(self._locks / "room"):
            self._remove_dead_writers()
            self._evict(nbytes)
            free = shutil.disk_usage(self.root).free
            if free < nbytes:
                raise CacheDiskFailed(
                    f"The disk of the volume cache has {free} bytes free, and a volume needs {nbytes}. Free some space "
                    "there, or lower DELINEATE_CACHE_BYTES so that the cache removes volumes in time."
                )
            yield

    def _evict(self, nbytes: int) -> None:
        excess = self.used_bytes() + nbytes - self.budget_bytes
        if excess <= 0:
            return
        victims: list[tuple[Entry, HeldLock]] = []
        try:
            for entry in self.entries():
                if excess > 0 and (held := entry.claim()) is not None:
                    victims.append((entry, held))
                    excess -= entry.nbytes
            if excess > 0:
                raise CacheFull(nbytes, self.budget_bytes)
            for entry, _ in victims:
                _log.info("volume cache: made room", extra={"bytes": entry.nbytes})
                self.remove(entry)
            self._remove_dead_links()
        finally:
            for _, held in victims:
                held.release()

    def purge(self, used_before_ns: int) -> int:
        """Remove the entries that nobody uses and nobody used since then; return how many."""
        removed = 0
        for entry in self.entries():
            if entry.used_at_ns < used_before_ns and (held := entry.claim()) is not None:
                self.remove(entry)
                held.release()
                removed += 1
        self._remove_dead_links()
        return removed

    def sweep(self) -> None:
        """Remove what killed processes left: half entries, half arrays, and entries on their way out."""
        with exclusive(self._locks / "room"):
            for folder in self._removed.iterdir():
                shutil.rmtree(folder, ignore_errors=True)
            self._remove_dead_writers()
            for entry in self.entries():
                self._tidy(entry)
            self._remove_dead_links()

    def _remove_dead_links(self) -> None:
        for link in self._links.iterdir():
            if not link.exists():
                link.unlink(missing_ok=True)

    def _remove_dead_writers(self) -> None:
        for folder in self._writing.iterdir():
            entry = Entry(folder)
            if (held := entry.claim()) is not None:
                _log.info("volume cache: removed the half volume of a killed writer")
                self.remove(entry)
                held.release()

    def _tidy(self, entry: Entry) -> None:
        if (held := entry.claim()) is None:
            return  # in use
        try:
            entry.remove_strays()
        except DamagedEntryError as fault:
            _log.warning("volume cache: removed a damaged volume (%s)", fault)
            self.remove(entry)
        finally:
            held.release()


@contextmanager
def disk_faults_worded(root: Path) -> Iterator[None]:
    """Turn what the operating system says of the cache's disk into CacheDiskFailed."""
    try:
        yield
    except OSError as fault:
        raise CacheDiskFailed(
            f"The volume cache in {root} cannot be read or written ({fault.strerror}). Check that disk, or set "
            "DELINEATE_CACHE_DIR to a folder on another one."
        ) from fault
