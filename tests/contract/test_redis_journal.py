"""The journal on a real Redis that is killed, cut, full, wrongly set up, or shared."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from tests.journals import BATCH, Program, batch
from tests.redis_server import RedisServer, redis_server

from delineate.adapters.redis_journal import Connection, RedisJournal, ResultNews, durability_faults
from delineate.domain.errors import JournalUnavailable, SessionOwnedElsewhere
from delineate.domain.result import Result
from delineate.domain.session import Entry

RESULT = Result(
    id="r1",
    session="s",
    user="ada",
    state="storing",
    stage="storing",
    study_instance_uid="1.2",
    series_instance_uid="1.3",
    sop_instance_uid="1.4",
    created_at=1.5,
)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def connection(redis: RedisServer) -> Iterator[Connection]:
    with closing(Connection(redis.url)) as connection:
        yield connection


def test_a_killed_redis_loses_nothing_that_it_acknowledged_and_keeps_nothing_twice(redis: RedisServer) -> None:
    moments = random.Random(3)  # noqa: S311
    with Program("write", "redis", redis.url) as writer:
        acknowledged = [int(writer.line())]
        for _ in range(4):
            acknowledged += [int(writer.line()) for _ in range(moments.randint(1, 30))]
            time.sleep(moments.uniform(0.0, 0.02))
            redis.kill()
            redis.start()
            acknowledged.append(int(writer.line()))
        acknowledged += map(int, writer.kill())
    assert acknowledged == list(range(len(acknowledged)))
    with closing(Connection(redis.url)) as connection:
        entries = RedisJournal(connection).read("s")
    kept = len(entries) // BATCH
    assert kept - len(acknowledged) in (0, 1)
    assert entries == [entry for n in range(kept) for entry in batch(n)]


def test_an_append_that_was_cut_off_on_disk_is_gone_as_a_whole(redis: RedisServer, connection: Connection) -> None:
    journal = RedisJournal(connection)
    journal.append("s", batch(0))
    journal.append("s", batch(1))
    redis.kill()
    (log,) = (redis.folder / "appendonlydir").glob("*.incr.aof")
    content = log.read_bytes()
    begin = content.rindex(b"MULTI")
    cut = random.Random(5).randrange(begin + 100, len(content))  # noqa: S311
    log.write_bytes(content[:cut])
    redis.start()
    assert journal.read("s") == batch(0)
    journal.append("s", batch(2))
    assert journal.read("s") == [*batch(0), *batch(2)]


def test_a_call_waits_for_a_redis_that_restarts(redis: RedisServer, connection: Connection) -> None:
    journal = RedisJournal(connection)
    journal.append("s", batch(0))
    redis.kill()
    appended = threading.Thread(target=journal.append, args=("s", batch(1)))
    appended.start()
    redis.start()
    appended.join()
    assert journal.read("s") == [*batch(0), *batch(1)]


def test_without_redis_a_call_says_so_after_its_patience_and_a_closed_one_at_once(redis: RedisServer) -> None:
    connection = Connection(redis.url, patience_s=0.3)
    journal = RedisJournal(connection)
    redis.kill()
    with pytest.raises(JournalUnavailable, match="Redis runs"):
        journal.append("s", batch(0))
    redis.start()
    assert journal.sessions() == []
    connection.close()
    with pytest.raises(JournalUnavailable, match="stopping"):
        journal.sessions()


def test_closing_ends_a_call_that_waits(redis: RedisServer) -> None:
    connection = Connection(redis.url, patience_s=300.0)
    journal = RedisJournal(connection)
    redis.kill()
    refused: list[str] = []

    def append() -> None:
        try:
            journal.append("s", batch(0))
        except JournalUnavailable as error:
            refused.append(error.detail)

    waiting = threading.Thread(target=append)
    waiting.start()
    connection.close()
    waiting.join(timeout=30)
    assert not waiting.is_alive()
    assert len(refused) == 1


def test_a_wrong_password_is_no_reason_to_wait(redis: RedisServer) -> None:
    began = time.monotonic()
    with closing(Connection(f"redis://:wrong@127.0.0.1:{redis.port}/0", patience_s=60.0)) as connection:
        with pytest.raises(JournalUnavailable, match="password") as caught:
            RedisJournal(connection).sessions()
        assert redis.url.split("@")[0].split(":")[-1] not in caught.value.detail
    assert time.monotonic() - began < 30


def test_a_full_redis_refuses_an_append_whole_and_forgets_nothing(redis: RedisServer, connection: Connection) -> None:
    journal = RedisJournal(connection)
    journal.append("s", batch(0))
    with Redis.from_url(redis.url) as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(JournalUnavailable, match="memory"):
            journal.append("s", batch(1))
        assert journal.read("s") == batch(0)
        client.config_set("maxmemory", 0)
    journal.append("s", batch(2))
    assert journal.read("s") == [*batch(0), *batch(2)]


def test_an_append_that_is_sent_twice_is_kept_once(redis: RedisServer) -> None:
    with closing(Connection(redis.url, timeout_s=0.2)) as connection, Redis.from_url(redis.url) as watch:
        journal = RedisJournal(connection)
        journal.append("s", batch(0))
        sent_before, pid = calls_of_scripts(watch), int(watch.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)  # it takes what it is sent, but answers too late
        appended = threading.Thread(target=journal.append, args=("s", batch(1)))
        appended.start()
        appended.join(timeout=1.0)
        assert appended.is_alive()
        os.kill(pid, signal.SIGCONT)
        appended.join()
        assert calls_of_scripts(watch) - sent_before >= 2
        assert journal.read("s") == [*batch(0), *batch(1)]


def calls_of_scripts(client: Redis) -> int:
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def test_two_processes_share_one_journal(redis: RedisServer, connection: Connection) -> None:
    mine = RedisJournal(connection)
    with closing(Connection(redis.url)) as other:
        theirs = RedisJournal(other)
        mine.append("s", batch(0))
        theirs.append("s", batch(1))
        theirs.append("t", [Entry("opened", 0.5)])
        assert mine.read("s") == theirs.read("s") == [*batch(0), *batch(1)]
        assert mine.sessions() == ["s", "t"]
        theirs.purge("s")
        assert mine.read("s") == []


def test_results_that_any_process_saves_are_heard_of_also_after_redis_was_away(
    redis: RedisServer, connection: Connection
) -> None:
    heard: list[Result] = []
    with closing(Connection(redis.url)) as other, closing(ResultNews(connection, heard.append)):
        for attempts in range(2):
            end = time.monotonic() + 20
            while not heard and time.monotonic() < end:  # until it listens
                RedisJournal(other).save(replace(RESULT, attempts=attempts))
                time.sleep(0.05)
            assert heard.pop() == replace(RESULT, attempts=attempts)
            redis.kill()
            redis.start()
            heard.clear()


def test_a_purge_leaves_no_key_behind(connection: Connection) -> None:
    journal = RedisJournal(connection)
    journal.append("s", batch(0))
    journal.purge("s")
    assert connection.run(lambda client: client.keys("*")) == []


def test_an_epoch_that_was_never_granted_may_not_write(connection: Connection) -> None:
    journal = RedisJournal(connection)
    with pytest.raises(SessionOwnedElsewhere):
        journal.append("s", batch(0), epoch=3)
    assert journal.sessions() == []


def test_what_we_ship_is_durable(connection: Connection) -> None:
    assert durability_faults(connection) == []


def test_an_unsafe_redis_is_told_what_to_set(tmp_path: Path) -> None:
    unsafe = "appendonly no\nappendfsync everysec\nmaxmemory-policy allkeys-lru"
    with redis_server(tmp_path / "unsafe", unsafe) as server, closing(Connection(server.url)) as connection:
        told = durability_faults(connection)
    assert [fault.split("`")[1] for fault in told] == [
        "appendonly yes",
        "appendfsync always",
        "maxmemory-policy noeviction",
        "maxmemory",
    ]


def test_a_redis_that_hides_its_settings_is_asked_for_what_it_shows(tmp_path: Path) -> None:
    hidden = 'rename-command CONFIG ""\nappendonly yes\nmaxmemory 1gb\nmaxmemory-policy allkeys-lru'
    with redis_server(tmp_path / "hidden", hidden) as server, closing(Connection(server.url)) as connection:
        (told,) = durability_faults(connection)
    assert "noeviction" in told
