"""What listeners of a session are told, and that nobody waits for them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from tests.fakes import FAILURE, World, point
from tests.results import accept, pipeline_of

from delineate.domain.labelmap import Labelmap
from delineate.domain.segment import CodedConcept
from delineate.domain.session import patch_of
from delineate.usecases.events import (
    MAX_WAITING,
    Event,
    Listener,
    PatchMade,
    ProgressMade,
    QueueMoved,
    ResultChanged,
    SegmentChanged,
    SegmentDeleted,
    SessionChanged,
)
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session, open_session
from delineate.usecases.segments import change_segment, delete_segment
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import redo, reset, undo
from delineate.usecases.watched_results import WatchedResults


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.segmenter.gate.set()
    world.host.close()


class Window:
    """A listener that notes everything in order."""

    def __init__(self, world: World, live: LiveSession) -> None:
        self.seen: list[Event] = []
        self._context = world.host.listening(live, self._take)
        self.listener: Listener | None = None
        self.listener = self._context.__enter__()

    def _take(self) -> None:
        if self.listener is not None:
            self.seen += self.listener.take()

    def patches(self) -> list[PatchMade]:
        return [event for event in self.seen if isinstance(event, PatchMade)]

    def leave(self) -> None:
        self._context.__exit__(None, None, None)


def draw(world: World, live: LiveSession, k: int, j: int, i: int) -> None:
    submit_prompt(world.host, live, 1, point(k, j, i), run=True, digest="d").result(10)


def test_two_windows_see_the_same_patches_which_lead_to_the_labelmap(world: World) -> None:
    live = world.open()
    one, other = Window(world, live), Window(world, live)
    for n in range(3):
        draw(world, live, 1, 2, 5 * n)
    for change in (undo, undo, redo, reset, undo):
        change(world.host, live, 1, str(uuid.uuid4()), "d")
    assert [p.change for p in one.patches()] == [p.change for p in other.patches()]
    shown, revision = Labelmap(live.session.shape), 0
    for made in one.patches():
        patch = patch_of(made.change, live.session.shape, 1.0)
        assert patch.base_revision == revision
        shown, revision = shown.apply(patch.region), patch.revision
    assert revision == 8
    assert shown.equals(live.session.labelmap(1))
    assert shown.count == 2


def test_a_prompt_is_told_as_waiting_running_and_done(world: World) -> None:
    live = world.open()
    window = Window(world, live)
    world.segmenter.gate.clear()
    future = submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d")
    assert world.segmenter.entered.acquire(timeout=10)
    assert SegmentChanged(1) in window.seen
    assert QueueMoved() in window.seen
    assert window.patches() == []
    window.seen.clear()
    world.segmenter.gate.set()
    future.result(10)
    kinds = [type(event) for event in window.seen]
    assert kinds.index(PatchMade) < kinds.index(SegmentChanged)


def test_a_prompt_that_failed_is_told_without_a_patch(world: World) -> None:
    live = world.open()
    world.segmenter.fault = FAILURE
    window = Window(world, live)
    assert submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d").exception(10) is FAILURE
    assert window.patches() == []
    assert window.seen.count(SegmentChanged(1)) >= 2


def test_segments_and_the_end_are_told(world: World) -> None:
    live = world.open(segments=2)
    window = Window(world, live)
    change_segment(world.host, live, 2, {"label": "Liver"}, "a", "d")
    delete_segment(world.host, live, 1, "b", "d")
    close_session(world.host, live)
    told = [event for event in window.seen if event != QueueMoved()]
    assert told == [SegmentChanged(2), SegmentDeleted(1), SessionChanged()]


def test_loading_is_told_with_its_progress(world: World) -> None:
    gate = threading.Event()
    headers = world.archive.headers

    def held(study: str, series: str) -> object:
        assert gate.wait(10)
        return headers(study, series)

    world.archive.headers = held  # type: ignore[method-assign, assignment]
    live = open_session(
        world.host,
        user="ada",
        study_instance_uid="1.2",
        series_instance_uid="1.3",
        volume=None,
        segmentation=None,
        model=None,
        key=None,
        digest="d",
    )
    window = Window(world, live)
    gate.set()
    live.loading.result(10)
    assert window.seen[0] == ProgressMade()
    assert window.seen[-1] == SessionChanged()
    assert live.progress[:2] == (6, 6)


def test_a_result_is_told_at_every_state(world: World) -> None:
    live = world.open()
    code = CodedConcept("10200004", "SCT", "Liver")
    change_segment(world.host, live, 1, {"label": "Liver", "category": code, "type": code}, "n", "d")
    draw(world, live, 1, 2, 2)
    window = Window(world, live)
    results = WatchedResults(world.journal, world.host.result_saved)
    result = accept(world, live, results=results)
    pipeline_of(world, results=results).advance(result.id)
    states = [event.result.state for event in window.seen if isinstance(event, ResultChanged)]
    assert list(dict.fromkeys(states)) == ["encoding", "storing", "verifying", "stored"]


def test_who_left_is_told_nothing(world: World) -> None:
    live = world.open()
    window = Window(world, live)
    window.leave()
    draw(world, live, 1, 2, 2)
    assert window.seen == []
    assert not live.listeners


def test_an_event_that_waits_gives_way_to_an_equal_later_one() -> None:
    listener = Listener(lambda: None)
    for event in (SegmentChanged(1), ProgressMade(), SegmentChanged(2), SegmentChanged(1)):
        listener.put(event)
    assert listener.take() == [ProgressMade(), SegmentChanged(2), SegmentChanged(1)]
    assert listener.take() == []


def test_a_listener_that_takes_nothing_is_dropped_and_holds_nothing(world: World) -> None:
    live = world.open()
    with world.host.listening(live, lambda: None) as slow:
        draw(world, live, 1, 2, 2)
        for n in range(MAX_WAITING):
            assert slow.dropped == (n >= MAX_WAITING - 2)  # one place each for the segment and the queue
            (undo if n % 2 == 0 else redo)(world.host, live, 1, str(uuid.uuid4()), "d")
        assert slow.dropped
        assert slow.take() == []
        draw(world, live, 1, 2, 3)
        assert slow.take() == []


def test_the_number_of_voxels_is_that_of_the_labelmap_now(world: World) -> None:
    live = world.open()
    segment = live.session.segment(1)
    assert segment.voxel_count == 0
    rng = np.random.default_rng(0)
    for _ in range(5):
        draw(world, live, *(int(rng.integers(n)) for n in live.session.shape))
        assert segment.voxel_count == live.session.labelmap(1).count
    undo(world.host, live, 1, "u", "d")
    assert segment.voxel_count == live.session.labelmap(1).count == 4
