"""Who advances a result: one at a time, whichever thread of whichever process is woken."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from delineate.domain.errors import JournalUnavailable, SessionOwnedElsewhere
from delineate.domain.ports import Leases, Outbox, ResultStore
from delineate.domain.result import Result

log = logging.getLogger(__name__)

EARLY_S = 0.5
"""A waiting result that is woken earlier than this before its time was woken by somebody who did not know."""


class ResultTurns:
    """Lets each result be advanced by one at a time; who comes meanwhile, or too early, goes away again.

    Nothing is lost by that: whoever leaves a result unfinished has it scheduled, and ``rescan`` finds those whose
    process died.

    Parameters
    ----------
    step
        Takes a result as far as it goes now (store_result.py).
    clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        step: Callable[[str], Result],
        results: ResultStore,
        outbox: Outbox,
        leases: Leases,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._step = step
        self._results = results
        self._outbox = outbox
        self._leases = leases
        self._clock = clock
        self._busy: set[str] = set()
        self._guard = threading.Lock()

    def rescan(self) -> None:
        """Wake whoever advances the results that are due; those under way are not disturbed by that."""
        for result in self._results.unfinished():
            if not self._is_early(result):
                self._outbox.schedule(result.id)

    def advance(self, result_id: str) -> None:
        """Take a result as far as it goes now, unless somebody does, or it waits for a later time."""
        with self._guard:
            if result_id in self._busy:
                return
            self._busy.add(result_id)
        try:
            lease = self._leases.acquire(f"result:{result_id}")
            try:
                if not self._is_early(self._results.load(result_id)):
                    self._step(result_id)
            finally:
                self._leases.release(lease)
        except SessionOwnedElsewhere:
            log.info("result advanced elsewhere", extra={"result": result_id})
        except JournalUnavailable as error:
            log.warning("result not advanced", extra={"result": result_id, "reason": error.detail})
        finally:
            with self._guard:
                self._busy.discard(result_id)

    def _is_early(self, result: Result) -> bool:
        return result.state == "waiting" and (result.next_try_at or 0.0) > self._clock() + EARLY_S
