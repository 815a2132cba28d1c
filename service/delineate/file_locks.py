"""Locks on files, between threads and between processes.

The kernel lets go of a lock when its holder dies, however it dies. Every lock has an open file of its own, so that two
threads of one process exclude each other like two processes.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delineate.domain.ports import WhileWaiting

POLL_S = 0.02
"""Pause between two attempts at a lock that another holds."""


def nothing() -> None:
    """Wait on."""


class HeldLock:
    """A lock, until it is released."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._owner = os.getpid()

    def release(self) -> None:
        """Let go; once is enough."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if os.getpid() == self._owner:  # a forked child shares the lock, and must not end it for its parent
            fcntl.flock(fd, fcntl.LOCK_UN)  # closing alone would leave it to forked children
        os.close(fd)


def shared(path: Path) -> HeldLock | None:
    """Wait for a shared lock on a file; None if there is no such file."""
    return _attempt(path, fcntl.LOCK_SH)


def try_exclusive(path: Path) -> HeldLock | None:
    """Return an exclusive lock on a file, made if absent; None if another holds a lock, or if the folder has gone."""
    return _attempt(path, fcntl.LOCK_EX | fcntl.LOCK_NB, os.O_CREAT)


@contextmanager
def exclusive(path: Path, while_waiting: WhileWaiting = nothing) -> Iterator[None]:
    """Hold an exclusive lock on a file that exists only as long as somebody wants the lock.

    Parameters
    ----------
    path
        The file; its folder has to exist.
    while_waiting
        Called between two attempts, every ``POLL_S`` seconds; gives up waiting by raising.
    """
    while (held := try_exclusive(path)) is None:
        while_waiting()
        time.sleep(POLL_S)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        held.release()


def _attempt(path: Path, operation: int, flags: int = 0) -> HeldLock | None:
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        except FileNotFoundError:
            return None
        held = HeldLock(fd)
        try:
            fcntl.flock(fd, operation)
            if _is_at(fd, path):
                return held
        except BlockingIOError:
            held.release()
            return None
        except BaseException:
            held.release()
            raise
        held.release()  # removed or replaced between opening and locking: look again


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
