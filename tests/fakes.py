"""Ports in memory, for tests of the use cases alone."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.adapters.process_leases import ProcessLeases
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.domain.errors import PredictionFailed, PromptCancelled, ResultNotFound
from delineate.domain.geometry import Box, PatientPoint, VolumeGeometry
from delineate.domain.labelmap import Region
from delineate.domain.model import ModelInfo
from delineate.domain.ports import (
    DicomJson,
    Leases,
    Opening,
    Progress,
    SegmentHistory,
    SeriesHeaders,
    StepOutcome,
    StoredDifference,
    StoreReceipt,
)
from delineate.domain.prompts import PointPrompt, PromptOrigin, VoxelPrompt
from delineate.domain.result import Result
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference, StoredSegment, StoredSegmentation
from delineate.domain.session import ENDINGS, Entry, Session
from delineate.domain.volume import SliceSource, Volume, VolumePlan
from delineate.usecases.capacity import Limits
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import go_on, open_session
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.volumes import VolumeShelf

LONGEST_S = 10.0
SHAPE = (6, 30, 40)
MODEL = ModelInfo(
    id="fake",
    name="Fake",
    demo=True,
    licence="none",
    version="1",
    weights_sha256="0" * 64,
    prompts=("point", "box", "scribble", "lasso"),
    oblique_prompts=("point",),
    scribble_thickness_voxels=2,
    crop_shape=(16, 16, 16),
)

LIMITS = Limits(
    engines=4,
    memory_bytes=10**9,
    idle_s=1e9,
    sessions=1000,
    user_sessions=1000,
    user_prompts=1000,
    volumes_in_memory=True,
)


def plan() -> VolumePlan:
    geometry = VolumeGeometry.from_matrix(SHAPE, np.eye(4)[[2, 1, 0, 3]], "1.2.3")
    return VolumePlan("1.2", "1.3", None, "CT", geometry, tuple(SliceSource(f"1.4.{k}", 1) for k in range(SHAPE[0])))


def point(k: int, j: int, i: int, *, include: bool = True, name: str | None = None) -> PointPrompt:
    """Return a point prompt on voxel (k, j, i) of ``plan``."""
    return PointPrompt(PromptOrigin(name or str(uuid.uuid4()), include, "1.2.3"), PatientPoint(i, j, k))


class MemoryJournal:
    """Journal and result store in dictionaries."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {}
        self.results: dict[str, Result] = {}
        self.files: dict[tuple[str, str], bytes] = {}

    def append(self, session_id: str, entries: Sequence[Entry], *, epoch: int = 0) -> None:  # noqa: ARG002
        self.entries.setdefault(session_id, []).extend(entries)

    def sessions(self) -> list[str]:
        return list(self.entries)

    def openings(self, user: str) -> list[Opening]:
        return [
            Opening(name, entries[0].data, any(entry.kind in ENDINGS for entry in entries))
            for name, entries in self.entries.items()
            if entries[0].data.get("user") == user
        ]

    def untouched_since(self, at: float) -> list[str]:
        return [name for name, entries in self.entries.items() if entries[-1].at < at]

    def sessions_under_way(self) -> list[str]:
        return [name for name in self.entries if is_under_way(self.read(name))]

    def read(self, session_id: str) -> list[Entry]:
        return list(self.entries.get(session_id, []))

    def purge(self, session_id: str, *, epoch: int = 0) -> None:  # noqa: ARG002
        del self.entries[session_id]

    def save(self, result: Result) -> None:
        self.results[result.id] = result

    def load(self, result_id: str) -> Result:
        if result_id not in self.results:
            raise ResultNotFound(f"There is no result {result_id}.")
        return self.results[result_id]

    def unfinished(self) -> list[Result]:
        return [r for r in self.results.values() if r.state not in ("stored", "failed")]

    def write_file(self, result_id: str, name: str, data: bytes) -> None:
        self.files[result_id, name] = data

    def read_file(self, result_id: str, name: str) -> bytes | None:
        return self.files.get((result_id, name))

    def purge_files(self, result_id: str, keep: Collection[str] = ()) -> None:
        self.files = {key: value for key, value in self.files.items() if key[0] != result_id or key[1] in keep}

    def purge_result(self, result_id: str) -> None:
        del self.results[result_id]
        self.purge_files(result_id)


def is_under_way(entries: Sequence[Entry]) -> bool:
    """Tell whether a session's volume is not loaded yet, or a prompt has no outcome."""
    session = Session("folded")
    for entry in entries:
        session.apply(entry)
    return session.state == "loading" or any(segment.pending for segment in session.segments.values())


