"""Read a series into memory before it is opened."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from delineate.domain.errors import DelineateError, PreloadNotFound
from delineate.domain.volume import Volume
from delineate.usecases.volumes import VolumeShelf

log = logging.getLogger(__name__)

PreloadState = Literal["waiting", "loading", "ready", "failed"]

KEPT_VOLUMES = 4
"""Preloaded volumes that are kept in memory at once."""
KEPT_BYTES = 2 * 1024**3
"""Their voxels in all. The newest is kept even if it alone is larger."""
KEPT_RECORDS = 1000
"""Series whose state is remembered: a whole day's worklist."""


@dataclass(slots=True, eq=False)
class Preload:
    """A series that is, or is being, read ahead."""

    study_instance_uid: str
    series_instance_uid: str
    volume: str | None
    state: PreloadState = "waiting"
    progress: tuple[int, int, int] = (0, 0, 0)
    """Instances done, in all, bytes."""
    error: Exception | None = None
    """Why it failed."""
    kept: Volume | None = None
    queued: bool = False
    """Whether it waits for, or has, its turn."""

    def progressed(self, done: int, total: int, size: int) -> None:
        """Note how far it is."""
        self.progress = (done, total, size)


class Preloads:
    """Reads series one after another in the background and keeps the last few.

    A session opened on one of them uses the same volume, also while it is still on its way (usecases/volumes.py).
    """

    def __init__(self, shelf: VolumeShelf) -> None:
        self._shelf = shelf
        self._known: OrderedDict[str, Preload] = OrderedDict()
        self._guard = threading.Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="preload")

    def request(self, study_instance_uid: str, series_instance_uid: str, volume: str | None) -> Preload:
        """Have a series read unless it is being read; a ready one is looked at again, in case that it changed."""
        asked = Preload(study_instance_uid, series_instance_uid, volume)
        with self._guard:
            known = self._known.get(series_instance_uid)
            if known is None or (known.study_instance_uid, known.volume) != (study_instance_uid, volume):
                known = self._known[series_instance_uid] = asked
            self._known.move_to_end(series_instance_uid)
            if not known.queued:
                known.queued = True
                if known.state == "failed":
                    known.state, known.error = "waiting", None
                self._reader.submit(self._load, known)
            self._forget()
        return known

    def get(self, series_instance_uid: str) -> Preload:
        """Return how far a series is; PreloadNotFound if it was not asked for, or is not kept any more."""
        known = self._known.get(series_instance_uid)
        if known is None:
            raise PreloadNotFound(
                f"Series {series_instance_uid} is not preloaded: it was not asked for, or has made room for others. "
                "PUT the same path to preload it."
            )
        return known

    def close(self) -> None:
        """End the background thread; the shelf breaks off what is being fetched."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _load(self, preload: Preload) -> None:
        try:
            plan = self._shelf.plan(preload.study_instance_uid, preload.series_instance_uid, preload.volume)
            total = len(plan.instances)
            if preload.kept is None or preload.kept.plan.fingerprint != plan.fingerprint:
                preload.kept, preload.state, preload.progress = None, "loading", (0, total, 0)
                preload.kept = self._shelf.load(plan, preload.progressed)
                preload.progress = (total, total, preload.progress[2])
            preload.state = "ready"
        except Exception as error:
            if not isinstance(error, DelineateError):
                log.exception("preload failed", extra={"series": preload.series_instance_uid})
            preload.kept, preload.error, preload.state = None, error, "failed"
        with self._guard:
            preload.queued = False
            self._forget()

    def _forget(self) -> None:
        """Drop the oldest volumes beyond the limits, and records beyond theirs. The caller holds the guard."""
        count = size = 0
        for name, preload in reversed(list(self._known.items())):
            if preload.kept is None or preload.queued:
                continue
            count, size = count + 1, size + preload.kept.voxels.nbytes
            if count > 1 and (count > KEPT_VOLUMES or size > KEPT_BYTES):
                del self._known[name]
        idle = [name for name, preload in self._known.items() if not preload.queued]
        for name in idle[: max(0, len(self._known) - KEPT_RECORDS)]:
            del self._known[name]
