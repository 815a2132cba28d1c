"""Accept and the result pipeline: frozen, durable, exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from tests.fakes import FakeCodec, World, point

from delineate.domain.errors import (
    ArchiveUnreachable,
    ResultNotFailed,
    SegmentEmpty,
    SegmentsOverlap,
    SegmentUnnamed,
    StoreRefused,
)
from delineate.domain.ports import SegmentationEncoding, StoredDifference
from delineate.domain.result import Result, retry_delay_s
from delineate.domain.segment import CodedConcept
from delineate.usecases.accept_segmentation import ACCEPTANCE_FILE, accept_segmentation, acceptance_of, retry_result
from delineate.usecases.live import LiveSession
from delineate.usecases.segments import change_segment
from delineate.usecases.store_result import ResultPipeline
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


def pipeline(world: World) -> ResultPipeline:
    return ResultPipeline(world.archive, FakeCodec(), world.journal, world.outbox)


def drawn(world: World, segments: int = 1) -> LiveSession:
    live = world.open(segments=segments)
    for number in range(1, segments + 1):
        change_segment(world.host, live, number, dict(NAME), str(uuid.uuid4()), "d")
        submit_prompt(world.host, live, number, point(1, 2, 2), run=True, digest="d").result(10)
    return live


def accept(
    world: World, live: LiveSession, key: str = "k", numbers: list[int] | None = None, encoding: str = "BINARY"
) -> Result:
    chosen: SegmentationEncoding = "LABELMAP" if encoding == "LABELMAP" else "BINARY"
    return accept_segmentation(
        world.host,
        world.journal,
        world.outbox,
        live,
        numbers=numbers,
        series_description=None,
        encoding=chosen,
        key=key,
        digest="d",
    )


def test_accept_freezes_the_segments_before_anything_is_stored(world: World) -> None:
    live = drawn(world)
    result = accept(world, live)
    submit_prompt(world.host, live, 1, point(1, 5, 5), run=True, digest="d").result(10)
    acceptance = acceptance_of(result, world.journal.files[result.id, ACCEPTANCE_FILE])
    assert acceptance.segments[0].labelmap.count == 1
    assert acceptance.segments[0].description.label == "Liver"
    assert acceptance.creator == "ada"
    assert acceptance.model == world.segmenter.info
    assert world.outbox.scheduled == [(result.id, 0.0)]
    assert world.archive.stored == {}


def test_a_result_is_stored_once_verified(world: World) -> None:
    result = accept(world, drawn(world))
    assert pipeline(world).advance(result.id).state == "stored"
    assert list(world.archive.stored) == [result.sop_instance_uid]
    assert world.journal.files == {}
    assert pipeline(world).advance(result.id).state == "stored"
    assert world.archive.stores == 1


def test_the_same_accept_again_is_the_same_result(world: World) -> None:
    live = drawn(world)
    assert accept(world, live).id == accept(world, live).id
    assert accept(world, live, key="other").id != accept(world, live).id


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
        accept(world, live, encoding="LABELMAP")
    assert accept(world, live).state == "encoding"


def test_an_archive_that_is_away_leaves_the_result_waiting_with_a_reason(world: World) -> None:
    result = accept(world, drawn(world))
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    waiting = pipeline(world).advance(result.id)
    assert (waiting.state, waiting.stage, waiting.attempts) == ("waiting", "encoding", 1)
    assert waiting.reason == "The archive is away."
    assert world.outbox.scheduled[-1] == (result.id, 1.0)
    assert pipeline(world).advance(result.id).attempts == 2
    world.archive.fault = None
    assert pipeline(world).advance(result.id).state == "stored"


def test_a_refusal_fails_with_its_reason_and_can_be_tried_again(world: World) -> None:
    result = accept(world, drawn(world))
    world.archive.fault = StoreRefused("The archive refused: no room.")
    failed = pipeline(world).advance(result.id)
    assert (failed.state, failed.problem) == ("failed", "StoreRefused")
    assert pipeline(world).advance(result.id).state == "failed"
    world.archive.fault = None
    retry_result(world.journal, world.outbox, failed)
    stored = pipeline(world).advance(result.id)
    assert stored.state == "stored"
    with pytest.raises(ResultNotFailed):
        retry_result(world.journal, world.outbox, stored)


def test_an_archive_that_changes_the_instance_does_not_count_as_stored(world: World) -> None:
    result = accept(world, drawn(world))
    world.archive.tamper = lambda _: b"something else"
    failed = pipeline(world).advance(result.id)
    assert (failed.state, failed.problem) == ("failed", "StoredDifferently")


def test_a_crash_after_the_store_does_not_store_twice(world: World) -> None:
    result = accept(world, drawn(world))

    class Dies(FakeCodec):
        def compare(self, sent: bytes, received: bytes) -> StoredDifference:  # noqa: ARG002
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ResultPipeline(world.archive, Dies(), world.journal, world.outbox).advance(result.id)
    again = pipeline(world)
    again.resume()
    assert world.outbox.scheduled[-1][0] == result.id
    assert again.advance(result.id).state == "stored"
    assert world.archive.stores == 1


def test_a_crash_between_store_and_record_does_not_store_twice(world: World) -> None:
    result = accept(world, drawn(world))
    pipe = pipeline(world)
    world.archive.fault = None
    world.archive.store(result.sop_instance_uid.encode(), "1.2")
    assert pipe.advance(result.id).state == "stored"
    assert world.archive.stores == 1


def test_retries_double_and_are_bounded() -> None:
    assert [retry_delay_s(n) for n in (1, 2, 3, 20)] == [1.0, 2.0, 4.0, 300.0]
