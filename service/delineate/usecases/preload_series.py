"""Read series before they are opened: the orders, and whoever carries them out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from delineate.domain.errors import DelineateError, JournalUnavailable, PreloadNotFound
from delineate.domain.ports import PreloadQueue, PreloadRecords, VolumeCache
from delineate.domain.preload import PreloadOrder, PreloadRecord, PreloadState, problem_of
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.meter import Meter, NoMeter
from delineate.usecases.volumes import Elsewhere, Unwanted, VolumeShelf

log = logging.getLogger(__name__)

NOTE_S = 0.1
"""Shortest time between two notes of the progress."""
LOOKS = 3
"""How often a series that grows while it is read is read again; its next order goes on with it."""

UNFINISHED: tuple[PreloadState, ...] = ("waiting", "loading")


class Preloads:
    """Takes orders, and tells how far they are."""

    def __init__(self, records: PreloadRecords, queue: PreloadQueue, cache: VolumeCache) -> None:
        self._records = records
        self._queue = queue
        self._cache = cache
        self._guard = threading.Lock()

    def request(self, order: PreloadOrder, *, urgent: bool = False) -> PreloadRecord:
        """Have a volume read unless it waits for that; one that is there is looked at again, in case that it changed.

        An urgent order is one that a user looks at: it comes before those of worklists and hooks.
        """
        with self._guard:
            known = self._records.load(order.series_instance_uid)
            if known is None or known.order != order or known.state == "failed" or not self._is_there(known):
                known = PreloadRecord(order)
                self._records.save(known)
            self._queue.send(order, urgent=urgent)
        return known

    def get(self, series_instance_uid: str) -> PreloadRecord:
        """Return how far a series is; PreloadNotFound if it was not asked for, or is not kept any more."""
        known = self._records.load(series_instance_uid)
        if known is None or not self._is_there(known):
            raise PreloadNotFound(
                f"Series {series_instance_uid} is not preloaded: it was not asked for, or has made room for others. "
                "PUT the same path to preload it."
            )
        return known

    def cancel(self, series_instance_uid: str) -> None:
        """Forget an order; one that is being carried out is broken off unless a session waits for the same volume."""
        self.get(series_instance_uid)
        self._records.remove(series_instance_uid)

    def resume(self) -> None:
        """After a restart of whoever carries orders out: go on with all that have not come to their end."""
        for record in self._records.all():
            if record.state in UNFINISHED:
                self._queue.send(record.order)

    def _is_there(self, record: PreloadRecord) -> bool:
        return record.state != "ready" or self._cache.holds(record.fingerprint or "")


def loading_elsewhere(records: PreloadRecords) -> Elsewhere:
    """Return what tells how far the preload of a plan is (usecases/volumes.py)."""

    def elsewhere(plan: VolumePlan) -> tuple[int, int, int] | None:
        with suppress(JournalUnavailable):
            known = records.load(plan.series_instance_uid)
            if known and (known.fingerprint, known.state) == (plan.fingerprint, "loading"):
                return known.progress
        return None

    return elsewhere


class Preloader:
    """Carries orders out.

    Parameters
    ----------
    prepare
        Makes what every session on a volume will need beside it, so that its first click is fast.
    """

    def __init__(
        self,
        shelf: VolumeShelf,
        records: PreloadRecords,
        prepare: Callable[[Volume], object],
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter or NoMeter()
        self._shelf = shelf
        self._records = records
        self._prepare = prepare
        self._closing = threading.Event()

    def run(self, order: PreloadOrder, *, urgent: bool = False) -> None:
        """Have the order's volume in the cache, and note how far that is; what fails is in the record."""
        begun = time.monotonic()
        notes = _Notes(self._records, order)
        try:
            if not notes.gone():
                self._load(order, notes, urgent=urgent)
        except Unwanted:
            log.info("preload cancelled", extra={"series": order.series_instance_uid})
            return
        except Exception as error:
            if self._closing.is_set():
                return  # its record stays as it is: it is carried out after the restart
            if not isinstance(error, DelineateError):
                log.exception("preload failed", extra={"series": order.series_instance_uid})
            notes.note(state="failed", problem=problem_of(error))
        ms = round((time.monotonic() - begun) * 1000)
        self._meter.preload_ended("ready" if notes.record.state == "ready" else "failed", ms / 1000.0)
        log.info("preload", extra={"series": order.series_instance_uid, "state": notes.record.state, "ms": ms})

    def close(self) -> None:
        """Leave what fails from now on to the next start."""
        self._closing.set()

    def _load(self, order: PreloadOrder, notes: _Notes, *, urgent: bool) -> None:
        ready = None
        for _ in range(LOOKS):
            plan = self._shelf.plan(order.study_instance_uid, order.series_instance_uid, order.volume)
            if plan.fingerprint == ready:
                return
            total = len(plan.instances)
            if (notes.record.state, notes.record.fingerprint) != ("ready", plan.fingerprint):
                notes.note(state="loading", progress=(0, total, 0), fingerprint=plan.fingerprint, problem=None)
            volume = self._shelf.load(plan, notes.progressed, urgent=urgent, cancelled=notes.gone)
            self._prepare(volume)
            size = notes.record.progress[2]
            notes.note(state="ready", progress=(total, total, size), fingerprint=plan.fingerprint, problem=None)
            ready = plan.fingerprint


class _Notes:
    """Writes how far an order is into its record, not too often; notices when the order was cancelled."""

    def __init__(self, records: PreloadRecords, order: PreloadOrder) -> None:
        self._records = records
        self._order = order
        self._noted_at = self._looked_at = float("-inf")
        self._gone = False
        self.record = PreloadRecord(order)
        if (known := records.load(order.series_instance_uid)) is not None:
            self.record = known

    def progressed(self, done: int, total: int, size: int) -> None:
        """Note the progress; from any thread."""
        now = time.monotonic()
        if self.record.state == "loading" and (done == total or now - self._noted_at > NOTE_S):
            self._noted_at = now
            self.note(progress=(done, total, size))

    def note(self, **changes: object) -> None:
        """Note something, unless the order was cancelled or another took its place."""
        self.record = replace(self.record, **changes)  # type: ignore[arg-type]
        if not self.gone():
            with suppress(JournalUnavailable):  # of use to whoever looks; the work does not depend on it
                self._records.update(self.record)

    def gone(self) -> bool:
        """Tell whether the order was cancelled, or another took its place."""
        now = time.monotonic()
        if not self._gone and now - self._looked_at > NOTE_S:
            self._looked_at = now
            with suppress(JournalUnavailable):
                known = self._records.load(self._order.series_instance_uid)
                self._gone = known is None or known.order != self._order
        return self._gone
