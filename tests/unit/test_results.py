"""Accept and the result pipeline: frozen, durable, exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from tests.fakes import FakeCodec, World, point
from tests.results import FakeReports, accept, acceptance_of, numbers, pipeline_of

from delineate.domain.errors import (
    ArchiveUnreachable,
    ResultNotFailed,
    SegmentEmpty,
    SegmentsOverlap,
    SegmentUnnamed,
    StoreRefused,
)
from delineate.domain.ports import StoredDifference
from delineate.domain.result import retry_delay_s
from delineate.domain.segment import CodedConcept
from delineate.usecases.accept_segmentation import AcceptRequest, retry_result
from delineate.usecases.live import LiveSession
from delineate.usecases.record_segments import RECORDING_FILE
from delineate.usecases.segments import change_segment
from delineate.usecases.submit_prompt import submit_prompt

NAME = {
    "label": "Liver",
    "category": CodedConcept("91723000", "SCT", "Anatomical Structure"),
    "type": CodedConcept("10200004", "SCT", "Liver"),
}


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.host.close()


def drawn(world: World, segments: int = 1) -> LiveSession:
    live = world.open(segments=segments)
    for number in range(1, segments + 1):
        change_segment(world.host, live, number, dict(NAME), str(uuid.uuid4()), "d")
        submit_prompt(world.host, live, number, point(1, 2, 2), run=True, digest="d").result(10)
    return live


def test_accept_freezes_the_segments_before_anything_is_stored(world: World) -> None:
    live = drawn(world)
    result = accept(world, live)
    submit_prompt(world.host, live, 1, point(1, 5, 5), run=True, digest="d").result(10)
    acceptance = acceptance_of(world, result)
    assert acceptance.segments[0].labelmap.count == 1
    assert acceptance.segments[0].description.label == "Liver"
    assert acceptance.creator == "ada"
    assert acceptance.model == world.segmenter.info
    assert world.outbox.scheduled == [(result.id, 0.0)]
    assert world.archive.stored == {}


def test_a_result_is_stored_once_verified(world: World) -> None:
    result = accept(world, drawn(world))
    assert pipeline_of(world).advance(result.id).state == "stored"
    assert list(world.archive.stored) == [result.sop_instance_uid]
    assert [name for _, name in world.journal.files] == [RECORDING_FILE]
    assert pipeline_of(world).advance(result.id).state == "stored"
    assert world.archive.stores == 1


def test_the_same_accept_again_is_the_same_result(world: World) -> None:
    live = drawn(world)
    assert accept(world, live, "k").id == accept(world, live, "k").id
    assert accept(world, live, "other").id != accept(world, live, "k").id


def test_an_accept_that_died_before_the_journal_had_it_is_the_same_result_when_it_is_sent_again(world: World) -> None:
    live = drawn(world)
    first = accept(world, live, "k")
    stored = pipeline_of(world).advance(first.id)
    assert world.journal.entries[live.session.id].pop().kind == "accepted"
    world.restart()
    again = world.host.get(live.session.id, "ada")
    assert again.session.results == []
    assert accept(world, again, "k") == stored
    assert again.session.results == [first.id]
    assert pipeline_of(world).advance(first.id).state == "stored"
    assert world.archive.stores == 1


def test_an_empty_or_unnamed_segment_is_refused(world: World) -> None:
    live = world.open(segments=1)
    with pytest.raises(SegmentEmpty):
        accept(world, live)
    submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d").result(10)
    with pytest.raises(SegmentUnnamed):
        accept(world, live)


def test_overlapping_segments_are_refused_as_labelmap_only(world: World) -> None:
    live = drawn(world, segments=2)
    with pytest.raises(SegmentsOverlap):
        accept(world, live, request=AcceptRequest(encoding="LABELMAP"))
    assert accept(world, live).state == "encoding"


def test_an_archive_that_is_away_leaves_the_result_waiting_with_a_reason(world: World) -> None:
    result = accept(world, drawn(world))
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    waiting = pipeline_of(world).advance(result.id)
    assert (waiting.state, waiting.stage, waiting.attempts) == ("waiting", "encoding", 1)
    assert waiting.reason == "The archive is away."
    assert world.outbox.scheduled[-1] == (result.id, 1.0)
    assert pipeline_of(world).advance(result.id).attempts == 2
    world.archive.fault = None
    assert pipeline_of(world).advance(result.id).state == "stored"


def test_a_refusal_fails_with_its_reason_and_can_be_tried_again(world: World) -> None:
    result = accept(world, drawn(world))
    world.archive.fault = StoreRefused("The archive refused: no room.")
    failed = pipeline_of(world).advance(result.id)
    assert (failed.state, failed.problem) == ("failed", "StoreRefused")
    assert pipeline_of(world).advance(result.id).state == "failed"
    world.archive.fault = None
    retry_result(world.journal, world.outbox, failed)
    stored = pipeline_of(world).advance(result.id)
    assert stored.state == "stored"
    with pytest.raises(ResultNotFailed):
        retry_result(world.journal, world.outbox, stored)


def test_an_archive_that_changes_the_instance_does_not_count_as_stored(world: World) -> None:
    result = accept(world, drawn(world))
    world.archive.tamper = lambda _: b"something else"
    failed = pipeline_of(world).advance(result.id)
    assert (failed.state, failed.problem) == ("failed", "StoredDifferently")


def test_a_crash_after_the_store_does_not_store_twice(world: World) -> None:
    result = accept(world, drawn(world))

    class Dies(FakeCodec):
        def compare(self, sent: bytes, received: bytes) -> StoredDifference:  # noqa: ARG002
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline_of(world, codec=Dies()).advance(result.id)
    again = pipeline_of(world)
    again.resume()
    assert world.outbox.scheduled[-1][0] == result.id
    assert again.advance(result.id).state == "stored"
    assert world.archive.stores == 1


def test_a_crash_between_store_and_record_does_not_store_twice(world: World) -> None:
    result = accept(world, drawn(world))
    pipe = pipeline_of(world)
    world.archive.fault = None
    world.archive.store(result.sop_instance_uid.encode(), "1.2")
    assert pipe.advance(result.id).state == "stored"
    assert world.archive.stores == 1


def test_retries_double_and_are_bounded() -> None:
    assert [retry_delay_s(n) for n in (1, 2, 3, 20)] == [1.0, 2.0, 4.0, 300.0]


def test_the_documents_are_stored_after_the_segmentation_each_once(world: World) -> None:
    result = accept(world, drawn(world))
    reports = FakeReports()
    stored = pipeline_of(world, reports=reports).advance(result.id)
    assert [(d.kind, d.state, d.coerced) for d in stored.documents] == [
        ("measurements", "stored", ("InstitutionName",)),
        ("prompts", "stored", ("InstitutionName",)),
    ]
    assert reports.stored == [(d.kind, d.sop_instance_uid) for d in result.documents]
    pipeline_of(world, reports=reports).advance(result.id)
    assert len(reports.stored) == 2


def test_a_document_that_fails_does_not_lose_the_segmentation_and_can_be_tried_again(world: World) -> None:
    result = accept(world, drawn(world))
    reports = FakeReports()
    reports.fault = ZeroDivisionError()
    stored = pipeline_of(world, reports=reports).advance(result.id)
    assert (stored.state, stored.segmentation_stored) == ("stored", True)
    assert list(world.archive.stored) == [result.sop_instance_uid]
    assert [(d.state, d.problem) for d in stored.documents] == [("failed", "ZeroDivisionError")] * 2
    assert all(document.reason for document in stored.documents)
    reports.fault = None
    retry_result(world.journal, world.outbox, stored)
    again = pipeline_of(world, reports=reports).advance(result.id)
    assert [d.state for d in again.documents] == ["stored", "stored"]
    assert world.archive.stores == 1
    assert [name for _, name in world.journal.files] == [RECORDING_FILE]


def test_an_archive_that_goes_away_before_the_documents_is_waited_for(world: World) -> None:
    result = accept(world, drawn(world))
    reports = FakeReports()
    reports.fault = ArchiveUnreachable("The archive is away.")
    waiting = pipeline_of(world, reports=reports).advance(result.id)
    assert (waiting.state, waiting.stage, waiting.segmentation_stored) == ("waiting", "verifying", True)
    world.archive.tamper = lambda _: b"not looked at again"
    world.archive.stored[result.sop_instance_uid] = b"not looked at again"
    reports.fault = None
    assert pipeline_of(world, reports=reports).advance(result.id).state == "stored"


def test_a_second_accept_is_the_next_version_of_the_first(world: World) -> None:
    live = drawn(world, segments=2)
    first = accept(world, live)
    assert accept(world, live).predecessor is None, "the first one is not in the archive yet"
    pipeline_of(world).advance(first.id)
    second = accept(world, live)
    assert second.predecessor == first.sop_instance_uid
    assert acceptance_of(world, second).predecessor is not None


def test_other_findings_of_the_session_are_no_version(world: World) -> None:
    live = drawn(world, segments=2)
    first = accept(world, live, request=numbers(1))
    pipeline_of(world).advance(first.id)
    assert accept(world, live, request=numbers(2)).predecessor is None
