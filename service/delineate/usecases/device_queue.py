"""Whose turn it is: the sessions that have a model run under way, and those that wait for one, fairly."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from delineate.domain.ports import Engine
from delineate.domain.volume import VolumePlan
from delineate.usecases.live import LiveSession

LOOK_AGAIN_S = 0.2
"""How often a volume that finds no room looks again."""


class Room(Protocol):
    """Says who may hold an engine or a volume beside those whose runs are under way (``running``, session ids)."""

    def for_run(self, live: LiveSession, running: Set[str]) -> list[Engine] | None:
        """Return the engines to close so that the session can run; None if what runs leaves no room for it."""

    def for_volume(self, plan: VolumePlan, running: Set[str], arriving: Sequence[VolumePlan]) -> list[Engine] | None:
        """Return the engines to close so that a volume can be loaded beside those that are being loaded (``arriving``).

        None if what runs, or arrives, leaves no room for it.
        """

    def park_idle(self, running: Set[str], idle_s: float) -> None:
        """Take engine and volume from every session that has had nothing to do for so long."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """A session that waits for its turn."""

    live: LiveSession
    wanted: Callable[[], bool]
    done: threading.Event = field(default_factory=threading.Event)
    admitted: bool = False
    parked: list[Engine] = field(default_factory=list)
    """Engines to be closed before its own is opened."""


class DeviceQueue:
    """Admits sessions to the device, one turn for one model run, as long as there is room for their engines.

    Those admitted share the device pass by pass. The others wait, and the next turn is that of the user who has the
    fewest runs under way; among equals, users take turns. Nobody who runs is ever interrupted; engines of sessions that
    have no run under way are closed to make room.

    Parameters
    ----------
    moved
        Called after a run began or ended, or somebody began or ceased to wait.
    room
        Called with the queue's guard held.
    """

    def __init__(self, moved: Callable[[], None], room: Room) -> None:
        self._moved = moved
        self._room = room
        self._runs: dict[str, str] = {}
        """Session to user, in the order in which the runs began."""
        self._waiting: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        """Of each user; the user who had a turn, or came, last is the last."""
        self._arriving: list[VolumePlan] = []
        """Plans of the volumes that have been given room, and that no session holds yet."""
        self._guard = threading.RLock()

    @contextmanager
    def turn(self, live: LiveSession, wanted: Callable[[], bool]) -> Iterator[bool]:
        """Wait until the session may run its model, and hold that right for the time of the context.

        Yields False, and holds nothing, when ``wanted`` says (asked without any lock) that there is nothing to run, at
        once or later. The session's engine may have been closed meanwhile. Only for the thread that drains the session.
        """
        admitted = wanted() and self._wait(_Waiter(live, wanted))
        try:
            yield admitted
        finally:
            if admitted:
                with self._guard:
                    del self._runs[live.session.id]
                    self._admit()
                self._moved()

    def look_again(self) -> None:
        """Admit whom there is room for, and let those go who have nothing to run any more."""
        with self._guard:
            if not self._waiting:
                return
            self._admit()
        self._moved()

    def release(self, live: LiveSession) -> None:
        """Close the session's engine and let its volume go, unless its model runs."""
        with self._guard:
            engine = None if live.session.id in self._runs else live.engine
            if engine is not None:
                live.engine = None
            if live.session.id not in self._runs:
                live.volume = None
        if engine is not None:
            engine.close()
        self.look_again()

    @contextmanager
    def room(self, live: LiveSession, plan: VolumePlan, stopping: threading.Event) -> Iterator[None]:
        """Wait until there is room for a volume, and keep it free for the time of the context.

        A session that was admitted has room already.
        """
        kept = self._wait_for_room(live, plan, stopping)
        try:
            yield
        finally:
            if kept:
                with self._guard:
                    self._arriving.remove(plan)

    def park_idle(self, idle_s: float = 0.0) -> None:
        """Take engine and volume from every session that has had nothing to do for so long."""
        with self._guard:
            self._room.park_idle(self._runs.keys(), idle_s)

    @property
    def lengths(self) -> tuple[int, int]:
        """How many sessions have a run under way, and how many wait for theirs."""
        with self._guard:
            return len(self._runs), sum(map(len, self._waiting.values()))

    def position(self, live: LiveSession, number: int) -> tuple[str, int] | None:
        """Return a segment's first unfinished prompt, and how many model runs of other work are ahead of it.

        A prompt in its run has the other sessions' runs ahead that began before its own; one that waits has all of
        them, those that will be admitted before it, and what its own session does for other segments first. None if no
        prompt of the segment waits or runs. The caller holds the session's lock.
        """
        with self._guard:
            runs = list(self._runs)
            order = [waiter.live.session.id for waiter in self._order()]
        mine = live.session.id
        if live.running and live.running[0].segment == number:
            return live.running[0].prompt_id, runs.index(mine) if mine in runs else len(runs)
        before = order.index(mine) if mine in order else len(order)
        ahead = len(runs) - (mine in runs) + before + bool(live.running)
        for job in live.jobs:
            if job.segment == number:
                return job.prompt_id, ahead
            ahead += 1
        return None

    def _wait_for_room(self, live: LiveSession, plan: VolumePlan, stopping: threading.Event) -> bool:
        """Return whether room is kept for the volume."""
        while not stopping.is_set():
            with self._guard:
                if live.session.id in self._runs:
                    return False
                engines = self._room.for_volume(plan, self._runs.keys(), self._arriving)
                if engines is not None:
                    self._arriving.append(plan)
            if engines is not None:
                for engine in engines:
                    engine.close()
                return True
            stopping.wait(LOOK_AGAIN_S)
        return False

    def _wait(self, waiter: _Waiter) -> bool:
        with self._guard:
            self._waiting.setdefault(waiter.live.session.user, deque()).append(waiter)
            self._admit()
        self._moved()
        waiter.done.wait()
        for engine in waiter.parked:
            engine.close()
        return waiter.admitted

    def _admit(self) -> None:
        """Let go who has nothing to run any more, then admit the first as long as there is room."""
        for waiter in self._order():
            if not waiter.wanted():
                self._leave(waiter)
        for waiter in self._order():
            if waiter.live.session.id in self._runs:  # its last turn is just ending
                continue
            parked = self._room.for_run(waiter.live, self._runs.keys())
            if parked is None:
                return
            waiter.admitted, waiter.parked = True, parked
            self._runs[waiter.live.session.id] = waiter.live.session.user
            self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        user = waiter.live.session.user
        line = self._waiting.pop(user)
        line.remove(waiter)
        if line:
            self._waiting[user] = line
        waiter.done.set()

    def _order(self) -> list[_Waiter]:
        """Return those who wait in the order of their turns, if nobody came and nothing ended before."""
        lines = OrderedDict((user, deque(line)) for user, line in self._waiting.items())
        running = Counter(self._runs.values())
        order = []
        while lines:
            user = min(lines, key=lambda name: running[name])  # the first of equals
            line = lines.pop(user)
            order.append(line.popleft())
            running[user] += 1
            if line:
                lines[user] = line
        return order
