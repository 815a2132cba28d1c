"""One thread for the device, shared fairly: forward passes, round robin over users."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from delineate.domain.errors import PredictionFailed

Result = TypeVar("Result")


@dataclass(slots=True)
class _Turn:
    """One piece of work that waits for the device."""

    work: Callable[[], Any]
    outcome: Future[Any] = field(default_factory=Future)

    def take(self) -> None:
        """Do the work; its outcome, good or bad, wakes the thread that waits for it."""
        try:
            result = self.work()
        except BaseException as error:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(result)


class PassScheduler:
    """Runs short pieces of work one at a time on one thread, taking users in turn.

    A user with a long job hands in one pass after the other, so that another user waits for one pass, not for the job.
    Passes of one user are taken in the order in which they came.

    Parameters
    ----------
    surroundings
        Makes the context that the device thread lives in (torch's inference mode belongs to a thread).
    """

    def __init__(self, surroundings: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self._surroundings = surroundings
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, deque[_Turn]] = OrderedDict()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    def run(self, user: str, work: Callable[[], Result]) -> Result:
        """Do ``work`` on the device thread when it is the user's turn, and return what it returns.

        Raises
        ------
        PredictionFailed
            If the scheduler was closed; else whatever ``work`` raises.
        """
        turn = _Turn(work)
        with self._changed:
            if self._closed:
                raise PredictionFailed("The model was unloaded. Restart the service, then send the prompt again.")
            self._waiting.setdefault(user, deque()).append(turn)
            self._changed.notify()
        result: Result = turn.outcome.result()
        return result

    @property
    def waiting(self) -> int:
        """How many passes wait for the device."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def close(self) -> None:
        """End the thread after the pass that runs now; whatever waits fails."""
        with self._changed:
            self._closed = True
            left = [turn for turns in self._waiting.values() for turn in turns]
            self._waiting.clear()
            self._changed.notify()
        for turn in left:
            turn.outcome.set_exception(PredictionFailed("The model was unloaded while the prompt waited for it."))
        self._thread.join()

    def _serve(self) -> None:
        with self._surroundings():
            while (turn := self._next()) is not None:
                turn.take()
                del turn  # the next wait must not keep a result alive

    def _next(self) -> _Turn | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._waiting))
            if self._closed:
                return None
            user, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[user] = turns
            return turn
