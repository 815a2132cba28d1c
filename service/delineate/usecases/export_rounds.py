"""What comes round for exports: those that nobody writes are sent again, those past their time are forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from delineate.domain.export import ExportStore

EXPORT_RETENTION_S = 7 * 86_400.0
"""How long an export is kept after it was asked for."""
SENT_AGAIN_S = 60.0
"""After so long, an unfinished export is sent again: its writer, or its message, may have gone. Who gets the message
leaves one alone that is being written."""


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
        self._sent: dict[str, float] = {}

    def resume(self) -> None:
        """After a start: forget exports past their time, and send every one that is not finished."""
        self.purge_expired()
        self._sent = {export.id: 0.0 for export in self._store.all() if not export.is_finished}
        self.rescan()

    def rescan(self) -> None:
        """Send exports again that were sent a while ago, and are not finished."""
        now = self._clock()
        unfinished = [export for export in self._store.all() if not export.is_finished]
        self._sent = {export.id: self._sent.get(export.id, export.created_at) for export in unfinished}
        for export_id, sent_at in self._sent.items():
            if now - sent_at >= SENT_AGAIN_S:
                self._sent[export_id] = now
                self._queue.send(export_id)

    def purge_expired(self) -> None:
        """Forget exports past their time, and what is left of requests that were killed."""
        self._store.sweep()
        before = self._clock() - EXPORT_RETENTION_S
        for export in self._store.all():
            if export.created_at < before:
                self._store.purge(export.id)
