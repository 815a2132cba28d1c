"""All sessions of this process: rebuilt from the journal at start, changed through the journal only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from delineate.domain.errors import (
    DelineateError,
    IdempotencyConflict,
    NotPermitted,
    PredictionFailed,
    SeriesChanged,
    SessionNotFound,
)
from delineate.domain.ports import Engine, Journal, Segmenter
from delineate.domain.result import Result
from delineate.domain.session import MAX_ATTEMPTS, Entry, Session
from delineate.domain.volume import Volume
from delineate.usecases.device_queue import DeviceQueue
from delineate.usecases.events import Listener, QueueMoved, ResultChanged, events_of
from delineate.usecases.live import LiveSession
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.volumes import VolumeShelf

log = logging.getLogger(__name__)

LANES = 64
"""Threads that run prompts: more than sessions are ever busy at once, as the device is shared by forward pass."""
LOADERS = 2
"""Series that are fetched at the same time."""


class SessionHost:
    """Holds every session; the only one that writes their journal.

    Parameters
    ----------
    engine_limit
        How many engines are held at once where it can be helped: an idle one is parked before another is opened.
    clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        journal: Journal,
        shelf: VolumeShelf,
        segmenter: Segmenter,
        segmentations: StoredSegmentations,
        *,
        engine_limit: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.journal = journal
        self.shelf = shelf
        self.segmenter = segmenter
        self.segmentations = segmentations
        self.clock = clock
        self.lanes = ThreadPoolExecutor(LANES, thread_name_prefix="lane")
        self.loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="loader")
        self.queue = DeviceQueue(self._queue_moved)
        self._engine_limit = engine_limit
        self._sessions: dict[str, LiveSession] = {}
        self._opened: dict[tuple[str, str], tuple[str, str]] = {}
        self._listening: set[Listener] = set()
        self._guard = threading.Lock()
        self.closing = threading.Event()
        """Set when the process ends: prompts that are stopped by that stay pending in the journal."""

    # --- the registry -----------------------------------------------------------------------------

    def get(self, session_id: str, user: str) -> LiveSession:
        """Return a session of that user; SessionNotFound or NotPermitted if not."""
        live = self._sessions.get(session_id)
        if live is None:
            raise SessionNotFound(f"There is no session {session_id}. Open a new one on the series.")
        if live.session.user != user:
            raise NotPermitted("The session belongs to another user.")
        return live

    def all(self) -> list[LiveSession]:
        """Return every session, oldest first."""
        return list(self._sessions.values())

    def add(self, session_id: str, opened: Entry) -> LiveSession:
        """Begin a session with its first entry."""
        live = LiveSession(Session(session_id))
        self.record(live, opened)
        self._register(live, opened)
        return live

    def opened_by(self, user: str, key: str | None, digest: str) -> LiveSession | None:
        """Return the session that a request of that key opened before; IdempotencyConflict if it was another one."""
        known = self._opened.get((user, key or ""))
        if known is None:
            return None
        if known[0] != digest:
            raise IdempotencyConflict(f"Idempotency-Key {key} was used before for another request. Use a new one.")
        return self._sessions[known[1]]

    def record(self, live: LiveSession, *entries: Entry) -> None:
        """Append entries to the session's journal, then fold them into its state and tell who listens."""
        with live.lock:
            self.journal.append(live.session.id, entries)
            for entry in entries:
                change = live.session.apply(entry)
                if live.listeners:
                    live.listeners.publish(*events_of(entry, change))

    def result_saved(self, result: Result) -> None:
        """Tell who listens to a result's session that the result is in another state."""
        live = self._sessions.get(result.session)
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

    def rebuild(self, retention_s: float) -> list[LiveSession]:
        """Read every session back from the journal and return those that are open; purge what is past retention."""
        open_sessions = []
        for session_id in self.journal.sessions():
            entries = self.journal.read(session_id)
            live = LiveSession(Session(session_id))
            for entry in entries:
                live.session.apply(entry)
            if live.session.touched_at < self.clock() - retention_s:
                self.journal.purge(session_id)
                continue
            self._register(live, entries[0])
            if live.session.state in ("loading", "ready"):
                self._end_crashing_prompts(live)
                open_sessions.append(live)
        log.info("sessions rebuilt", extra={"open": len(open_sessions), "known": len(self._sessions)})
        return open_sessions

    def close(self) -> None:
        """Stop what runs and release every engine; the journal keeps the intents, so that they run after a restart."""
        self.closing.set()
        self.shelf.close()
        for live in self.all():
            with live.lock:
                jobs = (*live.running, *live.jobs)
                live.jobs.clear()
            for job in jobs:
                job.cancelled.set()
        self.lanes.shutdown(wait=True, cancel_futures=True)
        self.loaders.shutdown(wait=True, cancel_futures=True)
        for live in self.all():
            if live.engine is not None:
                live.engine.close()
                live.engine = None

    def _register(self, live: LiveSession, opened: Entry) -> None:
        with self._guard:
            self._sessions[live.session.id] = live
            if key := opened.data.get("key"):
                self._opened[(live.session.user, key)] = (opened.data["digest"], live.session.id)
        if live.session.plan is not None:
            count = len(live.session.plan.instances)
            live.progress = (count, count, 0)
        if live.session.state != "loading":
            self.settle(live)

    @staticmethod
    def settle(live: LiveSession) -> None:
        """Tell those who wait for the volume how loading ended."""
        try:
            live.loading.set_result(live.plan)
        except DelineateError as error:
            live.loading.set_exception(error)

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
        """Return the session's volume, fetched again after a restart; SeriesChanged if it is another one by now."""
        plan = live.plan
        if live.volume is None:
            now = self.shelf.plan(plan.study_instance_uid, plan.series_instance_uid, plan.volume)
            if now.fingerprint != plan.fingerprint:
                raise SeriesChanged(plan.series_instance_uid)
            volume = self.shelf.load(plan, live.progressed)
            with live.lock:
                live.volume = live.volume or volume
        return live.volume

    def ensure_engine(self, live: LiveSession) -> Engine:
        """Return the session's engine, opened if it was parked. Only for the thread that drains the session."""
        if live.engine is None:
            volume = self.ensure_volume(live)
            self._park_idle(live)
            live.engine = self.segmenter.open(volume, live.session.user)
        return live.engine

    def _park_idle(self, newcomer: LiveSession) -> None:
        holders = [s for s in self.all() if s.engine is not None and s is not newcomer]
        holders.sort(key=lambda s: s.session.touched_at)
        for live in holders[: max(0, len(holders) + 1 - self._engine_limit)]:
            if live.lock.acquire(blocking=False):
                try:
                    if not live.draining and live.engine is not None:
                        live.engine.close()
                        live.engine = None
                finally:
                    live.lock.release()


def problem_json(error: DelineateError) -> dict[str, str]:
    """Return an error as the journal keeps it."""
    return {"error": type(error).__name__, "detail": error.detail}
