"""Prompts through the use cases: order, sharing of runs, repeats, cancellation, failure, restart."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest
from tests.fakes import FAILURE, SHAPE, World, plan, point

from delineate.domain.errors import (
    ArchiveUnreachable,
    NothingToUndo,
    NotPermitted,
    PredictionFailed,
    PromptCancelled,
    PromptConflict,
    PromptMalformed,
    PromptNotFound,
    PromptOutsideVolume,
    SegmentLocked,
    SeriesChanged,
    SessionClosed,
    SessionFailed,
    SessionNotFound,
    WrongFrameOfReference,
)
from delineate.domain.geometry import Box
from delineate.domain.labelmap import Region
from delineate.domain.prompts import LabelmapPrompt, Prompt, PromptOrigin
from delineate.domain.session import MAX_ATTEMPTS, Change, Entry
from delineate.domain.volume import VolumePlan
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session
from delineate.usecases.segments import change_segment, delete_segment
from delineate.usecases.submit_prompt import cancel_prompt, submit_prompt
from delineate.usecases.undo import redo, reset, undo

WAIT_S = 10


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.segmenter.gate.set()
    world.host.close()


def send(world: World, live: LiveSession, prompt: Prompt, segment: int = 1, *, run: bool = True) -> Future[Change]:
    return submit_prompt(world.host, live, segment, prompt, run=run, digest=f"digest of {prompt.origin.id}")


def key() -> tuple[str, str]:
    return str(uuid.uuid4()), "digest"


def test_a_prompt_changes_the_segment_and_is_journalled_before_it_runs(world: World) -> None:
    live = world.open()
    change = send(world, live, point(1, 2, 3)).result(WAIT_S)
    assert (change.base_revision, change.revision) == (0, 1)
    assert live.session.labelmap(1).region.box == Box((1, 2, 3), (2, 3, 4))
    kinds = [e.kind for e in world.journal.entries[live.session.id]]
    assert kinds == ["opened", "loaded", "segment_added", "prompt", "attempt", "step"]


def test_the_same_prompt_again_gives_the_same_reply_and_runs_nothing(world: World) -> None:
    live = world.open()
    prompt = point(1, 2, 3)
    first = send(world, live, prompt).result(WAIT_S)
    assert send(world, live, prompt).result(WAIT_S) == first
    assert len(world.segmenter.runs) == 1
    with pytest.raises(PromptConflict):
        submit_prompt(world.host, live, 1, prompt, run=True, digest="another body")


def test_prompts_inside_one_crop_share_a_run_and_others_run_in_order(world: World) -> None:
    live = world.open()
    world.segmenter.gate.clear()
    futures = [send(world, live, point(1, 2, 2))]
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    futures += [send(world, live, point(1, 5 + n, 5)) for n in range(3)]
    futures += [send(world, live, point(1, 28, 38))]
    world.segmenter.gate.set()
    changes = [f.result(WAIT_S) for f in futures]
    assert [n for _, n, _ in world.segmenter.runs] == [1, 3, 1]
    assert [c.revision for c in changes] == [1, 2, 2, 2, 3]
    assert changes[1].prompt_ids == changes[2].prompt_ids


def test_prompts_of_two_segments_keep_their_order(world: World) -> None:
    live = world.open(segments=2)
    world.segmenter.gate.clear()
    futures = [send(world, live, point(1, 2, 2), 1)]
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    futures += [send(world, live, point(1, 2, 3), s) for s in (1, 2, 1)]
    world.segmenter.gate.set()
    for future in futures:
        future.result(WAIT_S)
    assert [state.split("@")[0] for state, _, _ in world.segmenter.runs] == ["1", "1", "2", "1"]


def test_collected_prompts_run_with_the_next_that_runs(world: World) -> None:
    live = world.open()
    empty = send(world, live, point(1, 2, 2), run=False).result(WAIT_S)
    assert (empty.base_revision, empty.revision) == (0, 0)
    change = send(world, live, point(1, 2, 4)).result(WAIT_S)
    assert world.segmenter.runs[0][1] == 2
    assert len(change.prompt_ids) == 2


def test_undo_cancels_a_waiting_prompt_instead(world: World) -> None:
    live = world.open()
    send(world, live, point(1, 2, 2)).result(WAIT_S)
    world.segmenter.gate.clear()
    waiting = send(world, live, point(1, 9, 9))
    undone = undo(world.host, live, 1, *key())
    assert undone.revision == undone.base_revision == 1
    with pytest.raises(PromptCancelled):
        waiting.result(WAIT_S)
    world.segmenter.gate.set()
    assert undo(world.host, live, 1, *key()).revision == 2
    with pytest.raises(NothingToUndo):
        undo(world.host, live, 1, *key())


def test_a_cancelled_prompt_of_a_shared_run_lets_the_others_run(world: World) -> None:
    live = world.open()
    world.segmenter.gate.clear()
    first = send(world, live, point(1, 2, 2))
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    a, b = point(1, 5, 5), point(1, 6, 6)
    doomed, other = send(world, live, a), send(world, live, b)
    cancel_prompt(world.host, live, 1, a.origin.id)
    cancel_prompt(world.host, live, 1, a.origin.id)
    world.segmenter.gate.set()
    with pytest.raises(PromptCancelled):
        doomed.result(WAIT_S)
    first.result(WAIT_S)
    assert other.result(WAIT_S).prompt_ids == (b.origin.id,)
    with pytest.raises(PromptNotFound):
        cancel_prompt(world.host, live, 1, b.origin.id)


def test_a_running_prompt_can_be_cancelled_and_has_no_effect(world: World) -> None:
    live = world.open()
    send(world, live, point(1, 2, 2)).result(WAIT_S)
    before = live.session.segment(1).state_name
    world.segmenter.gate.clear()
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    running = point(1, 9, 9)
    future = send(world, live, running)
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    cancel_prompt(world.host, live, 1, running.origin.id)
    with pytest.raises(PromptCancelled):
        future.result(WAIT_S)
    assert live.session.segment(1).state_name == before
    with pytest.raises(PromptCancelled):
        send(world, live, running).result(WAIT_S)


def test_a_failed_prompt_leaves_the_segment_as_it_was_and_the_session_goes_on(world: World) -> None:
    live = world.open()
    world.segmenter.fault = FAILURE
    with pytest.raises(PredictionFailed):
        send(world, live, point(1, 2, 2)).result(WAIT_S)
    world.segmenter.fault = ZeroDivisionError("a fault of ours")
    with pytest.raises(PredictionFailed, match="as it was before"):
        send(world, live, point(1, 2, 2)).result(WAIT_S)
    world.segmenter.fault = None
    assert send(world, live, point(1, 2, 2)).result(WAIT_S).revision == 1


def test_reset_is_a_step_that_can_be_undone(world: World) -> None:
    live = world.open()
    send(world, live, point(1, 2, 2)).result(WAIT_S)
    cleared = reset(world.host, live, 1, *key())
    assert live.session.labelmap(1).is_empty
    assert cleared.revision == 2
    undo(world.host, live, 1, *key())
    assert live.session.labelmap(1).count == 1
    redo(world.host, live, 1, *key())
    assert live.session.labelmap(1).is_empty


def test_repeated_undo_with_one_key_undoes_once(world: World) -> None:
    live = world.open()
    for n in range(3):
        send(world, live, point(1, 2, n)).result(WAIT_S)
    same = key()
    assert undo(world.host, live, 1, *same) == undo(world.host, live, 1, *same)
    assert live.session.segment(1).position == 2


def test_a_labelmap_replaces_the_segment_without_a_model_run(world: World) -> None:
    live = world.open()
    send(world, live, point(1, 2, 2)).result(WAIT_S)
    region = Region(Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2), dtype=np.bool_))
    origin = PromptOrigin(str(uuid.uuid4()), True, "1.2.3")
    send(world, live, LabelmapPrompt.of(origin, region)).result(WAIT_S)
    assert live.session.labelmap(1).region.box == Box((0, 0, 0), (2, 2, 2))
    assert len(world.segmenter.runs) == 1
    outside = Region(Box((0, 0, 0), (SHAPE[0] + 1, 1, 1)), np.ones((SHAPE[0] + 1, 1, 1), dtype=np.bool_))
    with pytest.raises(PromptMalformed, match="outside the volume"):
        send(world, live, LabelmapPrompt.of(PromptOrigin(str(uuid.uuid4()), True, "1.2.3"), outside))


def test_a_locked_segment_refuses_changes_to_itself_only(world: World) -> None:
    live = world.open(segments=2)
    change_segment(world.host, live, 1, {"locked": True}, *key())
    for refused in (
        lambda: send(world, live, point(1, 2, 2)),
        lambda: undo(world.host, live, 1, *key()),
        lambda: reset(world.host, live, 1, *key()),
        lambda: delete_segment(world.host, live, 1, *key()),
        lambda: change_segment(world.host, live, 1, {"label": "x"}, *key()),
    ):
        with pytest.raises(SegmentLocked):
            refused()
    send(world, live, point(1, 2, 2), 2).result(WAIT_S)
    change_segment(world.host, live, 1, {"locked": False}, *key())
    send(world, live, point(1, 2, 2), 1).result(WAIT_S)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        (point(1, 2, 400), PromptOutsideVolume),
        (point(-1, 2, 4), PromptOutsideVolume),
    ],
)
def test_a_prompt_that_cannot_be_taken_leaves_no_trace(world: World, prompt: Prompt, error: type[Exception]) -> None:
    live = world.open()
    before = len(world.journal.entries[live.session.id])
    with pytest.raises(error):
        send(world, live, prompt)
    assert len(world.journal.entries[live.session.id]) == before


def test_another_frame_of_reference_is_refused(world: World) -> None:
    live = world.open()
    prompt = LabelmapPrompt.of(PromptOrigin(str(uuid.uuid4()), True, "9.9"), Region.empty())
    with pytest.raises(WrongFrameOfReference):
        send(world, live, prompt)


def test_sessions_belong_to_their_user_and_end_when_closed(world: World) -> None:
    live = world.open(user="ada")
    with pytest.raises(NotPermitted):
        world.host.get(live.session.id, "eve")
    with pytest.raises(SessionNotFound):
        world.host.get("nowhere", "ada")
    world.segmenter.gate.clear()
    future = send(world, live, point(1, 2, 2))
    close_session(world.host, live)
    with pytest.raises(PromptCancelled):
        future.result(WAIT_S)
    with pytest.raises(SessionClosed):
        send(world, live, point(1, 2, 2))


def test_idle_engines_beyond_the_limit_are_parked_and_come_back(world: World) -> None:
    lives = [world.open(user=f"user {n}") for n in range(world.limits.engines + 2)]
    for live in lives:
        send(world, live, point(1, 2, 2)).result(WAIT_S)
    assert world.segmenter.open_engines == world.limits.engines
    send(world, lives[0], point(1, 3, 3)).result(WAIT_S)
    assert lives[0].session.labelmap(1).count == 2


# --- restart --------------------------------------------------------------------------------------


def test_a_restarted_host_goes_on_with_labelmaps_undo_and_repeated_requests(world: World) -> None:
    live = world.open()
    prompts = [point(1, 2, n) for n in range(5)]
    changes = [send(world, live, p).result(WAIT_S) for p in prompts]
    undo(world.host, live, 1, *key())
    expected = live.session.labelmap(1)
    world.restart()
    again = world.host.get(live.session.id, "ada")
    assert again.session.labelmap(1).equals(expected)
    assert send(world, again, prompts[2]).result(WAIT_S) == changes[2]
    assert redo(world.host, again, 1, *key()).revision == 7
    for _ in range(5):
        undo(world.host, again, 1, *key())
    assert again.session.labelmap(1).is_empty
    send(world, again, point(1, 9, 9)).result(WAIT_S)
    assert world.segmenter.runs[-1][0] == "1@0"


def test_an_intent_without_outcome_runs_after_the_restart(world: World) -> None:
    live = world.open()
    world.segmenter.gate.clear()
    send(world, live, point(1, 2, 2))
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    world.restart()
    world.segmenter.gate.set()
    again = world.host.get(live.session.id, "ada")
    job = again.job(next(iter(again.session.segment(1).pending), ""))
    if job is not None:
        job.future.result(WAIT_S)
    assert again.session.labelmap(1).count == 1


def test_a_prompt_that_crashed_the_service_twice_is_given_up(world: World) -> None:
    live = world.open()
    prompt = point(1, 2, 2)
    send(world, live, prompt).result(WAIT_S)
    entries = world.journal.entries[live.session.id]
    attempt = next(e for e in entries if e.kind == "attempt")
    world.journal.entries[live.session.id] = [e for e in entries if e.kind != "step"] + [attempt]
    world.restart()
    again = world.host.get(live.session.id, "ada")
    with pytest.raises(PredictionFailed, match="given up"):
        send(world, again, prompt).result(WAIT_S)
    assert again.session.labelmap(1).is_empty
    assert send(world, again, point(1, 3, 3)).result(WAIT_S).revision == 1


def test_after_a_restart_a_changed_series_is_noticed_and_the_segments_stay(world: World) -> None:
    live = world.open()
    send(world, live, point(1, 2, 2)).result(WAIT_S)
    before = plan()
    world.reader.now = VolumePlan(
        before.study_instance_uid,
        before.series_instance_uid,
        None,
        "CT",
        before.geometry,
        (*before.slices[:-1], before.slices[0]),
    )
    world.restart()
    again = world.host.get(live.session.id, "ada")
    with pytest.raises(SeriesChanged):
        send(world, again, point(1, 3, 3))
    assert again.session.labelmap(1).count == 1


def test_after_a_restart_with_the_archive_away_nothing_is_lost(world: World) -> None:
    live = world.open()
    send(world, live, point(1, 2, 2)).result(WAIT_S)
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    world.restart()
    again = world.host.get(live.session.id, "ada")
    prompt = point(1, 3, 3)
    with pytest.raises(ArchiveUnreachable):
        send(world, again, prompt)
    undo(world.host, again, 1, *key())
    redo(world.host, again, 1, *key())
    world.archive.fault = None
    assert send(world, again, prompt).result(WAIT_S).revision == 4


def test_a_session_that_was_loading_is_loaded_after_the_restart(world: World) -> None:
    entry = Entry(
        "opened",
        world.host.clock(),
        {"user": "ada", "model": "fake", "volume": None, "study_instance_uid": "1.2", "series_instance_uid": "1.3"},
    )
    world.journal.append("1.3~x", [entry])
    world.restart()
    live = world.host.get("1.3~x", "ada")
    live.loading.result(WAIT_S)
    assert live.session.state == "ready"


def test_whoever_waits_for_a_volume_is_told_when_the_session_failed_or_was_closed(world: World) -> None:
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    with pytest.raises(ArchiveUnreachable):
        world.open()
    world.archive.fault = None
    closed = world.open()
    close_session(world.host, closed)
    world.restart()
    for name in world.journal.sessions():
        with pytest.raises((SessionFailed, SessionClosed)):
            world.host.get(name, "ada").loading.result(WAIT_S)


def test_an_orderly_stop_keeps_running_prompts_for_the_next_start(world: World) -> None:
    live = world.open()
    world.segmenter.gate.clear()
    send(world, live, point(1, 2, 2))
    assert world.segmenter.entered.acquire(timeout=WAIT_S)
    world.host.close()
    assert [e.kind for e in world.journal.entries[live.session.id]][-2:] == ["attempt", "interrupted"]


def test_orderly_stops_in_the_middle_of_a_prompt_never_end_it(world: World) -> None:
    live = world.open()
    session_id, prompt = live.session.id, point(1, 2, 2)
    world.segmenter.gate.clear()
    send(world, live, prompt)
    for _ in range(MAX_ATTEMPTS + 1):
        assert world.segmenter.entered.acquire(timeout=WAIT_S)
        world.host.close()
        world.restart()
        live = world.host.get(session_id, "ada")
    world.segmenter.gate.set()
    assert send(world, live, prompt).result(WAIT_S).revision == 1
