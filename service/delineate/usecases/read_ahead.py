"""An iterator that is run ahead by a thread of its own, as far as a budget of bytes allows."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

AHEAD_BYTES = 32 * 1024**2
"""Of instances that have come and are not decoded yet; one larger than that is held alone."""
CHECK_S = 0.05
"""Pause between two checks while nothing comes."""


class _Queue:
    """Parts on their way from one thread to another."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._done = self._abandoned = False
        self._fault: BaseException | None = None
        self._changed = threading.Condition()

    def fill(self, source: Iterable[bytes]) -> None:
        """Take parts from the source until it ends, fails, or nobody wants them any more."""
        fault: BaseException | None = None
        try:
            for part in source:
                if not self._put(part):
                    break
        except BaseException as error:  # whoever reads gets it
            fault = error
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
        with self._changed:
            self._done, self._fault = True, fault
            self._changed.notify_all()

    def _put(self, part: bytes) -> bool:
        with self._changed:
            while self._parts and self._size + len(part) > self._budget and not self._abandoned:
                self._changed.wait()
            self._parts.append(part)
            self._size += len(part)
            self._changed.notify_all()
            return not self._abandoned

    def drain(self, check: Callable[[], object]) -> Iterator[bytes]:
        """Yield the parts in order; raise what the source raised, or ``check``."""
        while True:
            check()
            with self._changed:
                while not (self._parts or self._done):
                    check()
                    self._changed.wait(CHECK_S)
                if not self._parts:
                    break
                part = self._parts.popleft()
                self._size -= len(part)
                self._changed.notify_all()
            yield part
        if self._fault is not None:
            raise self._fault

    def abandon(self) -> None:
        """Have the filling thread end at its next part."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()


def read_ahead(
    source: Iterable[bytes], check: Callable[[], object] = lambda: None, budget_bytes: int = AHEAD_BYTES
) -> Iterator[bytes]:
    """Yield what ``source`` yields, which goes on in a thread meanwhile: so a download overlaps with its decoding.

    Parameters
    ----------
    source
        Used by that thread alone, and closed there, in its own time if nobody wants more.
    check
        Called for each part, and again and again while none comes; gives up by raising.
    budget_bytes
        Most bytes that wait to be taken; one part may be larger.
    """
    queue = _Queue(budget_bytes)
    threading.Thread(target=queue.fill, args=(source,), name="read-ahead", daemon=True).start()
    try:
        yield from queue.drain(check)
    finally:
        queue.abandon()
