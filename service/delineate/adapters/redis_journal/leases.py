"""Leases in Redis: a key that expires says who serves a session, a fence beside it which epoch may write."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from delineate.adapters.redis_journal.connection import Connection, key
from delineate.adapters.redis_journal.scripts import ACQUIRE, RELEASE, RENEW
from delineate.domain.errors import JournalUnavailable, SessionOwnedElsewhere
from delineate.domain.ports import Lease

log = logging.getLogger(__name__)

LEASE_S = 10.0
"""How long a session stays with a process that has died."""
RENEWALS_PER_LEASE = 4
"""Tries before a lease lapses."""
EPOCHS = key("epochs")
"""Counts the epochs of all sessions, so that none is granted twice, even to a session that was purged between."""
BATCH = 200
"""Leases renewed or given back by one script."""


@dataclass(slots=True)
class _Held:
    lease: Lease
    until: float
    """Of the monotonic clock: never later than the key's end in Redis, as it counts from before the request."""


class RedisLeases:
    """The leases of one process (ports.Leases), renewed by a thread.

    Parameters
    ----------
    lease_s
        How long a session stays with this process after its last sign of life, in seconds.
    """

    def __init__(self, connection: Connection, *, lease_s: float = LEASE_S) -> None:
        self._connection = connection
        self._lease_s = lease_s
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(8)}"
        self._held: dict[str, _Held] = {}
        self._guard = threading.Lock()
        self._acquiring = threading.Lock()
        self._forget: Callable[[Lease], None] | None = None
        self._closing = threading.Event()
        self._acquire = connection.client.register_script(ACQUIRE)
        self._renew = connection.client.register_script(RENEW)
        self._release = connection.client.register_script(RELEASE)
        self._thread = threading.Thread(target=self._renew_loop, name="lease-renewal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the renewals and give every session back, as far as Redis can be reached."""
        self._closing.set()
        self._thread.join()
        with self._guard:
            leases = [held.lease for held in self._held.values()]
            self._held.clear()
        for some in _batches(leases):
            self._give_back(some)

    def acquire(self, session_id: str) -> Lease:
        """Take a session, or return the lease that is held."""
        with self._acquiring:
            known = self._held.get(session_id)
            if known is not None and self.held(known.lease):
                return known.lease
            asked = time.monotonic()
            keys = [*_keys(session_id), EPOCHS]
            arguments: list[str | int] = [self._owner, self._milliseconds, known.lease.epoch if known else 0]
            epoch = self._connection.run(lambda _: self._acquire(keys, arguments), patience_s=self._lease_s)
            if epoch == 0:
                raise SessionOwnedElsewhere(session_id)
            lease = Lease(session_id, epoch)
            with self._guard:
                self._held[session_id] = _Held(lease, asked + self._lease_s)
        if known is not None and known.lease != lease:
            self._tell(known.lease)
        return lease

    def held(self, lease: Lease) -> bool:
        """Tell whether the session may be served under this lease now; asks nobody."""
        known = self._held.get(lease.session_id)
        return known is not None and known.lease == lease and time.monotonic() < known.until

    def release(self, lease: Lease) -> None:
        """Give a session back, so that another process can take it at once; without Redis it waits for the lapse."""
        with self._guard:
            known = self._held.get(lease.session_id)
            if known is None or known.lease != lease:
                return
            del self._held[lease.session_id]
        self._give_back([lease])

    def on_loss(self, forget: Callable[[Lease], None]) -> None:
        """Have ``forget`` called, from another thread, with each lease that is lost for good."""
        self._forget = forget

    @property
    def _milliseconds(self) -> int:
        return int(self._lease_s * 1000)

    def _renew_loop(self) -> None:
        while not self._closing.wait(self._lease_s / RENEWALS_PER_LEASE):
            with self._guard:
                leases = [held.lease for held in self._held.values()]
            for some in _batches(leases):
                try:
                    self._renew_some(some)
                except JournalUnavailable as error:
                    log.warning("leases not renewed", extra={"count": len(leases), "reason": error.detail})
                    break

    def _give_back(self, leases: list[Lease]) -> None:
        keys = [name for lease in leases for name in _keys(lease.session_id)]
        epochs = [lease.epoch for lease in leases]
        try:
            self._connection.run(lambda _: self._release(keys, epochs), patience_s=0.0)
        except JournalUnavailable as error:
            log.warning("leases not released", extra={"count": len(leases), "reason": error.detail})

    def _renew_some(self, leases: list[Lease]) -> None:
        asked = time.monotonic()
        keys = [name for lease in leases for name in _keys(lease.session_id)]
        arguments: list[str | int] = [self._owner, self._milliseconds, *(lease.epoch for lease in leases)]
        answers = self._connection.run(lambda _: self._renew(keys, arguments), patience_s=0.0)
        lost = []
        with self._guard:
            for lease, renewed in zip(leases, answers, strict=True):
                known = self._held.get(lease.session_id)
                if known is None or known.lease != lease:
                    continue
                if renewed:
                    known.until = max(known.until, asked + self._lease_s)
                else:
                    del self._held[lease.session_id]
                    lost.append(lease)
        for lease in lost:
            self._tell(lease)

    def _tell(self, lease: Lease) -> None:
        log.warning("lease lost", extra={"session": lease.session_id, "epoch": lease.epoch})
        try:
            if self._forget is not None:
                self._forget(lease)
        except Exception:  # the other sessions' leases must be renewed all the same
            log.exception("lost session not forgotten", extra={"session": lease.session_id})


def _batches(leases: list[Lease]) -> list[list[Lease]]:
    return [leases[first : first + BATCH] for first in range(0, len(leases), BATCH)]


def _keys(session_id: str) -> list[str]:
    return [key("lease", session_id), key("fence", session_id)]
