"""The sessions that this process serves, each under a lease, folded from the journal after the lease was taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from delineate.domain.errors import DelineateError, SessionNotFound, SessionOwnedElsewhere
from delineate.domain.ports import Journal, Lease, Leases
from delineate.domain.session import Entry, Session
from delineate.usecases.live import LiveSession

log = logging.getLogger(__name__)

TURNS = 256
"""Locks that sessions share by the hash of their ids: more than are ever taken over at one time."""


class SessionRegistry:
    """Takes sessions over, gives them back, and knows which are here.

    Parameters
    ----------
    taken
        Called with each session that was taken over, before anybody is given it; what it raises goes to who asked.
    dropped
        Called with each session that was given back, to release what it holds.
    """

    def __init__(
        self,
        journal: Journal,
        leases: Leases,
        *,
        taken: Callable[[LiveSession], None],
        dropped: Callable[[LiveSession], None],
    ) -> None:
        self._journal = journal
        self._leases = leases
        self._taken = taken
        self._dropped = dropped
        self._sessions: dict[str, LiveSession] = {}
        self._guard = threading.Lock()
        self._turns = tuple(threading.RLock() for _ in range(TURNS))
        leases.on_loss(self._lost)

    def all(self) -> list[LiveSession]:
        """Return every session that is here."""
        with self._guard:
            return list(self._sessions.values())

    def served(self, session_id: str) -> LiveSession | None:
        """Return a session if it is here and may be served now; asks nobody."""
        live = self._sessions.get(session_id)
        return live if live is not None and live.dropped is None and self._leases.held(live.lease) else None

    def take(self, session_id: str) -> LiveSession:
        """Return a session, taken over if it is not here.

        Raises
        ------
        SessionNotFound
            If there is none of that id.
        SessionOwnedElsewhere, JournalUnavailable
            If it cannot be served here now.
        """
        live = self.served(session_id)
        if live is not None:
            return live
        with self._turn(session_id):
            lease, live = self._taken_over(session_id)
            if live is None:
                self._leases.release(lease)
                raise SessionNotFound(f"There is no session {session_id}. Open a new one on the series.")
            return live

    def begin(self, session_id: str, opened: Callable[[LiveSession], None]) -> LiveSession:
        """Return a new session, whose first entry ``opened`` records; or the one of that id, if there is one."""
        with self._turn(session_id):
            lease, live = self._taken_over(session_id)
            if live is None:
                live = LiveSession(Session(session_id), lease)
                opened(live)
                self._register(live)
            return live

    def look(self, session_id: str) -> LiveSession | None:
        """Return a session as it is now, wherever it is served: a copy to read, unless it is here. None if gone."""
        live = self.served(session_id)
        if live is not None:
            return live
        entries = self._journal.read(session_id)
        return _folded(Lease(session_id, 0), entries) if entries else None

    def drop(self, live: LiveSession, reason: DelineateError) -> None:
        """Give a session back and forget it; whatever waits for it ends with the reason, and nothing is journalled."""
        live.dropped = live.dropped or reason
        # In this order: who finds the session here, and dropped, takes it anew, under a lease after this one.
        self._leases.release(live.lease)
        with self._guard:
            if self._sessions.get(live.session.id) is live:
                del self._sessions[live.session.id]
        live.end(live.dropped)
        self._dropped(live)

    def purge(self, session_id: str, may: Callable[[Session], bool]) -> Session | None:
        """Forget a session for good if nobody serves it elsewhere and ``may`` agrees; return what it was."""
        with self._turn(session_id):
            try:
                lease, live = self._acquired(session_id)
            except SessionOwnedElsewhere:
                return None
            live = live or self._read(lease)
            if live is None or not may(live.session):
                if self._sessions.get(session_id) is None:
                    self._leases.release(lease)
                return None
            with live.lock:
                live.dropped = SessionNotFound(f"Session {session_id} was purged. Open a new one on the series.")
                self._journal.purge(session_id, epoch=lease.epoch)
            self.drop(live, live.dropped)
            return live.session

    def _taken_over(self, session_id: str) -> tuple[Lease, LiveSession | None]:
        """Take the lease, and find the session here or in the journal, ready to be served. The caller has the turn."""
        lease, live = self._acquired(session_id)
        if live is None:
            live = self._read(lease)
            if live is not None:
                self._taken(live)
                self._register(live)
        return lease, live

    def _acquired(self, session_id: str) -> tuple[Lease, LiveSession | None]:
        """Take the lease, and find the session if it is here and nobody had it meanwhile. The caller has the turn."""
        live = self._sessions.get(session_id)
        if live is not None and live.dropped is not None:
            self._leases.release(live.lease)
        try:
            lease = self._leases.acquire(session_id)
        except SessionOwnedElsewhere as error:
            if live is not None:
                self.drop(live, error)
            raise
        if live is None or (live.lease == lease and live.dropped is None):
            return lease, live
        self.drop(live, SessionOwnedElsewhere(session_id))
        return lease, None

    def _read(self, lease: Lease) -> LiveSession | None:
        try:
            entries = self._journal.read(lease.session_id)
            live = _folded(lease, entries) if entries else None
        except BaseException:
            self._leases.release(lease)
            raise
        log.info("session read", extra={"session": lease.session_id, "entries": len(entries)})
        return live

    def _register(self, live: LiveSession) -> None:
        if live.session.state != "loading":
            live.settle()
        with self._guard:
            self._sessions[live.session.id] = live

    def _lost(self, lease: Lease) -> None:
        """Forget a session that another process has taken. Called by the thread that renews leases: never waits."""
        live = self._sessions.get(lease.session_id)
        if live is not None and live.lease == lease:
            reason = live.dropped = SessionOwnedElsewhere(lease.session_id)
            threading.Thread(target=self.drop, args=(live, reason), name="session-drop", daemon=True).start()

    @contextmanager
    def _turn(self, session_id: str) -> Iterator[None]:
        with self._turns[hash(session_id) % TURNS]:
            yield


def _folded(lease: Lease, entries: list[Entry]) -> LiveSession:
    live = LiveSession(Session(lease.session_id), lease)
    for entry in entries:
        live.session.apply(entry)
    if live.session.plan is not None:
        count = len(live.session.plan.instances)
        live.progress = (count, count, 0)
    return live
