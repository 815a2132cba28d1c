"""Hosts that share a real Redis: a session has one at a time, and whatever one has begun another goes on with."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import pytest
from redis import Redis
from tests.fakes import LIMITS, FakeArchive, FakeOutbox, FakeReader, FakeSegmentationReader, FakeSegmenter, point
from tests.redis_server import RedisServer

from delineate.adapters.redis_journal import Connection, RedisJournal, RedisLeases
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.domain.errors import JournalUnavailable, ResultNotFound, SessionNotFound, SessionOwnedElsewhere
from delineate.domain.result import Result, ResultState
from delineate.domain.segment import SegmentDescription
from delineate.usecases.caretaker import Caretaker
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session, go_on, open_session
from delineate.usecases.result_turns import ResultTurns
from delineate.usecases.segments import add_segment
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import undo
from delineate.usecases.volumes import VolumeShelf

LEASE_S = 1.0
WAIT_S = 20.0
USER = "ada"


@dataclass
class Process:
    """What one process of the service has."""

    host: SessionHost
    journal: RedisJournal
    leases: RedisLeases
    segmenter: FakeSegmenter
    outbox: FakeOutbox

    def open(self) -> LiveSession:
        live = open_session(
            self.host,
            user=USER,
            study_instance_uid="1.2",
            series_instance_uid="1.3",
            volume=None,
            segmentation=None,
            model=None,
            key=str(uuid.uuid4()),
            digest="d",
        )
        live.loading.result(WAIT_S)
        add_segment(self.host, live, SegmentDescription(), str(uuid.uuid4()), "d")
        return live

    def get(self, session_id: str) -> LiveSession:
        return self.host.get(session_id, USER)

    def caretaker(self, retention_s: float) -> Caretaker:
        turns = ResultTurns(self.journal.load, self.journal, self.outbox, self.leases)
        return Caretaker(self.host, self.journal, turns, retention_s=retention_s)


@contextmanager
def process(redis: RedisServer, patience_s: float = 15.0) -> Iterator[Process]:
    archive, segmenter = FakeArchive(), FakeSegmenter()
    with ExitStack() as stack:
        connection = Connection(redis.url, patience_s=patience_s)
        stack.callback(connection.close)
        leases = RedisLeases(connection, lease_s=LEASE_S)
        stack.callback(leases.close)
        journal = RedisJournal(connection)
        shelf = VolumeShelf(archive, FakeReader(), MemoryVolumeCache(10**8))
        stored = StoredSegmentations(archive, FakeSegmentationReader())
        host = SessionHost(journal, leases, shelf, segmenter, stored, go_on=go_on, limits=LIMITS)
        stack.callback(host.close)
        yield Process(host, journal, leases, segmenter, FakeOutbox())


@pytest.fixture
def one(redis: RedisServer) -> Iterator[Process]:
    with process(redis) as one:
        yield one


@pytest.fixture
def two(redis: RedisServer) -> Iterator[Process]:
    with process(redis) as two:
        yield two


def send(at: Process, live: LiveSession, i: int) -> int:
    """Set one voxel, and return the revision."""
    return submit_prompt(at.host, live, 1, point(1, 2, i), run=True, digest="d").result(WAIT_S).revision


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def takes(at: Process, session_id: str) -> bool:
    try:
        at.get(session_id)
    except SessionOwnedElsewhere:
        return False
    return True


def take_away(redis: RedisServer, session_id: str, to: Process) -> LiveSession:
    """Let a session's lease end before its time, as it does when its process stalls, and another take it."""
    with Redis.from_url(redis.url) as client:
        while True:
            client.delete(f"delineate:lease:{session_id}")
            try:
                return to.get(session_id)
            except SessionOwnedElsewhere:  # it was just renewed
                continue


