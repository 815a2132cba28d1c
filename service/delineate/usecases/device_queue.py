"""Who shares the device now, and how much is ahead of whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from delineate.usecases.live import LiveSession


class DeviceQueue:
    """The sessions that have a model run under way, in the order in which their runs began.

    They take turns with the device, pass by pass; what began earlier counts as ahead.

    Parameters
    ----------
    moved
        Called after a run began or ended.
    """

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        self._runs: dict[str, None] = {}
        self._guard = threading.Lock()

    @contextmanager
    def run(self, live: LiveSession) -> Iterator[None]:
        """Count the session's run for the time of the context."""
        with self._guard:
            self._runs[live.session.id] = None
        self._moved()
        try:
            yield
        finally:
            with self._guard:
                del self._runs[live.session.id]
            self._moved()

    def position(self, live: LiveSession, number: int) -> tuple[str, int] | None:
        """Return a segment's first unfinished prompt, and how many model runs of other work are ahead of it.

        A prompt in its run has the other sessions' runs ahead that began before its own; one that waits has all of
        them, and what its own session does for other segments first. None if no prompt of the segment waits or runs.
        The caller holds the session's lock.
        """
        with self._guard:
            runs = list(self._runs)
        mine = live.session.id
        if live.running and live.running[0].segment == number:
            return live.running[0].prompt_id, runs.index(mine) if mine in runs else len(runs)
        ahead = len(runs) - (mine in runs) + bool(live.running)
        for job in live.jobs:
            if job.segment == number:
                return job.prompt_id, ahead
            ahead += 1
        return None