class FakeArchive:
    """An archive with one series, and whatever is stored; ``fault`` is raised by the next calls while it is set."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.stores = 0
        self.fault: Exception | None = None
        self.sop_class_uid = SEGMENTATION_CLASSES[0]
        self.versions: list[dict[str, Any]] = []
        """Headers of segmentations; each with ``uid``, ``predecessors`` and ``creator`` (tests/results.py)."""
        self.tamper: Callable[[bytes], bytes] = lambda data: data

    def _maybe_fail(self) -> None:
        if self.fault is not None:
            raise self.fault

    def check(self) -> None:
        self._maybe_fail()

    def headers(self, study_instance_uid: str, series_instance_uid: str) -> list[DicomJson]:  # noqa: ARG002
        self._maybe_fail()
        return list(self.versions)

    def described(self, study_instance_uid: str, series_instance_uid: str) -> SeriesHeaders:
        headers = self.headers(study_instance_uid, series_instance_uid)
        return SeriesHeaders(headers, repr(headers))

    def instances(
        self,
        study_instance_uid: str,  # noqa: ARG002
        series_instance_uid: str,  # noqa: ARG002
        sop_instance_uids: Sequence[str],
        progress: Progress,
    ) -> Iterator[bytes]:
        self._maybe_fail()
        progress(len(sop_instance_uids), len(sop_instance_uids), 0)
        yield from ()

    def has_instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:  # noqa: ARG002
        self._maybe_fail()
        return sop_instance_uid in self.stored

    def instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bytes:  # noqa: ARG002
        self._maybe_fail()
        return self.stored[sop_instance_uid]

    def find_instance(self, study_instance_uid: str, sop_instance_uid: str) -> InstanceReference | None:  # noqa: ARG002
        self._maybe_fail()
        if sop_instance_uid not in self.stored:
            return None
        return InstanceReference("1.9", sop_instance_uid, self.sop_class_uid)

    def segmentations(self, study_instance_uid: str) -> list[InstanceReference]:  # noqa: ARG002
        self._maybe_fail()
        return [InstanceReference("1.9", header["uid"], self.sop_class_uid) for header in self.versions]

    def put_version(self, uid: str, *predecessors: str, creator: str = "Hopper^Grace") -> None:
        """Hold a segmentation that somebody else has stored."""
        header = {"uid": uid, "predecessors": predecessors, "creator": creator}
        self.versions.append({**header, "00080016": {"Value": [self.sop_class_uid]}})

    def store(self, part10: bytes, study_instance_uid: str) -> StoreReceipt:  # noqa: ARG002
        self._maybe_fail()
        self.stores += 1
        self.stored[part10.decode()] = self.tamper(part10)
        return StoreReceipt()


class SlowArchive(FakeArchive):
    """Gives one instance after another, each when ``gate`` is open, and counts the fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.fetched: list[str] = []
        self.edition = 0

    def headers(self, study_instance_uid: str, series_instance_uid: str) -> list[DicomJson]:
        self._maybe_fail()
        return [{"study": study_instance_uid, "series": series_instance_uid, "edition": self.edition}]

    def instances(
        self,
        study_instance_uid: str,  # noqa: ARG002
        series_instance_uid: str,
        sop_instance_uids: Sequence[str],
        progress: Progress,
    ) -> Iterator[bytes]:
        self.fetched.append(series_instance_uid)
        self.begun.release()
        for n, _ in enumerate(sop_instance_uids, 1):
            progress(n, len(sop_instance_uids), 100 * n)
            assert self.gate.wait(LONGEST_S)
            yield b""


class FakeReader:
    """Reads every series as ``plan()``."""

    def __init__(self) -> None:
        self.now = plan()

    def plan(self, headers: Sequence[DicomJson], volume: str | None) -> VolumePlan:  # noqa: ARG002
        return self.now

    def read(self, plan: VolumePlan, instances: Iterable[bytes], out: npt.NDArray[np.float32] | None = None) -> Volume:
        list(instances)
        voxels = np.empty(plan.geometry.shape, dtype=np.float32) if out is None else out
        voxels[...] = 0
        return Volume(plan, voxels)


class NamingReader(FakeReader):
    """Reads every series as ``plan()`` under its own UIDs; ``edition`` is another set of instances."""

    def __init__(self) -> None:
        super().__init__()
        self.planned = 0

    def plan(self, headers: Sequence[DicomJson], volume: str | None) -> VolumePlan:
        self.planned += 1
        study, series, edition = (headers[0][name] for name in ("study", "series", "edition"))
        slices = tuple(SliceSource(f"{series}.{volume}.{edition}.{k}", 1) for k in range(plan().geometry.shape[0]))
        return replace(plan(), study_instance_uid=study, series_instance_uid=series, volume=volume, slices=slices)


