"""What comes round for exports: those that nobody writes are sent again, those past their time are forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from delineate.domain.export import Export, ExportStore

EXPORT_RETENTION_S = 7 * 86_400.0
"""How long an export is kept after it was asked for."""
SENT_AGAIN_S = 60.0
"""After so long, an unfinished export is sent again: its writer, or its message, may have gone. Who gets the message
leaves one alone that is being written. Each time the pause doubles, for the messages wait while nobody takes them."""
LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Sending:
    """When an export was sent last, and how long after that it is sent again."""

    at: float
    """Seconds since the epoch."""
    pause_s: float = SENT_AGAIN_S

    def again(self, now: float) -> Sending:
        """Return the next one."""
        return Sending(now, min(2 * self.pause_s, LONGEST_PAUSE_S))


class ExportQueue(Protocol):
    """Wakes whoever writes exports; the export store is the truth."""

    def send(self, export_id: str) -> None:
        """Have an export written after those before it."""


class ExportRounds:
    """Sees to it that every export of a store comes to its end."""

    def __init__(self, store: ExportStore, queue: ExportQueue, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._sent: dict[str, Sending] = {}

    def resume(self) -> None:
        """After a start: forget exports past their time, and send every one that is not finished."""
        self.purge_expired()
        now = self._clock()
        self._sent = {export.id: Sending(now) for export in self._unfinished()}
        for export_id in self._sent:
            self._queue.send(export_id)

    def rescan(self) -> None:
        """Send exports again that were sent a while ago, and are not finished."""
        now = self._clock()
        self._sent = {e.id: self._sent.get(e.id, Sending(e.created_at)) for e in self._unfinished()}
        for export_id, sent in self._sent.items():
            if now - sent.at >= sent.pause_s:
                self._sent[export_id] = sent.again(now)
                self._queue.send(export_id)

    def purge_expired(self) -> None:
        """Forget exports past their time, and what no export will come of."""
        before = self._clock() - EXPORT_RETENTION_S
        self._store.sweep(before)
        for export in self._store.all():
            if export.created_at < before:
                self._store.purge(export.id)

    def _unfinished(self) -> list[Export]:
        return [export for export in self._store.all() if not export.is_finished]
