"""Volumes in memory, one for all sessions of a series."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from delineate.domain.errors import ArchiveUnreachable
from delineate.domain.ports import Archive, Progress, VolumeReader
from delineate.domain.volume import Volume, VolumePlan


@dataclass(slots=True, eq=False)
class _Fetch:
    """A volume on its way, and all who wait for it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[Progress] = field(default_factory=list)
    last: tuple[int, int, int] | None = None

    def tell(self, done: int, total: int, size: int) -> None:
        self.last = (done, total, size)
        for progress in tuple(self.waiting):
            progress(done, total, size)


class VolumeShelf:
    """Fetches series and shares their volumes; one that nobody uses any more is released."""

    def __init__(self, archive: Archive, reader: VolumeReader) -> None:
        self._archive = archive
        self._reader = reader
        self._volumes: weakref.WeakValueDictionary[str, Volume] = weakref.WeakValueDictionary()
        self._fetches: dict[str, _Fetch] = {}
        self._guard = threading.Lock()
        self._closing = threading.Event()

    def plan(self, study_instance_uid: str, series_instance_uid: str, volume: str | None) -> VolumePlan:
        """Ask the archive for the series' headers and check them: a SeriesError names what is wrong."""
        headers = self._archive.headers(study_instance_uid, series_instance_uid)
        return self._reader.plan(headers, volume)

    def load(self, plan: VolumePlan, progress: Progress) -> Volume:
        """Return the plan's volume, fetched once however many ask for it; all of them are told the progress."""
        key = plan.fingerprint
        with self._guard:
            fetch = self._fetches.setdefault(key, _Fetch())
            fetch.waiting.append(progress)
            last = fetch.last
        if last is not None:
            progress(*last)
        try:
            with fetch.turn:
                volume = self._volumes.get(key)
                if volume is None:
                    volume = self._read(plan, fetch)
                    self._volumes[key] = volume
        finally:
            with self._guard:
                fetch.waiting.remove(progress)
                if not fetch.waiting:
                    del self._fetches[key]
        return volume

    def close(self) -> None:
        """Break off what is being fetched, at its next instance."""
        self._closing.set()

    def _read(self, plan: VolumePlan, fetch: _Fetch) -> Volume:
        parts = self._archive.instances(plan.study_instance_uid, plan.series_instance_uid, plan.instances, fetch.tell)
        return self._reader.read(plan, self._until_closing(parts))

    def _until_closing(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        for part in parts:
            if self._closing.is_set():
                raise ArchiveUnreachable("The service is stopping; the series is read again when it is back.")
            yield part
