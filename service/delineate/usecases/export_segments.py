"""Export a session's segments: freeze them, durably, and have them written as files of other formats."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from delineate.domain.errors import ExportNotFound, ExportNotReady, NotPermitted
from delineate.domain.export import FORMATS, Export, ExportedFormat, ExportStore
from delineate.domain.ports import Segmenter
from delineate.usecases.frozen import chosen_segments, freeze
from delineate.usecases.live import LiveSession

EXPORT_RETENTION_S = 7 * 86_400.0
"""How long an export is kept after it was asked for."""


class ExportQueue(Protocol):
    """Wakes whoever writes exports; the export store is the truth and is rescanned at start."""

    def send(self, export_id: str) -> None:
        """Have an export written after those before it."""


class Exports:
    """The exports of this process's users."""

    def __init__(
        self, store: ExportStore, queue: ExportQueue, segmenter: Segmenter, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._queue = queue
        self._segmenter = segmenter
        self._clock = clock

    def resume(self) -> None:
        """After a restart: forget exports past their time, and begin again with those that were not finished."""
        self._store.sweep()
        self.purge_expired()
        for export in self._store.all():
            if not export.is_finished:
                self._queue.send(export.id)

    def purge_expired(self) -> None:
        """Forget exports past their time."""
        before = self._clock() - EXPORT_RETENTION_S
        for export in self._store.all():
            if export.created_at < before:
                self._store.purge(export.id)

    def request(self, live: LiveSession, formats: Sequence[str], numbers: Sequence[int] | None, *, key: str) -> Export:
        """Freeze the segments as they are now and have them written in those formats; the same key is the same export.

        Raises
        ------
        SegmentEmpty, SegmentUnnamed
            If one of the segments cannot be exported.
        """
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{live.session.id}/export/{key}")
        known = None
        with live.lock:
            plan = live.plan
            export_id = f"{plan.series_instance_uid}~{made.hex}"
            with contextlib.suppress(ExportNotFound):
                known = self._store.load(export_id)
            if known is not None:
                return known
            now = self._clock()
            chosen = chosen_segments(live, numbers)
            content = freeze(
                live,
                chosen,
                model=self._segmenter.info,
                series_description=None,
                encoding="BINARY",
                predecessor=live.session.opened_from.reference if live.session.opened_from else None,
            )
        export = Export(
            id=export_id,
            session=live.session.id,
            user=live.session.user,
            study_instance_uid=plan.study_instance_uid,
            series_instance_uid=plan.series_instance_uid,
            created_at=now,
            formats=tuple(ExportedFormat(name) for name in FORMATS if name in formats),
        )
        self._store.write_content(export.id, content)
        self._store.save(export)
        self._queue.send(export.id)
        return export

    def get(self, export_id: str, user: str) -> Export:
        """Return an export of that user; ExportNotFound or NotPermitted if not."""
        export = self._store.load(export_id)
        if export.user != user:
            raise NotPermitted("The export belongs to another user.")
        return export

    def file(self, export_id: str, user: str) -> str:
        """Return where the file of an export is; ExportNotReady while it is not there."""
        export = self.get(export_id, user)
        path = self._store.file(export_id)
        if path is None or export.state != "done":
            raise ExportNotReady(export.reason or f"The export is {export.state}. Ask again shortly.")
        return str(path)

    def delete(self, export_id: str, user: str) -> None:
        """Forget an export and its file."""
        self._store.purge(self.get(export_id, user).id)
