"""Volumes in memory, one for all sessions of a series."""

from __future__ import annotations

import threading
import weakref

from delineate.domain.ports import Archive, Progress, VolumeReader
from delineate.domain.volume import Volume, VolumePlan


class VolumeShelf:
    """Fetches series and shares their volumes; one that no session uses any more is released."""

    def __init__(self, archive: Archive, reader: VolumeReader) -> None:
        self._archive = archive
        self._reader = reader
        self._volumes: weakref.WeakValueDictionary[str, Volume] = weakref.WeakValueDictionary()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def plan(self, study_instance_uid: str, series_instance_uid: str, volume: str | None) -> VolumePlan:
        """Ask the archive for the series' headers and check them: a SeriesError names what is wrong."""
        headers = self._archive.headers(study_instance_uid, series_instance_uid)
        return self._reader.plan(headers, volume)

    def load(self, plan: VolumePlan, progress: Progress) -> Volume:
        """Return the plan's volume, fetched once however many ask for it."""
        key = plan.fingerprint
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            volume = self._volumes.get(key)
            if volume is None:
                parts = self._archive.instances(
                    plan.study_instance_uid, plan.series_instance_uid, plan.instances, progress
                )
                volume = self._reader.read(plan, parts)
                self._volumes[key] = volume
        with self._guard:
            self._locks.pop(key, None)
        return volume
