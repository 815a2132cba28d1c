"""A session that goes on where a stored segmentation ended."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from tests.fakes import World, point, unit_box
from tests.results import accept, acceptance_of, numbers

from delineate.domain.errors import (
    DelineateError,
    NotASegmentation,
    NothingToUndo,
    SegmentationNotFound,
    SegmentationUnreadable,
    SegmentInvalid,
    SessionFailed,
    SessionReadOnly,
)
from delineate.domain.labelmap import NOTHING, Labelmap, PackedRegion, Region
from delineate.domain.prompts import LabelmapPrompt, PromptOrigin
from delineate.domain.segment import CodedConcept, SegmentDescription
from delineate.domain.segmentation import SegmentOrigin, StoredSegment
from delineate.usecases.live import LiveSession
from delineate.usecases.segments import add_segment, change_segment, delete_segment
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import redo, reset, undo

SEG = "1.9.1"
LIVER = SegmentDescription(
    label="Liver",
    category=CodedConcept("91723000", "SCT", "Anatomical Structure"),
    type=CodedConcept("10200004", "SCT", "Liver"),
)
LEFT = CodedConcept("7771000", "SCT", "Left")
LEFT_VENTRICLE = CodedConcept("87878005", "SCT", "Left ventricle")


def stored(number: int, *, manual: bool = False, tracked: bool = True) -> StoredSegment:
    """Return a stored segment of one voxel, (number, 1, 1)."""
    region = Region(unit_box(number, 1, 1), np.ones((1, 1, 1), dtype=np.bool_))
    return StoredSegment(
        LIVER,
        PackedRegion.of(region),
        tracking_id=f"finding {number}" if tracked else None,
        tracking_uid=f"2.25.{number}" if tracked else None,
        origin=SegmentOrigin(number, manual, {"n": number}),
    )


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.archive.stored[SEG] = b"a segmentation"
    world.segmentation_reader.segments = (stored(2), stored(5, manual=True, tracked=False))
    yield world
    world.host.close()


def opened(world: World) -> LiveSession:
    return world.open(segments=0, segmentation=SEG)


def key() -> str:
    return str(uuid.uuid4())


def voxels(live: LiveSession, number: int) -> set[tuple[int, ...]]:
    return {tuple(v) for v in np.argwhere(live.session.labelmap(number).to_array()).tolist()}


def test_segments_keep_numbers_names_and_tracking(world: World) -> None:
    session = opened(world).session
    assert list(session.segments) == [2, 5]
    assert session.segment(2).description == LIVER
    assert (session.segment(2).tracking_id, session.segment(2).tracking_uid) == ("finding 2", "2.25.2")
    assert session.segment(5).tracking_uid.startswith("2.25.")
    assert session.opened_from is not None
    assert session.opened_from.reference.sop_instance_uid == SEG
    assert session.next_segment == 6


def test_what_was_opened_is_the_ground_that_undo_does_not_go_below(world: World) -> None:
    live = opened(world)
    assert voxels(live, 2) == {(2, 1, 1)}
    with pytest.raises(NothingToUndo):
        undo(world.host, live, 2, key(), "d")
    submit_prompt(world.host, live, 2, point(3, 4, 5), run=True, digest="d").result(10)
    assert voxels(live, 2) == {(2, 1, 1), (3, 4, 5)}
    undo(world.host, live, 2, key(), "d")
    assert voxels(live, 2) == {(2, 1, 1)}
    assert live.session.segment(2).is_untouched
    redo(world.host, live, 2, key(), "d")
    reset(world.host, live, 2, key(), "d")
    assert voxels(live, 2) == set()
    undo(world.host, live, 2, key(), "d")
    undo(world.host, live, 2, key(), "d")
    with pytest.raises(NothingToUndo):
        undo(world.host, live, 2, key(), "d")


def test_the_model_starts_from_what_was_opened(world: World) -> None:
    live = opened(world)
    submit_prompt(world.host, live, 2, point(3, 4, 5), run=True, digest="d").result(10)
    assert world.segmenter.runs == [("2@1", 1, "2@2")]
    assert live.session.segment(2).remembered != ()


def test_a_restart_needs_no_archive_to_have_all_of_it_again(world: World) -> None:
    live = opened(world)
    submit_prompt(world.host, live, 5, point(3, 4, 5), run=True, digest="d").result(10)
    world.archive.stored.clear()
    world.restart()
    again = world.host.get(live.session.id, "ada")
    assert (voxels(again, 2), voxels(again, 5)) == ({(2, 1, 1)}, {(5, 1, 1), (3, 4, 5)})
    assert again.session.segment(5).origin == live.session.segment(5).origin
    assert again.session.opened_from == live.session.opened_from


def test_killed_while_opening_it_is_opened_after_the_restart(world: World) -> None:
    session_id = opened(world).session.id
    del world.journal.entries[session_id][1:]
    world.restart()
    live = world.host.get(session_id, "ada")
    live.loading.result(10)
    assert list(live.session.segments) == [2, 5]


def labelmap_prompt(*voxel: int) -> LabelmapPrompt:
    k, j, i = voxel
    region = Region(unit_box(k, j, i), np.ones((1, 1, 1), dtype=np.bool_))
    return LabelmapPrompt.of(PromptOrigin(key(), True, "1.2.3"), region)


def test_who_made_the_voxels_is_known_whatever_was_done_to_them(world: World) -> None:
    live = opened(world)
    automatic, manual = live.session.segment(2), live.session.segment(5)
    assert (automatic.is_manual, automatic.is_predicted, automatic.is_untouched) == (False, False, True)
    assert (manual.is_manual, manual.is_predicted, manual.is_untouched) == (True, False, True)
    for number in (2, 5):
        submit_prompt(world.host, live, number, labelmap_prompt(0, 0, 0), run=True, digest="d").result(10)
    assert (automatic.is_manual, automatic.is_predicted, automatic.is_untouched) == (False, False, False)
    assert (manual.is_manual, manual.is_predicted, manual.is_untouched) == (True, False, False)
    submit_prompt(world.host, live, 5, point(3, 4, 5), run=True, digest="d").result(10)
    assert (manual.is_manual, manual.is_predicted) == (False, True)


def test_accept_freezes_predecessor_origin_and_tracking(world: World) -> None:
    live = opened(world)
    submit_prompt(world.host, live, 2, point(3, 4, 5), run=True, digest="d").result(10)
    change_segment(world.host, live, 5, {"laterality": LEFT}, key(), "d")
    result = accept(world, live)
    acceptance = acceptance_of(world, result)
    assert acceptance.predecessor is not None
    assert acceptance.predecessor.sop_instance_uid == SEG
    refined, sided = acceptance.segments
    assert (refined.untouched, refined.predicted, refined.tracking_uid) == (False, True, "2.25.2")
    assert (sided.untouched, sided.predicted, sided.manual) == (True, False, True)
    assert sided.tracking_uid != live.session.segment(2).tracking_uid
    assert refined.origin == SegmentOrigin(2, False, {"n": 2})
    assert Labelmap.equals(refined.labelmap, live.session.labelmap(2))


def test_a_read_only_session_lists_its_segments_and_refuses_every_change(world: World) -> None:
    world.segmentation_reader.read_only = "The segmentation is FRACTIONAL."
    world.segmentation_reader.segments = (StoredSegment(LIVER, NOTHING, "t", "2.25.1", SegmentOrigin(1, False, {})),)
    live = opened(world)
    assert live.session.segment(1).description == LIVER
    host = world.host
    attempts = (
        lambda: submit_prompt(host, live, 1, point(1, 1, 1), run=True, digest="d"),
        lambda: undo(host, live, 1, key(), "d"),
        lambda: redo(host, live, 1, key(), "d"),
        lambda: reset(host, live, 1, key(), "d"),
        lambda: add_segment(host, live, SegmentDescription(), key(), "d"),
        lambda: change_segment(host, live, 1, {"label": "Other"}, key(), "d"),
        lambda: change_segment(host, live, 1, {"locked": False}, key(), "d"),
        lambda: delete_segment(host, live, 1, key(), "d"),
        lambda: accept(world, live, request=numbers(1)),
    )
    entries = len(world.journal.read(live.session.id))
    for attempt in attempts:
        with pytest.raises(SessionReadOnly, match="FRACTIONAL"):
            attempt()
    assert len(world.journal.read(live.session.id)) == entries
    assert world.journal.results == {}


@pytest.mark.parametrize("error", [SegmentationUnreadable("It is damaged."), SegmentationNotFound("None such.")])
def test_one_that_cannot_be_opened_fails_the_session_with_the_reason(world: World, error: DelineateError) -> None:
    world.archive.fault = error
    with pytest.raises(type(error)):
        opened(world)
    (live,) = world.host.all()
    with pytest.raises(SessionFailed, match=error.detail):
        _ = live.plan
    assert live.session.segments == {}


def test_an_unknown_instance_and_an_image_are_named_for_what_they_are(world: World) -> None:
    with pytest.raises(SegmentationNotFound, match=r"1\.2\.99"):
        world.open(segmentation="1.2.99")
    world.archive.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(NotASegmentation, match=r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.2"):
        opened(world)


def test_a_type_that_says_its_side_takes_no_laterality(world: World) -> None:
    live = world.open(segments=1)
    with pytest.raises(SegmentInvalid, match="Left ventricle"):
        add_segment(world.host, live, SegmentDescription(type=LEFT_VENTRICLE, laterality=LEFT), key(), "d")
    change_segment(world.host, live, 1, {"type": LIVER.type, "laterality": LEFT}, key(), "d")
    with pytest.raises(SegmentInvalid, match="Left ventricle"):
        change_segment(world.host, live, 1, {"type": LEFT_VENTRICLE}, key(), "d")
    change_segment(world.host, live, 1, {"type": LEFT_VENTRICLE, "laterality": None}, key(), "d")
    assert live.session.segment(1).description.type == LEFT_VENTRICLE
