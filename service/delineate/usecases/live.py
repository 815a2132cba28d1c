"""A session in memory: its folded journal, its queue of prompts, its engine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from delineate.domain.errors import (
    DelineateError,
    SegmentLocked,
    SessionClosed,
    SessionFailed,
    SessionLoading,
    SessionReadOnly,
)
from delineate.domain.labelmap import Region
from delineate.domain.ports import Engine, Lease
from delineate.domain.prompts import LabelmapPrompt, VoxelPrompt
from delineate.domain.session import Change, Pending, SegmentRecord, Session
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.events import Listeners, ProgressMade

Preview = Callable[[int, Region], None]
"""Called with the segment's base revision and a region of absolute values, from the thread that runs the model."""


@dataclass(slots=True, eq=False)
class Job:
    """A prompt that waits for its run, or is in it."""

    segment: int
    prompt_id: str
    content: VoxelPrompt | LabelmapPrompt
    queued_at: float
    """Of the monotonic clock, seconds."""
    future: Future[Change] = field(default_factory=Future)
    preview: Preview | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    announced: bool = False
    """Whether its first attempt is in the journal already."""


class LiveSession:
    """A session and what is held in memory for it; ``lock`` guards all of it but the engine.

    The engine is touched only by the one thread that drains the queue (``draining``).
    """

    def __init__(self, session: Session, lease: Lease) -> None:
        self.session = session
        self.lease = lease
        """Under which it is served; of epoch 0 for a copy that is only read."""
        self.dropped: DelineateError | None = None
        """Why it is not served here any more: nothing is journalled from then on."""
        self.lock = threading.RLock()
        self.jobs: deque[Job] = deque()
        self.running: tuple[Job, ...] = ()
        self.draining = False
        self.engine: Engine | None = None
        self.volume: Volume | None = None
        self.loading: Future[VolumePlan] = Future()
        self.progress: tuple[int, int, int] = (0, 0, 0)
        """Instances done, in all, bytes; of the volume's last fetch."""
        self.listeners = Listeners()
        self.used_at = 0.0
        """When somebody asked for it last, seconds since the epoch."""

    def settle(self) -> None:
        """Tell those who wait for the volume how loading ended."""
        with suppress(InvalidStateError):  # they were told before
            try:
                self.loading.set_result(self.plan)
            except DelineateError as error:
                self.loading.set_exception(error)

    def end(self, reason: DelineateError) -> None:
        """Stop whatever runs or waits, and send away who listens; the journal stays as it is."""
        with self.lock:
            waiting = list(self.jobs)
            self.jobs.clear()
            for job in self.running:
                job.cancelled.set()
        for job in waiting:
            job.future.set_exception(reason)
        with suppress(InvalidStateError):
            self.loading.set_exception(reason)
        self.listeners.end()

    def progressed(self, done: int, total: int, size: int) -> None:
        """Note that ``done`` of ``total`` instances are there, ``size`` bytes."""
        self.progress = (done, total, size)
        self.listeners.publish(ProgressMade())

    @property
    def plan(self) -> VolumePlan:
        """The volume's plan; SessionLoading, SessionFailed or SessionClosed if the session cannot be worked with."""
        state = self.session.state
        if state == "closed":
            raise SessionClosed(f"Session {self.session.id} was closed. Open a new one.")
        if state == "failed":
            reason = (self.session.problem or {}).get("detail", "unknown")
            raise SessionFailed(f"The session's volume could not be loaded: {reason}")
        if self.session.plan is None:
            done, total, _ = self.progress
            raise SessionLoading(f"The volume is being loaded ({done} of {total or '?'} instances). Try again shortly.")
        return self.session.plan

    def check_writable(self) -> None:
        """Raise SessionReadOnly if the session was opened from a segmentation that can only be looked at."""
        opened = self.session.opened_from
        if opened is not None and opened.read_only is not None:
            raise SessionReadOnly(opened.read_only)

    def unlocked_segment(self, number: int) -> SegmentRecord:
        """Return a segment that may be changed; SegmentLocked or SessionReadOnly if not."""
        self.check_writable()
        segment = self.session.segment(number)
        if segment.description.locked:
            raise SegmentLocked(f"Segment {number} ({segment.description.label}) is locked. Unlock it to change it.")
        return segment

    def state_of(self, pending: Pending) -> Literal["collected", "waiting", "running"]:
        """Tell whether a pending prompt is in its run, waits for it, or waits to be run on demand."""
        name = pending.prompt.origin.id
        if any(job.prompt_id == name for job in self.running):
            return "running"
        return "waiting" if pending.run or self.job(name) is not None else "collected"

    def job(self, prompt_id: str) -> Job | None:
        """Return the waiting or running job of a prompt."""
        return next((j for j in (*self.running, *self.jobs) if j.prompt_id == prompt_id), None)
