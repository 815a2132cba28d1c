"""Prompts that are collected and run on demand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from tests.fakes import FAILURE, World, point

from delineate.domain.errors import (
    ArchiveUnreachable,
    IdempotencyConflict,
    NothingToRun,
    PredictionFailed,
    PromptCancelled,
    SegmentLocked,
)
from delineate.domain.prompts import PointPrompt
from delineate.domain.session import Change
from delineate.usecases.live import LiveSession
from delineate.usecases.run_collected import run_collected
from delineate.usecases.segments import change_segment
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import undo


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.segmenter.gate.set()
    world.host.close()


def collect(world: World, live: LiveSession, *prompts: PointPrompt) -> None:
    for prompt in prompts:
        submit_prompt(world.host, live, 1, prompt, run=False, digest="d").result(10)


def run(world: World, live: LiveSession, key: str = "k", digest: str = "d") -> Change:
    return run_collected(world.host, live, 1, key, digest).result(10)


def states(live: LiveSession) -> list[str]:
    return [live.state_of(pending) for pending in live.session.segment(1).pending.values()]


def test_collected_prompts_inside_one_crop_run_as_one_step(world: World) -> None:
    live = world.open()
    prompts = [point(1, 2, 2), point(2, 3, 4), point(1, 4, 4, include=False)]
    collect(world, live, *prompts)
    assert states(live) == ["collected"] * 3
    assert world.segmenter.runs == []
    change = run(world, live)
    assert change.prompt_ids == tuple(p.origin.id for p in prompts)
    assert (change.base_revision, change.revision) == (0, 1)
    assert [count for _, count, _ in world.segmenter.runs] == [3]
    assert live.session.segment(1).pending == {}
    assert live.session.labelmap(1).count == 2


def test_what_takes_several_steps_is_one_patch(world: World) -> None:
    live = world.open()
    prompts = [point(1, 2, 2), point(1, 2, 38), point(1, 28, 38)]
    collect(world, live, *prompts)
    change = run(world, live)
    assert change.prompt_ids == tuple(p.origin.id for p in prompts)
    assert (change.base_revision, change.revision) == (0, 3)
    assert change.timing.model == 3.0
    assert change.before.labelmap(live.session.shape).is_empty
    assert change.after.labelmap(live.session.shape).equals(live.session.labelmap(1))


def test_the_same_request_again_has_the_same_outcome_and_runs_nothing(world: World) -> None:
    live = world.open()
    collect(world, live, point(1, 2, 2), point(1, 2, 38))
    first = run(world, live)
    collect(world, live, point(1, 28, 38))
    assert run(world, live) == first
    assert states(live) == ["collected"]
    with pytest.raises(IdempotencyConflict):
        run(world, live, digest="another")
    world.restart()
    again = world.host.get(live.session.id, "ada")
    assert run(world, again) == first


def test_nothing_collected_is_refused(world: World) -> None:
    live = world.open()
    with pytest.raises(NothingToRun):
        run(world, live)
    submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d").result(10)
    with pytest.raises(NothingToRun):
        run(world, live)


def test_a_locked_segment_is_refused(world: World) -> None:
    live = world.open()
    collect(world, live, point(1, 2, 2))
    change_segment(world.host, live, 1, {"locked": True}, "l", "d")
    with pytest.raises(SegmentLocked):
        run(world, live)


def test_undo_takes_a_collected_prompt_back(world: World) -> None:
    live = world.open()
    first, second = point(1, 2, 2), point(1, 2, 3)
    collect(world, live, first, second)
    undo(world.host, live, 1, "u", "d")
    assert run(world, live).prompt_ids == (first.origin.id,)


def test_all_cancelled_in_the_run_is_a_cancellation(world: World) -> None:
    live = world.open()
    collect(world, live, point(1, 2, 2))
    world.segmenter.gate.clear()
    future = run_collected(world.host, live, 1, "k", "d")
    assert world.segmenter.entered.acquire(timeout=10)
    assert states(live) == ["running"]
    undo(world.host, live, 1, "u", "d")
    with pytest.raises(PromptCancelled):
        future.result(10)
    with pytest.raises(PromptCancelled):
        run(world, live)


def test_a_failure_is_told_although_other_prompts_had_an_effect(world: World) -> None:
    live = world.open()
    collect(world, live, point(1, 2, 2), point(1, 2, 38))
    world.segmenter.gate.clear()
    future = run_collected(world.host, live, 1, "k", "d")
    assert world.segmenter.entered.acquire(timeout=10)
    world.segmenter.fault = FAILURE
    world.segmenter.gate.set()
    with pytest.raises(PredictionFailed):
        future.result(10)
    with pytest.raises(PredictionFailed):
        run(world, live)
    assert live.session.segment(1).pending == {}


def test_a_run_under_way_goes_on_after_a_crash(world: World) -> None:
    live = world.open()
    prompts = [point(1, 2, 2), point(1, 2, 38)]
    collect(world, live, *prompts)
    world.segmenter.gate.clear()
    run_collected(world.host, live, 1, "k", "d")
    assert world.segmenter.entered.acquire(timeout=10)
    before = world.host
    entries = {name: list(kept) for name, kept in world.journal.entries.items()}
    before.close()
    world.journal.entries = entries
    world.segmenter.gate.set()
    world.restart()
    again = world.host.get(live.session.id, "ada")
    change = run(world, again)
    assert change.prompt_ids == tuple(p.origin.id for p in prompts)
    assert again.session.segment(1).revision == 2


def test_what_could_not_begin_because_the_archive_was_away_runs_on_demand(world: World) -> None:
    live = world.open()
    collect(world, live, point(1, 2, 2))
    live.volume = None
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    with pytest.raises(ArchiveUnreachable):
        run_collected(world.host, live, 1, str(uuid.uuid4()), "d")
    assert states(live) == ["collected"]
    world.archive.fault = None
    assert run(world, live).revision == 1
