"""The leases of a process that has its journal for itself."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from delineate.domain.ports import Lease


class ProcessLeases:
    """Grants every lease (ports.Leases): the embedded journal's folder is locked against other processes."""

    def __init__(self) -> None:
        self._epochs = itertools.count(1)
        self._held: dict[str, Lease] = {}
        self._guard = threading.Lock()

    def acquire(self, session_id: str) -> Lease:
        """Take a session, or return the lease that is held."""
        with self._guard:
            if session_id not in self._held:
                self._held[session_id] = Lease(session_id, next(self._epochs))
            return self._held[session_id]

    def held(self, lease: Lease) -> bool:
        """Tell whether the lease was not released."""
        return self._held.get(lease.session_id) == lease

    def release(self, lease: Lease) -> None:
        """Give a session back."""
        with self._guard:
            if self.held(lease):
                del self._held[lease.session_id]

    def on_loss(self, forget: Callable[[Lease], None]) -> None:
        """Nothing is ever lost."""
