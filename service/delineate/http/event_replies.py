"""What server-sent events carry: one model for each kind, in ``SessionEvents``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from delineate.domain.errors import DelineateError
from delineate.http.patches import Patches
from delineate.http.result_replies import ResultReply
from delineate.http.schemas import PatchReply, ProgressReply, SegmentReply, SessionReply
from delineate.usecases.events import (
    Event,
    PatchMade,
    ProgressMade,
    QueueMoved,
    ResultChanged,
    SegmentChanged,
    SegmentDeleted,
    SessionChanged,
)
from delineate.usecases.live import LiveSession
from delineate.wiring.services import Services

Sendable = tuple[str, BaseModel]
"""Kind and data of an event."""


class QueueReply(BaseModel):
    """How many model runs of other work are ahead of a segment's first prompt that waits or runs."""

    segment: int
    prompt_id: str
    position: int


class SegmentDeletedReply(BaseModel):
    """A segment that is not there any more."""

    number: int


class SessionEvents(BaseModel):
    """The kinds of events (``event:``) and what the ``data:`` of each is; an event carries one of them."""

    model_config = ConfigDict(serialize_by_alias=True)

    session: SessionReply
    progress: ProgressReply
    queue: QueueReply
    patch: PatchReply
    segment: SegmentReply
    segment_deleted: SegmentDeletedReply = Field(alias="segment-deleted")
    result: ResultReply


class EventWords:
    """Words what changed as events of one connection, from the state at the time of sending."""

    def __init__(self, parts: Services, live: LiveSession, patches: Patches) -> None:
        self._info = parts.segmenter.info
        self._queue = parts.host.queue
        self._live = live
        self._patches = patches
        self._places: dict[int, tuple[str, int]] = {}

    def of(self, event: Event) -> list[tuple[str, str]]:
        """Return kind and JSON of each event to send. Takes milliseconds: not for the event loop."""
        return [(kind, data.model_dump_json()) for kind, data in self._replies(event)]

    def _replies(self, event: Event) -> list[Sendable]:
        match event:
            case SessionChanged():
                with self._live.lock:
                    return [("session", SessionReply.of(self._live, self._info, self._queue))]
            case ProgressMade():
                return [("progress", ProgressReply.of(self._live.progress))]
            case QueueMoved():
                return self._moved()
            case SegmentChanged():
                return self._segment(event.number)
            case SegmentDeleted():
                return [("segment-deleted", SegmentDeletedReply(number=event.number))]
            case PatchMade():
                return self._patch(event)
            case ResultChanged():
                return [("result", ResultReply.of(event.result))]

    def _segment(self, number: int) -> list[Sendable]:
        with self._live.lock:
            segment = self._live.session.segments.get(number)
            return [("segment", SegmentReply.of(self._live, segment, self._queue))] if segment else []

    def _patch(self, event: PatchMade) -> list[Sendable]:
        try:
            return [("patch", self._patches.of(self._live, event.change))]
        except DelineateError:  # the session was closed meanwhile
            return []

    def _moved(self) -> list[Sendable]:
        """Return the places in the queue that are not as this connection was told before."""
        with self._live.lock:
            places = {number: self._queue.position(self._live, number) for number in self._live.session.segments}
        now = {number: place for number, place in places.items() if place is not None}
        moved = {number: place for number, place in now.items() if self._places.get(number) != place}
        self._places = now
        return [
            ("queue", QueueReply(segment=number, prompt_id=name, position=position))
            for number, (name, position) in moved.items()
        ]
