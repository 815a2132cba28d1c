"""The records of preloads: the same tests for one process and for Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.redis_server import RedisServer

from delineate.adapters.local_preloads import LocalPreloadRecords
from delineate.adapters.redis_preloads import RedisPreloadRecords
from delineate.domain.errors import JournalUnavailable, MissingSlice
from delineate.domain.ports import PreloadRecords
from delineate.domain.preload import PreloadOrder, PreloadRecord, problem_of


@pytest.fixture(params=["local", "redis"])
def records(request: pytest.FixtureRequest) -> Iterator[PreloadRecords]:
    if request.param == "local":
        yield LocalPreloadRecords()
        return
    server: RedisServer = request.getfixturevalue("redis_process")
    server.clear()
    kept = RedisPreloadRecords(server.url, "one")
    yield kept
    kept.close()


FAULT = problem_of(MissingSlice(((1.0, 2.0, 3.0),), ("1.4.1", "1.4.2")))
FULL = PreloadRecord(PreloadOrder("1.2", "1.3", "echo-1"), "failed", (3, 8, 1234), "f" * 64, FAULT)


def test_a_record_comes_back_as_it_was(records: PreloadRecords) -> None:
    assert records.load("1.3") is None
    for record in (PreloadRecord(PreloadOrder("1.2", "1.3")), FULL):
        records.save(record)
        found = records.load("1.3")
        assert found is not None
        assert found.to_json() | {"problem": None} == record.to_json() | {"problem": None}
        assert (found.problem or {}).get("detail") == (record.problem or {}).get("detail")
    assert records.load("1.30") is None


def test_only_what_is_there_is_updated(records: PreloadRecords) -> None:
    records.update(FULL)
    assert records.load("1.3") is None, "a cancelled order does not come back"
    records.save(FULL)
    records.update(replace(FULL, state="ready"))
    found = records.load("1.3")
    assert found is not None
    assert found.state == "ready"
    records.remove("1.3")
    records.remove("1.3")
    assert records.load("1.3") is None


def test_all_are_listed(records: PreloadRecords) -> None:
    assert records.all() == []
    for n in range(3):
        records.save(PreloadRecord(PreloadOrder("1.2", f"1.3.{n}")))
    assert sorted(record.order.series_instance_uid for record in records.all()) == ["1.3.0", "1.3.1", "1.3.2"]


def test_machines_do_not_see_each_other(redis_process: RedisServer) -> None:
    one, two = (RedisPreloadRecords(redis_process.url, name) for name in ("one", "two"))
    one.save(FULL)
    assert two.load("1.3") is None
    assert two.all() == []
    one.close()
    two.close()


def test_without_redis_there_is_a_reason() -> None:
    records = RedisPreloadRecords("redis://127.0.0.1:1/0", "one")
    with pytest.raises(JournalUnavailable, match="DELINEATE_REDIS_URL"):
        records.load("1.3")
    records.close()
