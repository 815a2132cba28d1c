"""What comes round: sessions that nobody uses, results and exports that nobody works on, what is past retention."""

from __future__ import annotations

import contextlib
import logging
import random
import threading

from delineate.domain.errors import DelineateError, ResultNotFound
from delineate.domain.ports import ResultStore
from delineate.domain.session import Session
from delineate.usecases.export_rounds import ExportRounds
from delineate.usecases.host import SessionHost
from delineate.usecases.result_turns import ResultTurns

log = logging.getLogger(__name__)

ROUND_S = 20.0
"""Between two rounds: how long a result whose worker died waits at most, beside its lease."""
ROUNDS_PER_PURGE = 90
REST_S = 3600.0
"""A session that nobody used for so long is given back; the next request reads it again."""


class Caretaker:
    """Goes round in a thread of its own, until it is closed.

    Parameters
    ----------
    retention_s
        How long after its last change a session is kept, with its results.
    exports
        Which it goes round for as well.
    round_s
        Between two rounds; varied by a quarter, so that several processes do not go round together.
    """

    def __init__(
        self,
        host: SessionHost,
        results: ResultStore,
        turns: ResultTurns,
        *,
        retention_s: float,
        exports: ExportRounds | None = None,
        round_s: float = ROUND_S,
    ) -> None:
        self._host = host
        self._results = results
        self._turns = turns
        self._retention_s = retention_s
        self._exports = exports
        self._round_s = round_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin to go round."""
        self._thread.start()

    def close(self) -> None:
        """End the round under way."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def purge_expired(self) -> int:
        """Forget the sessions past retention, with their results; return how many."""
        before = self._host.clock() - self._retention_s
        purged = 0
        for session_id in self._host.journal.untouched_since(before):
            if self._closing.is_set():
                break
            gone = self._host.purge(session_id, lambda session: session.touched_at < before and self._is_done(session))
            if gone is not None:
                purged += 1
                for result_id in gone.results:
                    self._results.purge_result(result_id)
        if purged:
            log.info("sessions purged", extra={"count": purged})
        return purged

    def _is_done(self, session: Session) -> bool:
        """Tell whether none of the session's results is still on its way."""
        for result_id in session.results:
            with contextlib.suppress(ResultNotFound):
                if self._results.load(result_id).state not in ("stored", "failed"):
                    return False
        return True

    def _loop(self) -> None:
        rounds = 0
        while not self._closing.wait(self._round_s * random.uniform(0.75, 1.25)):  # noqa: S311
            rounds += 1
            try:
                self._host.park()
                self._host.rest(REST_S)
                self._turns.rescan()
                if self._exports is not None:
                    self._exports.rescan()
                if rounds % ROUNDS_PER_PURGE == 0:
                    self.purge_expired()
                    if self._exports is not None:
                        self._exports.purge_expired()
            except DelineateError as error:
                log.warning("round broken off", extra={"reason": error.detail})
            except Exception:
                log.exception("round failed")
