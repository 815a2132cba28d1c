"""Who serves a session: the leases of one process, and those in a real Redis, with processes that die and stall."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest
from tests.journals import Program, batch
from tests.redis_server import RedisServer

from delineate.adapters.process_leases import ProcessLeases
from delineate.adapters.redis_journal import Connection, RedisJournal, RedisLeases
from delineate.domain.errors import JournalUnavailable, SessionOwnedElsewhere
from delineate.domain.ports import Lease, Leases

LEASE_S = 1.2
SLACK_S = 5.0
"""Of a machine that is busy with something else."""


@dataclass
class Process:
    """What one process of the service has of Redis, and the leases that it was told are lost."""

    journal: RedisJournal
    leases: RedisLeases
    lost: list[Lease]


@contextmanager
def process(redis: RedisServer, lease_s: float = LEASE_S) -> Iterator[Process]:
    with (
        closing(Connection(redis.url, patience_s=2.0)) as connection,
        closing(RedisLeases(connection, lease_s=lease_s)) as leases,
    ):
        process = Process(RedisJournal(connection), leases, [])
        leases.on_loss(process.lost.append)
        yield process


@pytest.fixture
def one(redis: RedisServer) -> Iterator[Process]:
    with process(redis) as one:
        yield one


@pytest.fixture
def two(redis: RedisServer) -> Iterator[Process]:
    with process(redis) as two:
        yield two


def eventually(true: Callable[[], bool], within_s: float = LEASE_S + SLACK_S) -> float:
    """Wait until it is true, and return how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s
        time.sleep(0.005)
    return time.monotonic() - began


def takes(leases: Leases, session_id: str) -> bool:
    try:
        leases.acquire(session_id)
    except SessionOwnedElsewhere:
        return False
    return True


# --- of both ----------------------------------------------------------------------------------------


@pytest.fixture(params=["process", "redis"])
def leases(request: pytest.FixtureRequest) -> Leases:
    if request.param == "process":
        return ProcessLeases()
    one: Process = request.getfixturevalue("one")
    return one.leases


def test_a_lease_that_is_held_is_given_again(leases: Leases) -> None:
    first = leases.acquire("s")
    assert first.epoch > 0
    assert leases.held(first)
    assert leases.acquire("s") == first
    assert leases.acquire("t") != first


def test_a_lease_that_was_released_is_not_held_and_the_next_has_a_later_epoch(leases: Leases) -> None:
    first = leases.acquire("s")
    leases.release(first)
    assert not leases.held(first)
    second = leases.acquire("s")
    assert second.epoch > first.epoch
    leases.release(first)
    assert leases.held(second)
    assert not leases.held(first)


