"""Versions of segmentations, and that nobody's work is overlooked."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.fakes import World, point
from tests.results import FakeVersionReader, accept, pipeline_of, versions_of

from delineate.domain.errors import ArchiveUnreachable, NewerVersions, StoreRefused
from delineate.domain.labelmap import NOTHING
from delineate.domain.segment import CodedConcept, SegmentDescription
from delineate.domain.segmentation import InstanceReference, SegmentOrigin, StoredSegment
from delineate.domain.versions import SegmentationVersion, newer_than, version_numbers
from delineate.usecases.accept_segmentation import AcceptRequest, retry_result
from delineate.usecases.live import LiveSession
from delineate.usecases.submit_prompt import submit_prompt

LIVER = SegmentDescription(
    "Liver",
    CodedConcept("91723000", "SCT", "Anatomical Structure"),
    CodedConcept("10200004", "SCT", "Liver"),
)
SEG = "1.2.77"


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.archive.stored[SEG] = b"seg"
    world.segmentation_reader.segments = (StoredSegment(LIVER, NOTHING, "t", "2.25.1", SegmentOrigin(1, False, {})),)
    yield world
    world.host.close()


def refined(world: World, user: str = "ada") -> LiveSession:
    live = world.open(user=user, segments=0, segmentation=SEG)
    submit_prompt(world.host, live, 1, point(1, 2, 2), run=True, digest="d").result(10)
    return live


def version(uid: str, *predecessors: str) -> SegmentationVersion:
    return SegmentationVersion(InstanceReference("1.9", uid, "1"), ("1.3",), predecessors, "", None, "", "")


def test_what_was_made_from_a_version_and_from_that_is_newer() -> None:
    versions = [version("c", "b"), version("b", "a"), version("a"), version("other", "x"), version("d", "b")]
    assert {v.reference.sop_instance_uid for v in newer_than("a", versions)} == {"b", "c", "d"}
    assert {v.reference.sop_instance_uid for v in newer_than("b", versions)} == {"c", "d"}
    assert newer_than("c", versions) == []


def test_numbers_count_what_is_there_and_a_circle_ends() -> None:
    versions = [version("c", "b"), version("b", "a"), version("a", "gone"), version("beside", "a")]
    assert version_numbers(versions) == {"a": 1, "b": 2, "beside": 2, "c": 3}
    assert sorted(version_numbers([version("x", "y"), version("y", "x")])) == ["x", "y"]


def test_a_newer_version_of_somebody_else_is_a_choice(world: World) -> None:
    live = refined(world)
    world.archive.put_version("1.2.78", SEG)
    with pytest.raises(NewerVersions, match=r"1\.2\.78 by Hopper Grace") as refused:
        accept(world, live)
    assert refused.value.base == SEG
    assert [v["sop_instance_uid"] for v in refused.value.versions] == ["1.2.78"]
    assert world.journal.results == {}
    assert live.session.results == []
    result = accept(world, live, request=AcceptRequest(known_versions=("1.2.78",)))
    assert result.predecessor == SEG
    assert pipeline_of(world).advance(result.id).state == "stored"


def test_a_still_newer_one_is_another_choice(world: World) -> None:
    live = refined(world)
    world.archive.put_version("1.2.78", SEG)
    world.archive.put_version("1.2.79", "1.2.78")
    with pytest.raises(NewerVersions) as refused:
        accept(world, live, request=AcceptRequest(known_versions=("1.2.78",)))
    assert [v["sop_instance_uid"] for v in refused.value.versions] == ["1.2.79"]


def test_of_two_who_accept_at_once_one_gets_the_choice(world: World) -> None:
    sessions = [refined(world, user) for user in ("ada", "grace")]
    versions = versions_of(world)
    barrier = threading.Barrier(2)
    outcomes: list[object] = []

    def accept_now(live: LiveSession) -> None:
        barrier.wait()
        try:
            outcomes.append(accept(world, live, versions=versions).user)
        except NewerVersions as error:
            outcomes.append(error)

    threads = [threading.Thread(target=accept_now, args=(live,)) for live in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (choice,) = [outcome for outcome in outcomes if isinstance(outcome, NewerVersions)]
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert choice.versions[0]["creator"] == winner
    (loser,) = (live for live in sessions if live.session.user != winner)
    uid = str(choice.versions[0]["sop_instance_uid"])
    beside = accept(world, loser, request=AcceptRequest(known_versions=(uid,)))
    assert len(world.journal.results) == 2
    assert {pipeline_of(world).advance(name).state for name in world.journal.results} == {"stored"}
    assert beside.sop_instance_uid in world.archive.stored


def test_own_versions_are_no_surprise(world: World) -> None:
    live = refined(world)
    first = accept(world, live)
    pipeline_of(world).advance(first.id)
    world.archive.put_version(first.sop_instance_uid, SEG, creator="ada")
    second = accept(world, live)
    assert second.predecessor == first.sop_instance_uid


def test_while_the_archive_is_away_it_is_asked_before_storing(world: World) -> None:
    live = refined(world)
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    result = accept(world, live)
    assert not result.version_checked
    world.archive.fault = None
    world.archive.put_version("1.2.78", SEG)
    failed = pipeline_of(world).advance(result.id)
    assert (failed.state, failed.problem) == ("failed", "NewerVersions")
    assert "1.2.78" in (failed.reason or "")
    assert world.archive.stores == 0
    retry_result(world.journal, world.outbox, failed)
    assert pipeline_of(world).advance(result.id).state == "stored"


def test_somebody_s_version_on_its_way_is_a_choice_even_while_the_archive_is_away(world: World) -> None:
    ada, grace = refined(world, "ada"), refined(world, "grace")
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    first = accept(world, ada)
    with pytest.raises(NewerVersions) as refused:
        accept(world, grace)
    assert [v["sop_instance_uid"] for v in refused.value.versions] == [first.sop_instance_uid]


def test_what_a_session_accepts_twice_while_the_archive_is_away_is_stored_twice(world: World) -> None:
    live = refined(world)
    world.archive.fault = ArchiveUnreachable("The archive is away.")
    results = [accept(world, live) for _ in range(2)]
    world.archive.fault = None
    for result in results:
        assert pipeline_of(world).advance(result.id).state == "stored"
        world.archive.put_version(result.sop_instance_uid, SEG, creator="ada")


def test_a_retry_looks_again_for_newer_versions(world: World) -> None:
    live = refined(world)
    result = accept(world, live)
    assert result.version_checked
    world.archive.fault = StoreRefused("The archive refused the instance.")
    failed = pipeline_of(world).advance(result.id)
    assert failed.state == "failed"
    world.archive.fault = None
    world.archive.put_version("1.2.78", SEG)
    retry_result(world.journal, world.outbox, failed)
    again = pipeline_of(world).advance(result.id)
    assert (again.state, again.problem) == ("failed", "NewerVersions")
    retry_result(world.journal, world.outbox, again)
    assert pipeline_of(world).advance(result.id).state == "stored"


def test_the_same_accept_again_is_answered_whatever_came_since(world: World) -> None:
    live = refined(world)
    key = str(uuid.uuid4())
    first = accept(world, live, key)
    world.archive.put_version("1.2.78", SEG)
    assert accept(world, live, key).id == first.id


def test_versions_of_a_series_are_told_in_order(world: World) -> None:
    world.archive.put_version("1.2.78", SEG)
    world.archive.put_version(SEG)
    found = versions_of(world).of_series("1.2", "1.3")
    assert {v.reference.sop_instance_uid for v in found} == {SEG, "1.2.78"}
    assert versions_of(world).of_series("1.2", "1.9.9") == []


def test_a_version_says_who_made_it_and_when() -> None:
    header = {"uid": "1", "predecessors": (), "creator": "Hopper^Grace", "00080016": {"Value": ["x"]}}
    made = FakeVersionReader().version(header)
    assert made.by_whom_and_when == "Hopper Grace (2026-01-01 00:00)"
    assert replace(made, creator="", made_by="Acme", created_at=None).by_whom_and_when == "Acme"