class FakeSegmentationReader:
    """Reads every instance as ``segments``."""

    def __init__(self) -> None:
        self.segments: tuple[StoredSegment, ...] = ()
        self.read_only: str | None = None

    def read(self, part10: bytes, reference: InstanceReference, plan: VolumePlan) -> StoredSegmentation:  # noqa: ARG002
        return StoredSegmentation(reference, self.segments, self.read_only)

    def sources(self, part10: bytes) -> frozenset[str]:  # noqa: ARG002
        return frozenset()


class FakeCodec:
    """Encodes an acceptance as its SOP Instance UID."""

    def encode(self, acceptance: Any, headers: Sequence[DicomJson]) -> bytes:  # noqa: ARG002
        uid: str = acceptance.sop_instance_uid
        return uid.encode()

    def compare(self, sent: bytes, received: bytes) -> StoredDifference:
        from delineate.domain.errors import StoredDifferently

        if sent != received:
            raise StoredDifferently("The archive changed the instance.")
        return StoredDifference()


class FakeOutbox:
    """Remembers what was scheduled."""

    def __init__(self) -> None:
        self.scheduled: list[tuple[str, float]] = []

    def schedule(self, result_id: str, delay_s: float = 0.0) -> None:
        self.scheduled.append((result_id, delay_s))


class FakeSegmenter:
    """Sets (or clears) the voxels of each prompt's box; waits at ``gate`` and fails on ``failing`` prompts."""

    def __init__(self) -> None:
        self.info = MODEL
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.runs: list[tuple[str, int, str]] = []
        """Of each run: the history's state, how many prompts, the state it led to."""
        self.fault: Exception | None = None
        self.open_engines = 0
        self.opened_for: list[str] = []
        """User of each engine that was opened."""

    working_bytes = 0

    def engine_bytes(self, shape: tuple[int, int, int]) -> int:
        return prod(shape)

    def open(self, volume: Volume, user: str) -> FakeEngine:  # noqa: ARG002
        self.open_engines += 1
        self.opened_for.append(user)
        return FakeEngine(self)

    def close(self) -> None:
        """Nothing to do."""


class FakeEngine:
    def __init__(self, segmenter: FakeSegmenter) -> None:
        self._segmenter = segmenter

    def run(
        self,
        history: SegmentHistory,
        prompts: Sequence[VoxelPrompt],
        *,
        state: str,
        seed: int,  # noqa: ARG002
        cancelled: Callable[[], bool],
        preview: Callable[[Region], None] | None = None,
    ) -> StepOutcome:
        self._segmenter.entered.release()
        while not self._segmenter.gate.wait(0.01):
            if cancelled():
                raise PromptCancelled("The prompt was cancelled.")
        if self._segmenter.fault is not None:
            raise self._segmenter.fault
        self._segmenter.runs.append((history.state, len(prompts), state))
        after = history.labelmap
        for prompt in prompts:
            voxels = np.full(prompt.box.shape, prompt.include, dtype=np.bool_)
            after = after.apply(Region(prompt.box, voxels))
        change = history.labelmap.change_to(after)
        if preview is not None:
            preview(change)
        return StepOutcome(change, 1, 1.0)

    def close(self) -> None:
        self._segmenter.open_engines -= 1


class World:
    """A host over fakes, that can be restarted."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.journal = MemoryJournal()
        self.leases: Leases = ProcessLeases()
        self.archive = FakeArchive()
        self.reader = FakeReader()
        self.segmentation_reader = FakeSegmentationReader()
        self.segmenter = FakeSegmenter()
        self.outbox = FakeOutbox()
        self.host = self._host()

    def _host(self) -> SessionHost:
        return SessionHost(
            self.journal,
            self.leases,
            VolumeShelf(self.archive, self.reader, MemoryVolumeCache()),
            self.segmenter,
            StoredSegmentations(self.archive, self.segmentation_reader),
            go_on=go_on,
            limits=self.limits,
        )

    def open(self, user: str = "ada", segments: int = 1, segmentation: str | None = None) -> LiveSession:
        from delineate.domain.segment import SegmentDescription
        from delineate.usecases.segments import add_segment

        live = open_session(
            self.host,
            user=user,
            study_instance_uid="1.2",
            series_instance_uid="1.3",
            volume=None,
            segmentation=segmentation,
            model=None,
            key=str(uuid.uuid4()),
            digest="d",
        )
        live.loading.result(10)
        for _ in range(segments):
            add_segment(self.host, live, SegmentDescription(), str(uuid.uuid4()), "d")
        return live

    def restart(self) -> None:
        """Forget everything but the journal, as a killed process does, and go on with what was under way."""
        self.leases = ProcessLeases()
        self.host = self._host()
        self.host.rebuild(self.journal.sessions_under_way())


def unit_box(k: int, j: int, i: int) -> Box:
    return Box((k, j, i), (k + 1, j + 1, i + 1))


FAILURE = PredictionFailed("The model failed.")