def test_a_session_is_served_by_one_process_and_goes_on_in_the_next(redis: RedisServer, two: Process) -> None:
    with process(redis) as one:
        live = one.open()
        assert send(one, live, 2) == 1
        with pytest.raises(SessionOwnedElsewhere):
            two.get(live.session.id)
    again = two.get(live.session.id)
    assert again.session.labelmap(1).equals(live.session.labelmap(1))
    assert send(two, again, 5) == 2
    undo(two.host, again, 1, "k1", "d")
    undo(two.host, again, 1, "k2", "d")
    assert again.session.labelmap(1).is_empty


def test_a_session_that_nobody_has_is_not_found_and_leaves_no_lease(redis: RedisServer, one: Process) -> None:
    with pytest.raises(SessionNotFound):
        one.get("1.3~nothing")
    with Redis.from_url(redis.url) as client:
        assert client.keys("*") == [b"delineate:epochs"]


def test_a_prompt_without_outcome_runs_when_somebody_asks_for_its_session(redis: RedisServer, two: Process) -> None:
    with process(redis) as one:
        live = one.open()
        one.segmenter.gate.clear()
        submit_prompt(one.host, live, 1, point(1, 2, 2), run=True, digest="d")
        assert one.segmenter.entered.acquire(timeout=WAIT_S)
    again = two.get(live.session.id)
    eventually(lambda: again.session.segment(1).revision == 1)
    assert again.session.labelmap(1).count == 1
    assert again.session.segment(1).pending == {}


def test_who_lost_a_session_ends_what_it_does_for_it_and_writes_nothing(
    redis: RedisServer, one: Process, two: Process
) -> None:
    live = one.open()
    send(one, live, 2)
    one.segmenter.gate.clear()
    running = submit_prompt(one.host, live, 1, point(1, 2, 5), run=True, digest="d")
    assert one.segmenter.entered.acquire(timeout=WAIT_S)
    assert one.segmenter.entered.acquire(timeout=WAIT_S)
    waiting = submit_prompt(one.host, live, 1, point(1, 2, 9), run=True, digest="d")
    with one.host.listening(live, lambda: None) as listener:
        again = take_away(redis, live.session.id, two)
        for future in (running, waiting):
            with pytest.raises(SessionOwnedElsewhere):
                future.result(WAIT_S)
        eventually(lambda: listener.dropped)
    eventually(lambda: one.segmenter.open_engines == 0)
    with pytest.raises(SessionOwnedElsewhere):
        one.host.record(live, one.host.entry("closed"))
    assert one.host.all() == []
    assert not takes(one, live.session.id)
    eventually(lambda: again.session.labelmap(1).count == 3)
    kinds = [entry.kind for entry in two.journal.read(live.session.id)]
    assert kinds.count("prompts_ended") == kinds.count("closed") == 0
    assert again.session.state == "ready"


def test_who_lost_a_session_can_take_it_again_and_then_has_what_the_other_did(
    redis: RedisServer, one: Process, two: Process
) -> None:
    live = one.open()
    send(one, live, 2)
    other = take_away(redis, live.session.id, two)
    send(two, other, 5)
    two.host.rest(-1.0)  # has an engine
    assert two.host.all() == [other]
    eventually(lambda: one.host.all() == [])
    again = take_away(redis, live.session.id, one)
    assert again is not live
    assert again.session.labelmap(1).count == 2
    assert send(one, again, 9) == 3


def test_a_session_that_rests_can_be_taken_at_once(one: Process, two: Process) -> None:
    live = one.open()
    one.host.rest(60.0)
    assert one.host.all() == [live]
    with one.host.listening(live, lambda: None):
        one.host.rest(-1.0)
        assert one.host.all() == [live]
    one.host.rest(-1.0)
    assert one.host.all() == []
    assert takes(two, live.session.id)


def test_without_redis_a_write_gives_the_session_up_and_it_goes_on_when_redis_is_back(redis: RedisServer) -> None:
    with process(redis, patience_s=0.5) as one:
        live = one.open()
        send(one, live, 2)
        redis.kill()
        prompt = point(1, 2, 5)
        with pytest.raises(JournalUnavailable):
            submit_prompt(one.host, live, 1, prompt, run=True, digest="d")
        assert one.host.all() == []
        redis.start()
        again = one.get(live.session.id)
        assert again is not live
        assert submit_prompt(one.host, again, 1, prompt, run=True, digest="d").result(WAIT_S).revision == 2
        assert again.session.labelmap(1).count == 2


