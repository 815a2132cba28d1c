"""The sessions of this process: rebuilt from the journal, changed through the journal only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from delineate.domain.errors import (
    ArchiveUnreachable,
    DelineateError,
    IdempotencyConflict,
    JournalUnavailable,
    NotPermitted,
    PredictionFailed,
    SessionOwnedElsewhere,
)
from delineate.domain.ports import Engine, Journal, Leases, Segmenter
from delineate.domain.result import Result
from delineate.domain.session import MAX_ATTEMPTS, Entry, Session
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.capacity import Capacity, Limits
from delineate.usecases.device_queue import DeviceQueue
from delineate.usecases.events import Listener, QueueMoved, ResultChanged, events_of
from delineate.usecases.live import LiveSession
from delineate.usecases.meter import Meter, NoMeter
from delineate.usecases.session_registry import SessionRegistry
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.volumes import VolumeShelf

log = logging.getLogger(__name__)

LANES = 1024
"""Threads that run prompts, made when they are needed: more than sessions are ever busy or wait at once."""
LOADERS = 1024
"""Threads that open series, made when they are needed: a series that is at hand never waits for one that is fetched."""
READERS = 8
"""Series whose headers, and segmentations, are read for openings at the same time."""


class SessionHost:
    """Holds the sessions that this process serves; the only one here that writes their journal.

    Parameters
    ----------
    go_on
        Called with each session that was read back from the journal, to run what has no outcome yet.
    limits
        What the process takes on at most.
    clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        journal: Journal,
        leases: Leases,
        shelf: VolumeShelf,
        segmenter: Segmenter,
        segmentations: StoredSegmentations,
        *,
        go_on: Callable[[SessionHost, LiveSession], None],
        limits: Limits,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.journal = journal
        self.shelf = shelf
        self.segmenter = segmenter
        self.segmentations = segmentations
        self.meter = meter or NoMeter()
        self.clock = clock
        self.lanes = ThreadPoolExecutor(LANES, thread_name_prefix="lane")
        self.loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="loader")
        self._reading = threading.BoundedSemaphore(READERS)
        self.capacity = Capacity(limits, segmenter.engine_bytes, self.all, clock)
        self.queue = DeviceQueue(self._queue_moved, self.capacity)
        self._go_on = go_on
        self._registry = SessionRegistry(journal, leases, taken=self._taken, dropped=self.queue.release)
        self._listening: set[Listener] = set()
        self._guard = threading.Lock()
        self.closing = threading.Event()
        """Set when the process ends: prompts that are stopped by that stay pending in the journal."""

    # --- the registry -----------------------------------------------------------------------------

    def get(self, session_id: str, user: str) -> LiveSession:
        """Return a session of that user, taken over if nobody serves it.

        Raises
        ------
        SessionNotFound, NotPermitted
            If there is none of that id, or it is another user's.
        SessionOwnedElsewhere, JournalUnavailable
            If it cannot be served here now.
        """
        live = _of(user, self._registry.take(session_id))
        live.used_at = self.clock()
        return live

    def all(self) -> list[LiveSession]:
        """Return every session that is here."""
        return self._registry.all()

    def add(self, session_id: str, opened: Entry) -> LiveSession:
        """Begin a session with its first entry; one that the same request has begun already is returned as it is."""
        live = self._registry.begin(session_id, lambda new: self.record(new, opened))
        live.session.replied(opened.data.get("key"), opened.data.get("digest", ""))
        return live

    def opened_by(self, user: str, key: str | None, digest: str) -> LiveSession | None:
        """Return the session that a request of that key opened before; IdempotencyConflict if it was another one."""
        if key is None:
            return None
        known = [opening for opening in self.journal.openings(user) if opening.data.get("key") == key]
        if not known:
            return None
        if known[0].data["digest"] != digest:
            raise IdempotencyConflict(f"Idempotency-Key {key} was used before for another request. Use a new one.")
        return self.get(known[0].session_id, user)

    def open_sessions(self, user: str, study_instance_uid: str | None = None) -> Iterator[LiveSession]:
        """Yield a user's open sessions, oldest first, of one study or of all; those that are not here as copies."""
        for opening in self.journal.openings(user):
            if not opening.ended and study_instance_uid in (None, opening.data["study_instance_uid"]):
                live = self._registry.look(opening.session_id)
                if live is not None and live.session.state in ("loading", "ready"):
                    yield live

    def record(self, live: LiveSession, *entries: Entry) -> None:
        """Append entries to the session's journal, then fold them into its state and tell who listens.

        Where it is not known that they were kept, the session is given up here, and read again when somebody asks.

        Raises
        ------
        SessionOwnedElsewhere, JournalUnavailable
            If they were not, or may not have been, appended.
        """
        with live.lock:
            if live.dropped is not None:
                raise live.dropped
            try:
                self.journal.append(live.session.id, entries, epoch=live.lease.epoch)
            except (SessionOwnedElsewhere, JournalUnavailable) as error:
                self._registry.drop(live, error)
                raise
            for entry in entries:
                change = live.session.apply(entry)
                if live.listeners:
                    live.listeners.publish(*events_of(entry, change))

    def result_saved(self, result: Result) -> None:
        """Tell who listens to a result's session that the result is in another state."""
        live = self._registry.served(result.session)
        if live is not None:
            live.listeners.publish(ResultChanged(result))

    @contextmanager
    def listening(self, live: LiveSession, wake: Callable[[], None]) -> Iterator[Listener]:
        """Listen to a session for the time of the context; ``wake`` is called from any thread when something waits."""
        with live.listeners.joined(wake) as listener:
            with self._guard:
                self._listening.add(listener)
            try:
                yield listener
            finally:
                with self._guard:
                    self._listening.remove(listener)

    def _queue_moved(self) -> None:
        with self._guard:
            listening = tuple(self._listening)
        for listener in listening:
            listener.put(QueueMoved())

    def entry(self, kind: str, blob: bytes = b"", **data: Any) -> Entry:  # noqa: ANN401
        """Make an entry of now."""
        return Entry(kind, self.clock(), data, blob)

    # --- start and stop ---------------------------------------------------------------------------

    def rebuild(self, session_ids: Iterable[str]) -> None:
        """Take those sessions over that nobody serves, and go on with each; others are read when they are asked for."""
        for session_id in session_ids:
            with suppress(SessionOwnedElsewhere):
                self._registry.take(session_id)
        log.info("sessions rebuilt", extra={"known": len(self.all())})

    def purge(self, session_id: str, may: Callable[[Session], bool]) -> Session | None:
        """Forget a session for good if nobody serves it elsewhere and ``may`` agrees; return what it was."""
        return self._registry.purge(session_id, may)

    def park(self) -> None:
        """Take engine and volume from the sessions that have been idle for long; their next prompt has them again."""
        self.queue.park_idle(self.capacity.limits.idle_s)

    def rest(self, unused_s: float) -> None:
        """Give the sessions back that nobody has used for so long: memory and lease are free for others."""
        for live in self.all():
            with live.lock:
                busy = live.draining or live.jobs or live.listeners or live.engine is not None
                old = max(live.session.touched_at, live.used_at) < self.clock() - unused_s
                if old and not busy and live.session.state != "loading":
                    self._registry.drop(live, SessionOwnedElsewhere(live.session.id))

    def close(self) -> None:
        """Stop what runs and release every engine; the journal keeps the intents, so that they run after a restart."""
        self.closing.set()
        self.shelf.close()
        sessions = self.all()
        for live in sessions:
            with live.lock:
                jobs = (*live.running, *live.jobs)
                live.jobs.clear()
            for job in jobs:
                job.cancelled.set()
        self.queue.look_again()
        self.lanes.shutdown(wait=True, cancel_futures=True)
        self.loaders.shutdown(wait=True, cancel_futures=True)
        for live in sessions:
            self._excuse_interrupted(live)
            self.queue.release(live)

    def _excuse_interrupted(self, live: LiveSession) -> None:
        """Note that prompts under way were stopped in order: they do not count among those that crash the service."""
        with live.lock, suppress(DelineateError):
            for segment in list(live.session.segments.values()):
                ids = [name for name, pending in segment.pending.items() if pending.attempts > 0]
                if ids:
                    self.record(live, self.entry("interrupted", segment=segment.number, prompt_ids=ids))

    def _taken(self, live: LiveSession) -> None:
        if live.session.state in ("loading", "ready"):
            self._end_crashing_prompts(live)
            self._go_on(self, live)

    def _end_crashing_prompts(self, live: LiveSession) -> None:
        for segment in list(live.session.segments.values()):
            ids = [name for name, pending in segment.pending.items() if pending.attempts >= MAX_ATTEMPTS]
            if ids:
                error = PredictionFailed(
                    f"The service stopped {MAX_ATTEMPTS} times while it ran this prompt, which was given up. The "
                    "segment is as it was before; try another prompt, and tell the administrator."
                )
                self.record(
                    live,
                    self.entry("prompts_ended", segment=segment.number, prompt_ids=ids, problem=problem_json(error)),
                )

    # --- volume and engine ------------------------------------------------------------------------

    def ensure_volume(self, live: LiveSession) -> Volume:
        """Return the session's volume, fetched again if it was let go; SeriesChanged if it is another one by now."""
        volume = live.volume
        if volume is None:
            self.shelf.check_unchanged(live.plan)
            with self.loaded_volume(live, live.plan) as volume, live.lock:
                volume = live.volume = live.volume or volume
        return volume

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait until a further series may be read for an opening, and hold that right for the time of the context."""
        with self._reading:
            if self.closing.is_set():
                raise ArchiveUnreachable("The service is stopping; the series is read again when it is back.")
            yield

    @contextmanager
    def loaded_volume(self, live: LiveSession, plan: VolumePlan) -> Iterator[Volume]:
        """Give a volume that the session takes before the context ends, fetched when there is room for it.

        Idle sessions give theirs up where it must be.
        """
        with ExitStack() as held:
            if not self.shelf.holds(plan):
                held.enter_context(self.queue.room(live, plan, self.closing))
            yield held.enter_context(self.shelf.loaded(plan, live.progressed, when_full=self.queue.park_idle))

    def standing(self) -> dict[str, int]:
        """Return how many open sessions are loading, live (with an engine) and parked."""
        count = dict.fromkeys(("loading", "live", "parked"), 0)
        for live in self.all():
            if live.session.state == "loading":
                count["loading"] += 1
            elif live.session.state == "ready":
                count["live" if live.engine is not None else "parked"] += 1
        return count

    def ensure_engine(self, live: LiveSession) -> Engine:
        """Return the session's engine, opened if it was parked. Only for its turn with the device."""
        if live.engine is None:
            live.engine = self.segmenter.open(self.ensure_volume(live), live.session.user)
        return live.engine


def _of(user: str, live: LiveSession) -> LiveSession:
    if live.session.user != user:
        raise NotPermitted("The session belongs to another user.")
    return live


def problem_json(error: DelineateError) -> dict[str, str]:
    """Return an error as the journal keeps it."""
    return {"error": type(error).__name__, "detail": error.detail}