def test_threads_that_ask_at_once_get_one_lease(leases: Leases) -> None:
    got: list[Lease] = []
    threads = [threading.Thread(target=lambda: got.append(leases.acquire("s"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    assert leases.held(got[0])


# --- of several processes ---------------------------------------------------------------------------


def test_a_session_is_served_by_one_process_until_that_releases_it(one: Process, two: Process) -> None:
    lease = one.leases.acquire("s")
    with pytest.raises(SessionOwnedElsewhere, match="session s"):
        two.leases.acquire("s")
    one.leases.release(lease)
    assert two.leases.acquire("s").epoch > lease.epoch


def test_a_lease_is_renewed_for_as_long_as_its_process_lives(one: Process, two: Process) -> None:
    held = [one.leases.acquire(f"s{n}") for n in range(250)]
    end = time.monotonic() + 2 * LEASE_S
    while time.monotonic() < end:
        assert not takes(two.leases, "s7")
        time.sleep(0.02)
    assert all(one.leases.held(lease) for lease in held)
    assert one.lost == []


def test_a_process_that_closes_gives_its_sessions_back(redis: RedisServer, two: Process) -> None:
    with process(redis, lease_s=60.0) as one:
        one.leases.acquire("s")
    assert takes(two.leases, "s")


def test_a_killed_process_loses_its_session_within_one_lease_time(redis: RedisServer, two: Process) -> None:
    with Program("hold", redis.url, str(LEASE_S)) as owner:
        assert owner.line().startswith("epoch")
        assert not takes(two.leases, "s")
        owner.kill()
        assert eventually(lambda: takes(two.leases, "s")) < LEASE_S + SLACK_S / 2


def test_a_process_that_stalls_can_neither_write_nor_serve_once_its_session_was_taken(
    redis: RedisServer, two: Process
) -> None:
    with Program("hold", redis.url, str(LEASE_S)) as owner:
        epoch = int(owner.line().split()[1])
        assert owner.ask("append") == "kept"
        owner.signal(signal.SIGSTOP)
        eventually(lambda: takes(two.leases, "s"))
        lease = two.leases.acquire("s")
        assert lease.epoch > epoch
        assert two.journal.read("s") == batch(99)
        two.journal.append("s", batch(1), epoch=lease.epoch)
        owner.signal(signal.SIGCONT)
        assert owner.ask("append") == "SessionOwnedElsewhere"
        eventually(lambda: owner.ask("held") == f"held False lost [{epoch}]")
        assert owner.ask("append") == "SessionOwnedElsewhere"
    assert two.journal.read("s") == [*batch(99), *batch(1)]
    assert two.leases.held(lease)
    assert two.lost == []


def test_only_the_epoch_that_was_granted_last_may_write(one: Process, two: Process) -> None:
    first = one.leases.acquire("s")
    one.journal.append("s", batch(0), epoch=first.epoch)
    one.leases.release(first)
    second = two.leases.acquire("s")
    for stale in (first.epoch, 0, second.epoch + 1):
        with pytest.raises(SessionOwnedElsewhere):
            one.journal.append("s", batch(1), epoch=stale)
        with pytest.raises(SessionOwnedElsewhere):
            one.journal.purge("s", epoch=stale)
    two.journal.append("s", batch(2), epoch=second.epoch)
    assert one.journal.read("s") == [*batch(0), *batch(2)]


def test_the_same_process_cannot_write_under_a_lease_that_it_gave_back(one: Process) -> None:
    first = one.leases.acquire("s")
    one.leases.release(first)
    with pytest.raises(SessionOwnedElsewhere):
        one.journal.append("s", batch(0), epoch=first.epoch)
    second = one.leases.acquire("s")
    with pytest.raises(SessionOwnedElsewhere):
        one.journal.append("s", batch(0), epoch=first.epoch)
    one.journal.append("s", batch(0), epoch=second.epoch)


def test_a_purged_session_cannot_come_back(one: Process, two: Process) -> None:
    lease = one.leases.acquire("s")
    one.journal.append("s", batch(0), epoch=lease.epoch)
    one.journal.purge("s", epoch=lease.epoch)
    with pytest.raises(SessionOwnedElsewhere):
        one.journal.append("s", batch(1), epoch=lease.epoch)
    assert two.leases.acquire("s").epoch > lease.epoch
    with pytest.raises(SessionOwnedElsewhere):
        one.journal.append("s", batch(1), epoch=lease.epoch)
    assert one.journal.sessions() == []
    eventually(lambda: one.lost == [lease])


def test_redis_away_for_longer_than_a_lease_costs_no_session(redis: RedisServer, one: Process) -> None:
    lease = one.leases.acquire("s")
    one.journal.append("s", batch(0), epoch=lease.epoch)
    redis.kill()
    eventually(lambda: not one.leases.held(lease))
    with pytest.raises(JournalUnavailable):
        one.leases.acquire("s")
    redis.start()
    eventually(lambda: one.leases.held(lease))
    one.journal.append("s", batch(1), epoch=lease.epoch)
    assert one.leases.acquire("s") == lease
    assert one.lost == []


def test_a_lapsed_lease_is_taken_up_again_by_its_process_under_the_same_epoch(redis: RedisServer) -> None:
    with process(redis) as one:
        lease = one.leases.acquire("s")
        redis.kill()
        eventually(lambda: not one.leases.held(lease))
        redis.start()
        assert one.leases.acquire("s") == lease
        assert one.leases.held(lease)


def test_epochs_go_on_growing_when_redis_restarts(redis: RedisServer, one: Process) -> None:
    first = one.leases.acquire("s")
    one.leases.release(first)
    redis.kill()
    redis.start()
    assert one.leases.acquire("s").epoch > first.epoch


def test_a_fault_in_what_forgets_a_session_keeps_the_others_renewed(one: Process, two: Process) -> None:
    told = threading.Event()

    def forget(lease: Lease) -> None:
        told.set()
        raise RuntimeError(lease.session_id)

    one.leases.on_loss(forget)
    gone, kept = one.leases.acquire("s"), one.leases.acquire("t")
    one.journal.append("s", batch(0), epoch=gone.epoch)
    one.journal.purge("s", epoch=gone.epoch)
    assert told.wait(LEASE_S + SLACK_S)
    end = time.monotonic() + 2 * LEASE_S
    while time.monotonic() < end:
        assert not takes(two.leases, "t")
        time.sleep(0.02)
    assert one.leases.held(kept)


def test_leases_leave_nothing_in_redis_but_the_count_of_epochs(redis: RedisServer) -> None:
    with process(redis) as one:
        one.leases.acquire("a session that does not exist")
    with closing(Connection(redis.url)) as connection:
        assert connection.run(lambda client: client.keys("*")) == [b"delineate:epochs"]
