"""Turns at the archive: so many series at once, those that a user waits for first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

LOOK_S = 0.05
"""Pause between two looks of whoever waits at whether it should give up."""


class Urgency(Protocol):
    """Something to be fetched; a user may begin to wait for it at any time."""

    @property
    def urgent(self) -> bool:
        """Whether a user waits for it now."""


class Downloads:
    """Limits how many series are fetched at the same time.

    Series that nobody waits for leave one turn free for the next user, if there are several.

    Parameters
    ----------
    limit
        Series at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: list[Urgency] = []
        self._running: list[Urgency] = []
        self._changed = threading.Condition()

    def look_again(self) -> None:
        """Say that what waits may have become urgent."""
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def turn(self, fetch: Urgency, give_up: Callable[[], object]) -> Iterator[None]:
        """Wait for a turn and hold it for the time of the context; ``give_up`` ends the waiting by raising."""
        with self._changed:
            self._waiting.append(fetch)
            try:
                while not self._may_go(fetch):
                    give_up()
                    self._changed.wait(LOOK_S)
                self._running.append(fetch)
            finally:
                self._waiting.remove(fetch)
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(fetch)
                self._changed.notify_all()

    def _may_go(self, fetch: Urgency) -> bool:
        if len(self._running) >= self._limit:
            return False
        first = next((other for other in self._waiting if other.urgent), self._waiting[0])
        if first is not fetch:
            return False
        return fetch.urgent or len(self._running) < max(1, self._limit - 1)
