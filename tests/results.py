"""Accepting and storing over the ports in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from tests.fakes import FakeCodec, World

from delineate.domain.ports import Acceptance, DicomJson, ResultCodec, ResultStore, StoredDifference
from delineate.domain.result import Result, ResultDocument
from delineate.domain.segmentation import InstanceReference
from delineate.domain.versions import SegmentationVersion
from delineate.usecases.accept_segmentation import ACCEPTANCE_FILE, Accepting, AcceptRequest
from delineate.usecases.frozen import Identity, thaw
from delineate.usecases.live import LiveSession
from delineate.usecases.record_segments import Recorder
from delineate.usecases.segmentation_versions import SegmentationVersions
from delineate.usecases.store_result import ResultPipeline


class FakeVersionReader:
    """Reads headers of the form that ``FakeArchive.put_version`` gives."""

    def version(self, header: DicomJson) -> SegmentationVersion:
        return SegmentationVersion(
            reference=InstanceReference("1.9", header["uid"], header["00080016"]["Value"][0]),
            source_series=("1.3",),
            predecessors=tuple(header["predecessors"]),
            creator=header["creator"],
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            description="",
            made_by="",
        )


class FakeReports:
    """Stores each document as its SOP Instance UID; ``fault`` is raised while it is set."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, str]] = []
        """Kinds and UIDs, in order."""
        self.fault: Exception | None = None

    def store(
        self,
        result: Result,  # noqa: ARG002
        document: ResultDocument,
        acceptance: Callable[[], Acceptance],
        segmentation: bytes,
    ) -> StoredDifference:
        assert segmentation == acceptance().sop_instance_uid.encode()
        if self.fault is not None:
            raise self.fault
        self.stored.append((document.kind, document.sop_instance_uid))
        return StoredDifference(("InstitutionName",))


def versions_of(world: World, results: ResultStore | None = None) -> SegmentationVersions:
    return SegmentationVersions(world.archive, FakeVersionReader(), results or world.journal)


def accept(
    world: World,
    live: LiveSession,
    key: str | None = None,
    request: AcceptRequest | None = None,
    *,
    results: ResultStore | None = None,
    versions: SegmentationVersions | None = None,
) -> Result:
    store = results or world.journal
    accepting = Accepting(world.host, store, world.outbox, versions or versions_of(world, store))
    return accepting.accept(live, request or AcceptRequest(), key=key or str(uuid.uuid4()), digest="d")


def pipeline_of(
    world: World,
    *,
    codec: ResultCodec | None = None,
    results: ResultStore | None = None,
    reports: FakeReports | None = None,
) -> ResultPipeline:
    store = results or world.journal
    return ResultPipeline(
        world.archive,
        codec or FakeCodec(),
        store,
        world.outbox,
        reports=reports or FakeReports(),
        versions=versions_of(world, store),
        recorder=Recorder(world.journal, store, {"delineate": "test"}),
    )


def acceptance_of(world: World, result: Result) -> Acceptance:
    """Return what was frozen for a result."""
    identity = Identity(result.series_instance_uid, result.sop_instance_uid, result.user, result.created_at)
    return thaw(identity, world.journal.files[result.id, ACCEPTANCE_FILE])


def numbers(*wanted: int) -> AcceptRequest:
    return AcceptRequest(wanted)
