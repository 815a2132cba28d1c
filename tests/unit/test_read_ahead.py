"""An iterator run ahead by a thread, within a budget of bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from delineate.usecases.read_ahead import read_ahead

LONGEST_S = 10.0


class Source:
    """Counts what was taken from it; waits at ``gate`` before each part from number ``until`` on."""

    def __init__(self, count: int, size: int = 10, until: int | None = None) -> None:
        self._count, self._size, self._until = count, size, until
        self.gate = threading.Event()
        self.given = threading.Semaphore(0)
        self.ended = threading.Event()
        self.threads: set[int] = set()

    def parts(self) -> Iterator[bytes]:
        try:
            for n in range(self._count):
                self.threads.add(threading.get_ident())
                if self._until is not None and n >= self._until:
                    assert self.gate.wait(LONGEST_S)
                self.given.release()
                yield bytes([n]) * self._size
        finally:
            self.ended.set()


def test_parts_come_whole_and_in_order_from_another_thread() -> None:
    source = Source(50)
    assert [part[0] for part in read_ahead(source.parts(), budget_bytes=35)] == list(range(50))
    assert source.ended.wait(LONGEST_S)
    assert threading.get_ident() not in source.threads
    assert len(source.threads) == 1


def test_it_runs_ahead_as_far_as_the_budget_and_no_further() -> None:
    source = Source(10)
    parts = read_ahead(source.parts(), budget_bytes=30)
    assert next(parts)[0] == 0
    for _ in range(5):  # the one taken, three that wait, and one on its way
        assert source.given.acquire(timeout=LONGEST_S)
    assert not source.given.acquire(timeout=0.05)
    assert [part[0] for part in parts] == list(range(1, 10))


def test_a_part_larger_than_the_budget_is_held_alone() -> None:
    assert len(list(read_ahead(Source(3, size=100).parts(), budget_bytes=30))) == 3


def test_what_the_source_raises_comes_after_its_parts() -> None:
    def failing() -> Iterator[bytes]:
        yield b"one"
        raise ConnectionError("broke off")

    parts = read_ahead(failing())
    assert next(parts) == b"one"
    with pytest.raises(ConnectionError, match="broke off"):
        next(parts)


def test_whoever_reads_can_give_up_while_nothing_comes() -> None:
    source = Source(3, until=1)
    given_up = threading.Event()

    def check() -> None:
        if given_up.is_set():
            raise InterruptedError

    parts = read_ahead(source.parts(), check)
    assert next(parts)[0] == 0
    given_up.set()
    with pytest.raises(InterruptedError):
        next(parts)
    source.gate.set()
    assert source.ended.wait(LONGEST_S), "the thread ends, and closes its source"
