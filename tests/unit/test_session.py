"""The session's fold of journal entries."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.domain.errors import IdempotencyConflict, NothingToRedo, NothingToUndo, PromptConflict, SegmentNotFound
from delineate.domain.geometry import Box, PatientPoint, VolumeGeometry
from delineate.domain.labelmap import PackedRegion, Region
from delineate.domain.prompts import PointPrompt, PromptOrigin
from delineate.domain.records import description_to_json, plan_to_json, prompt_to_json
from delineate.domain.segment import SegmentDescription
from delineate.domain.session import Entry, Session, check_redo, check_undo, patch_of, step_seed
from delineate.domain.volume import SliceSource, VolumePlan

SHAPE = (3, 4, 5)


def plan() -> VolumePlan:
    geometry = VolumeGeometry.from_matrix(SHAPE, np.diag([2.0, 1.0, 1.0, 1.0]), "1.2.3")
    return VolumePlan("1.2", "1.3", None, "CT", geometry, tuple(SliceSource(f"1.4.{k}", 1) for k in range(SHAPE[0])))


def opened() -> Session:
    session = Session("1.3~a")
    session.apply(
        Entry(
            "opened",
            1.0,
            {"user": "a", "model": "demo", "volume": None, "study_instance_uid": "1.2", "series_instance_uid": "1.3"},
        )
    )
    session.apply(Entry("loaded", 2.0, {"plan": plan_to_json(plan())}))
    add_segment(session, 1)
    return session


def add_segment(session: Session, number: int) -> None:
    described = description_to_json(SegmentDescription())
    data = {"segment": number, "description": described, "tracking_id": "t", "tracking_uid": "2.25.1"}
    session.apply(Entry("segment_added", 3.0, data))


def intent(session: Session, name: str, run: bool = True) -> None:
    prompt = PointPrompt(PromptOrigin(name, True, "1.2.3"), PatientPoint(0, 0, 0))
    data, blob = prompt_to_json(prompt)
    entry = {"segment": 1, "prompt": data, "run": run, "key": name, "digest": f"body of {name}"}
    session.apply(Entry("prompt", 4.0, entry, blob))


def step(session: Session, name: str, voxel: tuple[int, int, int], kind: str = "prompts") -> None:
    k, j, i = voxel
    packed = PackedRegion.of(Region(Box(voxel, (k + 1, j + 1, i + 1)), np.ones((1, 1, 1), dtype=np.bool_)))
    data = {"segment": 1, "step": kind, "prompt_ids": [name], "box": packed.box.bounds, "timing": {"model": 7.0}}
    session.apply(Entry("step", 5.0, data, packed.data))


def test_a_session_is_ready_once_its_volume_is_loaded() -> None:
    session = opened()
    assert session.state == "ready"
    assert session.plan == plan()


def test_undo_and_redo_move_over_the_steps_and_revisions_only_grow() -> None:
    session = opened()
    for n, name in enumerate("abc"):
        intent(session, name)
        step(session, name, (0, 0, n))
    maps = [session.labelmap(1)]
    for _ in range(3):
        session.apply(Entry("undo", 6.0, {"segment": 1}))
        maps.append(session.labelmap(1))
    assert maps[-1].is_empty
    with pytest.raises(NothingToUndo):
        check_undo(session.segment(1))
    for expected in reversed(maps[:-1]):
        session.apply(Entry("redo", 7.0, {"segment": 1}))
        assert session.labelmap(1).equals(expected)
    with pytest.raises(NothingToRedo):
        check_redo(session.segment(1))
    assert session.segment(1).revision == 9


def test_a_step_after_undo_drops_what_could_be_redone_and_never_reuses_a_revision() -> None:
    session = opened()
    intent(session, "a")
    step(session, "a", (0, 0, 0))
    session.apply(Entry("undo", 6.0, {"segment": 1}))
    before = session.segment(1).state_name
    intent(session, "b")
    step(session, "b", (1, 1, 1))
    segment = session.segment(1)
    assert (segment.position, len(segment.steps), segment.revision) == (1, 1, 3)
    assert (before, segment.state_name) == ("1@0", "1@3")
    assert segment.remembered == ("b",)


def test_the_model_forgets_prompts_at_a_labelmap_and_at_a_reset() -> None:
    session = opened()
    intent(session, "a")
    step(session, "a", (0, 0, 0))
    step(session, "m", (0, 1, 0), kind="labelmap")
    assert session.segment(1).remembered == ()
    assert not session.segment(1).is_manual
    session.apply(
        Entry(
            "step",
            5.0,
            {"segment": 1, "step": "reset", "prompt_ids": [], "box": [[0, 0]] * 3, "timing": {}},
            b"\x03\x00",
        )
    )
    step(session, "n", (0, 2, 0), kind="labelmap")
    assert session.segment(1).is_manual


def test_a_patch_holds_only_what_changed_and_says_from_which_revision() -> None:
    session = opened()
    for name, voxel in (("a", (0, 0, 0)), ("b", (2, 3, 4))):
        intent(session, name)
        step(session, name, voxel)
    change = session.change_of("b")
    assert change is not None
    patch = patch_of(change, SHAPE, 0.002)
    assert (patch.base_revision, patch.revision) == (1, 2)
    assert patch.region.box == Box((0, 0, 0), (3, 4, 5))
    assert patch.volume_ml == pytest.approx(0.002)
    assert patch.timing.model == 7.0


def test_the_same_id_with_another_body_is_a_conflict() -> None:
    session = opened()
    intent(session, "a")
    assert session.replied("a", "body of a")
    with pytest.raises(PromptConflict):
        session.replied("a", "another body")
    assert not session.replied("unknown", "x")


def test_an_idempotency_key_for_another_request_is_a_conflict() -> None:
    session = opened()
    intent(session, "a")
    step(session, "a", (0, 0, 0))
    session.apply(Entry("undo", 6.0, {"segment": 1, "key": "u", "digest": "x"}))
    assert session.replied("u", "x")
    with pytest.raises(IdempotencyConflict):
        session.replied("u", "y")


def test_a_collected_prompt_is_answered_without_a_change_and_stays_pending() -> None:
    session = opened()
    intent(session, "a", run=False)
    change = session.change_of("a")
    assert change is not None
    assert change.base_revision == change.revision == 0
    assert list(session.segment(1).pending) == ["a"]


def test_segment_numbers_are_never_reused() -> None:
    session = opened()
    session.apply(Entry("segment_deleted", 8.0, {"segment": 1}))
    assert session.next_segment == 2
    with pytest.raises(SegmentNotFound, match="no segment 1"):
        session.segment(1)


def test_the_seed_is_the_start_of_the_hash_of_the_prompts_id() -> None:
    assert step_seed("") == 0xE3B0C442
