"""Export a session's segments: freeze them, durably, and have them written as files of other formats."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence

from delineate.domain.errors import ExportNotFound, ExportNotReady, NotPermitted
from delineate.domain.export import FORMATS, EmptySegment, Export, ExportedFormat, ExportStore
from delineate.domain.ports import Segmenter
from delineate.domain.session import SegmentRecord
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

        Parameters
        ----------
        numbers
            Segment Numbers; None: of all segments that are not empty.

        Raises
        ------
        SegmentEmpty, SegmentUnnamed
            If one of the segments cannot be exported, or all are empty.
        """
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{live.session.id}/export/{key}")
        with live.lock:
            plan = live.plan
            export_id = f"{plan.series_instance_uid}~{made.hex}"
            with contextlib.suppress(ExportNotFound):
                return self._store.load(export_id)
            chosen, empty = _chosen(live, numbers)
            export = Export(
                id=export_id,
                session=live.session.id,
                user=live.session.user,
                study_instance_uid=plan.study_instance_uid,
                series_instance_uid=plan.series_instance_uid,
                created_at=self._clock(),
                formats=tuple(ExportedFormat(name) for name in FORMATS if name in formats),
                empty=empty,
            )
            content = self._frozen(live, chosen)
        self._store.create(export, content)
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

    def _frozen(self, live: LiveSession, chosen: Sequence[SegmentRecord]) -> bytes:
        return freeze(
            live,
            chosen,
            model=self._segmenter.info,
            series_description=None,
            encoding="BINARY",
            predecessor=live.session.opened_from.reference if live.session.opened_from else None,
        )


def _chosen(live: LiveSession, numbers: Sequence[int] | None) -> tuple[list[SegmentRecord], tuple[EmptySegment, ...]]:
    """Return the segments to export, and those that are left out where all are asked for."""
    if numbers is not None:
        return chosen_segments(live, numbers), ()
    segments = live.session.segments.values()
    empty = [s for s in segments if s.packed.box.is_empty]
    drawn = [s.number for s in segments if not s.packed.box.is_empty]
    left_out = tuple(EmptySegment(s.number, s.description.label, s.tracking_uid) for s in empty)
    return chosen_segments(live, drawn or None), left_out
