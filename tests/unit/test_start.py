"""What a start reads from the embedded journal: what has to go on by itself, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes import World, is_under_way, point

from delineate.adapters.sqlite_journal import SqliteJournal
from delineate.domain.errors import SessionClosed
from delineate.domain.session import Entry
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session
from delineate.usecases.segments import delete_segment
from delineate.usecases.submit_prompt import cancel_prompt, submit_prompt

WAIT_S = 10.0


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.segmenter.gate.set()
    world.host.close()


def click(world: World, live: LiveSession, i: int = 2, *, run: bool = True) -> None:
    submit_prompt(world.host, live, 1, point(1, 2, i), run=run, digest="d").result(WAIT_S)


def crashed(entries: Sequence[Entry]) -> list[Entry]:
    """Return a session's entries without its last step."""
    assert entries[-1].kind == "step"
    return list(entries[:-1])


def worked(world: World) -> dict[str, str]:
    """Leave a session of each kind behind, and return their ids."""
    lives = {
        name: world.open() for name in ("closed", "idle", "waiting", "collected", "cancelled", "deleted", "closing")
    }
    for name in ("closed", "idle", "waiting", "closing"):
        click(world, lives[name])
    click(world, lives["collected"], run=False)
    for name in ("cancelled", "deleted"):
        prompt = point(1, 2, 2)
        submit_prompt(world.host, lives[name], 1, prompt, run=False, digest="d")
        cancel_prompt(world.host, lives[name], 1, prompt.origin.id)
    delete_segment(world.host, lives["deleted"], 1, "k", "d")
    ids = {name: live.session.id for name, live in lives.items()}
    for name in ("waiting", "closing"):
        world.journal.entries[ids[name]] = crashed(world.journal.entries[ids[name]])
    for name in ("closed", "closing"):
        close_session(world.host, lives[name])
    data = {"user": "ada", "model": "fake", "volume": None, "study_instance_uid": "1.2", "series_instance_uid": "1.3"}
    for name, ending in (("loading", []), ("failed", [Entry("load_failed", 1.0, {"problem": {"detail": "x"}})])):
        ids[name] = f"1.3~{name}"
        world.journal.append(ids[name], [Entry("opened", 1.0, data), *ending])
    return ids


def eventually(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_start_has_in_memory_only_what_goes_on_by_itself_and_reads_others_on_demand(world: World) -> None:
    ids = worked(world)
    world.restart()
    here = {live.session.id: live for live in world.host.all()}
    assert here.keys() == {ids["waiting"], ids["collected"], ids["loading"]}
    eventually(lambda: here[ids["waiting"]].session.labelmap(1).count == 1)
    eventually(lambda: here[ids["loading"]].session.state == "ready")
    listed = {live.session.id: live for live in world.host.open_sessions("ada")}
    assert listed.keys() == {ids[n] for n in ("idle", "waiting", "collected", "cancelled", "deleted", "loading")}
    assert listed[ids["idle"]].session.labelmap(1).count == 1
    assert len(world.host.all()) == 3, "to be listed is not to be kept"
    click(world, world.host.get(ids["idle"], "ada"), 5)
    assert world.host.get(ids["idle"], "ada").session.labelmap(1).count == 2
    with pytest.raises(SessionClosed):
        _ = world.host.get(ids["closed"], "ada").plan


def test_what_is_not_in_memory_is_purged_all_the_same(world: World) -> None:
    ids = worked(world)
    world.restart()
    for name in ("idle", "closed"):
        gone = world.host.purge(ids[name], lambda _: True)
        assert gone is not None
        assert gone.id == ids[name]
    assert not {ids["idle"], ids["closed"]} & world.journal.entries.keys()


def test_the_embedded_journal_finds_what_is_under_way(world: World, tmp_path: Path) -> None:
    worked(world)
    with closing(SqliteJournal(tmp_path)) as journal:
        assert journal.sessions_under_way() == []
        expected = set()
        for name, entries in world.journal.entries.items():
            for count in range(1, len(entries) + 1):
                journal.append(f"{name} {count}", entries[:count])
                if is_under_way(entries[:count]):
                    expected.add(f"{name} {count}")
        assert set(journal.sessions_under_way()) == expected
    assert len(expected) > 10
