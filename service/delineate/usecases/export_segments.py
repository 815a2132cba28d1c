"""Export a session's segments: freeze them, durably, and have them written as files of other formats."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence

from delineate.domain.errors import ExportNotFound, ExportNotReady, NotPermitted
from delineate.domain.export import FORMATS, Export, ExportedFormat, ExportStore
from delineate.domain.ports import Segmenter
from delineate.usecases.export_rounds import ExportQueue
from delineate.usecases.frozen import chosen_segments, freeze
from delineate.usecases.live import LiveSession


class Exports:
    """The exports that users of this process ask for."""

    def __init__(
        self, store: ExportStore, queue: ExportQueue, segmenter: Segmenter, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._queue = queue
        self._segmenter = segmenter
        self._clock = clock

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