def test_open_sessions_are_listed_wherever_they_are_served(one: Process, two: Process) -> None:
    mine, theirs, closed = one.open(), two.open(), one.open()
    close_session(one.host, closed)
    for at in (one, two):
        listed = list(at.host.open_sessions(USER))
        assert [live.session.id for live in listed] == [mine.session.id, theirs.session.id]
        assert all(live.session.segments for live in listed)
        assert list(at.host.open_sessions("eve")) == []
        assert list(at.host.open_sessions(USER, "9.9")) == []
    assert not takes(two, mine.session.id)


def result_of(live: LiveSession, state: ResultState) -> Result:
    return Result(
        id=uuid.uuid4().hex,
        session=live.session.id,
        user=USER,
        state=state,
        stage="verifying",
        study_instance_uid="1.2",
        series_instance_uid="1.9",
        sop_instance_uid="1.9.1",
        created_at=1.0,
    )


def accept(at: Process, live: LiveSession, state: ResultState) -> Result:
    result = result_of(live, state)
    at.journal.save(result)
    at.journal.write_file(result.id, "acceptance.json", b"{}")
    at.host.record(live, at.host.entry("accepted", result=result.id, key=result.id, digest="d"))
    return result


def test_what_is_past_retention_is_purged_with_its_results_unless_it_is_on_its_way(one: Process) -> None:
    done, under_way = one.open(), one.open()
    stored, waiting = accept(one, done, "stored"), accept(one, under_way, "waiting")
    assert one.caretaker(retention_s=3600.0).purge_expired() == 0
    assert one.caretaker(retention_s=0.0).purge_expired() == 1
    assert one.journal.sessions() == [under_way.session.id]
    assert one.host.all() == [under_way]
    with pytest.raises(ResultNotFound):
        one.journal.load(stored.id)
    assert one.journal.read_file(stored.id, "acceptance.json") is None
    assert one.journal.load(waiting.id) == waiting
    with pytest.raises(SessionNotFound):
        one.get(done.session.id)
    with pytest.raises(SessionNotFound):
        add_segment(one.host, done, SegmentDescription(), "k", "d")


def test_a_session_that_is_served_elsewhere_is_not_purged(one: Process, two: Process) -> None:
    live = one.open()
    assert two.caretaker(retention_s=0.0).purge_expired() == 0
    assert send(one, live, 2) == 1


def test_a_result_is_advanced_by_one_process_at_a_time(one: Process, two: Process) -> None:
    result = result_of(one.open(), "storing")
    one.journal.save(result)
    advanced: list[str] = []

    def beside(result_id: str) -> Result:
        turns(two, lambda name: advanced.append(name) or result).advance(result_id)  # type: ignore[func-returns-value]
        advanced.append("one")
        return result

    turns(one, beside).advance(result.id)
    assert advanced == ["one"]
    turns(two, lambda name: advanced.append(name) or result).advance(result.id)  # type: ignore[func-returns-value]
    assert advanced == ["one", result.id]


def turns(at: Process, step: Callable[[str], Result]) -> ResultTurns:
    return ResultTurns(step, at.journal, at.outbox, at.leases)


def test_a_result_whose_worker_died_is_found_and_one_that_waits_is_left_until_its_time(one: Process) -> None:
    due, late, early = (result_of(one.open(), state) for state in ("storing", "waiting", "waiting"))
    now = time.time()
    for result, at in ((due, None), (late, now - 1.0), (early, now + 60.0)):
        one.journal.save(replace(result, next_try_at=at))
    stepped: list[str] = []

    def step(name: str) -> Result:
        stepped.append(name)
        return one.journal.load(name)

    woken = turns(one, step)
    woken.rescan()
    assert sorted(one.outbox.scheduled) == sorted([(due.id, 0.0), (late.id, 0.0)])
    for result in (due, late, early):
        woken.advance(result.id)
    assert stepped == [due.id, late.id]
