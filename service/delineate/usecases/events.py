"""What the windows on a session are told while they listen.

Events say what changed, and are worded when they are sent: one that waits is replaced by a later equal one, so that a
slow listener is told the newest state once. Only patches and results pile up; a listener that lets too many wait is
dropped, connects again and reads the session anew. Nobody who works ever waits for somebody who listens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from delineate.domain.result import Result
from delineate.domain.session import Change, Entry

MAX_WAITING = 256
"""Events that wait for one listener before it is dropped: more than anybody causes while a sound connection is busy."""


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The session's state changed."""


@dataclass(frozen=True, slots=True)
class ProgressMade:
    """More of the volume is there."""


@dataclass(frozen=True, slots=True)
class QueueMoved:
    """Model runs began or ended, so that queue positions may have changed."""


@dataclass(frozen=True, slots=True)
class SegmentChanged:
    """A segment was added, or its description, prompts or steps changed."""

    number: int


@dataclass(frozen=True, slots=True)
class SegmentDeleted:
    """A segment was deleted."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class PatchMade:
    """A segment's labelmap has a new revision."""

    change: Change


@dataclass(frozen=True, slots=True)
class ResultChanged:
    """A result of the session is in another state."""

    result: Result


Event = SessionChanged | ProgressMade | QueueMoved | SegmentChanged | SegmentDeleted | PatchMade | ResultChanged


def events_of(entry: Entry, change: Change | None) -> tuple[Event, ...]:
    """Return what a journal entry is to a listener; ``change`` is what it did to a labelmap, if anything."""
    number = entry.data.get("segment")
    if entry.kind == "segment_deleted":
        return SegmentDeleted(entry.data["segment"]), QueueMoved()
    if number is not None:
        patch = () if change is None else (PatchMade(change),)
        return *patch, SegmentChanged(number), QueueMoved()
    return () if entry.kind in ("opened", "accepted") else (SessionChanged(),)


class Listener:
    """One window's connection.

    Parameters
    ----------
    wake
        Called from any thread when something waits; returns at once.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: dict[Event, None] = {}
        self._lock = threading.Lock()
        self._dropped = False

    @property
    def dropped(self) -> bool:
        """Whether it is told nothing more: it was too slow, or the session is not served here any more."""
        return self._dropped

    def drop(self) -> None:
        """Tell it nothing more."""
        with self._lock:
            self._dropped = True
            self._waiting.clear()
        self._wake()

    def put(self, event: Event) -> None:
        """Let an event wait, at the end; an equal one that waits already gives way."""
        with self._lock:
            if self._dropped:
                return
            self._waiting.pop(event, None)
            self._waiting[event] = None
            if len(self._waiting) > MAX_WAITING:
                self._dropped = True
                self._waiting.clear()
        self._wake()

    def take(self) -> list[Event]:
        """Return what waits, in order, and forget it."""
        with self._lock:
            taken, self._waiting = list(self._waiting), {}
        return taken


class Listeners:
    """All that listen to one session."""

    def __init__(self) -> None:
        self._all: tuple[Listener, ...] = ()
        self._ended = False
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._all)

    def publish(self, *events: Event) -> None:
        """Tell everybody who listens; costs nothing if nobody does."""
        for listener in self._all:
            for event in events:
                listener.put(event)

    def end(self) -> None:
        """Tell nobody anything more, also not those who come later."""
        with self._lock:
            self._ended = True
            everybody = self._all
        for listener in everybody:
            listener.drop()

    @contextmanager
    def joined(self, wake: Callable[[], None]) -> Iterator[Listener]:
        """Listen for the time of the context."""
        listener = Listener(wake)
        with self._lock:
            self._all = (*self._all, listener)
            ended = self._ended
        if ended:
            listener.drop()
        try:
            yield listener
        finally:
            with self._lock:
                self._all = tuple(other for other in self._all if other is not listener)
