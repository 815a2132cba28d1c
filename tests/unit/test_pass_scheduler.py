"""The device thread takes users in turn, one pass at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from delineate.adapters.nninteractive.pass_scheduler import PassScheduler
from delineate.domain.errors import PredictionFailed

PATIENCE_S = 10.0


class Crowd:
    """Threads that wait for the device while it is held busy."""

    def __init__(self, scheduler: PassScheduler) -> None:
        self.scheduler = scheduler
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []
        self.go = threading.Event()

    def hold(self) -> None:
        """Keep the device busy until `release`."""
        busy = threading.Event()

        def work() -> None:
            busy.set()
            assert self.go.wait(PATIENCE_S)

        self._start(lambda: self.scheduler.run("holder", work))
        assert busy.wait(PATIENCE_S)

    def queue(self, user: str, name: str) -> None:
        """Hand in a pass, and return when it waits."""
        before = self.scheduler.waiting
        self._start(lambda: self.scheduler.run(user, lambda: self.order.append(name)))
        deadline = time.monotonic() + PATIENCE_S
        while self.scheduler.waiting == before:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def release(self) -> list[str]:
        """Let everybody through, and return the order in which they were served."""
        self.go.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        return self.order

    def _start(self, target: Callable[[], object]) -> None:
        thread = threading.Thread(target=target)
        thread.start()
        self.threads.append(thread)


@pytest.fixture
def scheduler() -> Iterator[PassScheduler]:
    scheduler = PassScheduler()
    yield scheduler
    scheduler.close()


def test_users_are_taken_in_turn_whatever_the_order_of_arrival(scheduler: PassScheduler) -> None:
    crowd = Crowd(scheduler)
    crowd.hold()
    for user, name in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2")):
        crowd.queue(user, name)
    assert crowd.release() == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_click_waits_for_at_most_two_passes_of_a_long_job(scheduler: PassScheduler) -> None:
    """The long job hands in its next pass whenever one is done, as a session does."""
    order: list[str] = []
    started, finish = threading.Event(), threading.Event()

    def long_job() -> None:
        while not finish.is_set():
            scheduler.run("long", lambda: order.append("long"))
            started.set()

    thread = threading.Thread(target=long_job)
    thread.start()
    assert started.wait(PATIENCE_S)
    for _ in range(50):
        before = len(order)
        scheduler.run("click", lambda: order.append("click"))
        assert order.index("click", before) - before <= 2
    finish.set()
    thread.join(PATIENCE_S)


def test_work_runs_on_one_thread_inside_its_surroundings() -> None:
    inside: list[int] = []

    @contextmanager
    def surroundings() -> Iterator[None]:
        inside.append(threading.get_ident())
        yield
        inside.append(-1)

    scheduler = PassScheduler(surroundings)
    assert scheduler.run("a", threading.get_ident) == scheduler.run("b", threading.get_ident) == inside[0]
    assert inside[0] != threading.get_ident()
    scheduler.close()
    assert inside[1:] == [-1]


def test_an_error_goes_to_the_one_who_caused_it(scheduler: PassScheduler) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scheduler.run("a", broken)
    assert scheduler.run("a", lambda: 5) == 5


def test_closing_fails_what_waits_and_what_comes() -> None:
    scheduler = PassScheduler()
    crowd = Crowd(scheduler)
    crowd.hold()
    failures: list[Exception] = []

    def late() -> None:
        with pytest.raises(PredictionFailed) as caught:
            scheduler.run("a", lambda: None)
        failures.append(caught.value)

    waiting = threading.Thread(target=late)
    waiting.start()
    deadline = time.monotonic() + PATIENCE_S
    while not scheduler.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    waiting.join(PATIENCE_S)
    crowd.release()
    closing.join(PATIENCE_S)
    assert len(failures) == 1
    with pytest.raises(PredictionFailed):
        scheduler.run("a", lambda: None)
