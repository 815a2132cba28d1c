"""A host over the real model's adapter and the real journal, and users who work on it at the same time."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.fakes import FakeArchive, FakeSegmentationReader

from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter
from delineate.adapters.process_leases import ProcessLeases
from delineate.adapters.sqlite_journal import SqliteJournal
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.domain.errors import PromptCancelled
from delineate.domain.geometry import PatientPoint
from delineate.domain.ports import DicomJson, VolumeCache
from delineate.domain.prompts import PointPrompt, PromptOrigin
from delineate.domain.segment import SegmentDescription
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.capacity import Limits
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.meter import NoMeter
from delineate.usecases.open_session import go_on, open_session
from delineate.usecases.segments import add_segment
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import undo
from delineate.usecases.volumes import VolumeShelf

ROOMY = Limits(
    engines=64,
    memory_bytes=2**40,
    idle_s=1e9,
    sessions=10_000,
    user_sessions=10_000,
    user_prompts=1000,
    volumes_in_memory=True,
)
PATIENCE_S = 240.0

Index = tuple[int, int, int]


class SeriesShelf:
    """Archive and reader of any number of series, each a volume that is drawn when it is read."""

    def __init__(self, volumes: Iterable[tuple[VolumePlan, Callable[[npt.NDArray[np.float32]], object]]]) -> None:
        self._known = {plan.series_instance_uid: (plan, draw) for plan, draw in volumes}

    def plan(self, headers: Sequence[DicomJson], volume: str | None) -> VolumePlan:  # noqa: ARG002
        return self._known[str(headers[0]["uid"])][0]

    def read(self, plan: VolumePlan, instances: Iterable[bytes], out: npt.NDArray[np.float32] | None = None) -> Volume:
        list(instances)
        voxels = np.empty(plan.geometry.shape, np.float32) if out is None else out
        self._known[plan.series_instance_uid][1](voxels)
        return Volume(plan, voxels)


class NamingArchive(FakeArchive):
    """Gives headers that only name the series."""

    def headers(self, study_instance_uid: str, series_instance_uid: str) -> list[DicomJson]:  # noqa: ARG002
        return [{"uid": series_instance_uid}]


class Runs(NoMeter):
    """Counts model runs."""

    def __init__(self) -> None:
        self.count = 0

    def model_ran(self, *, queue_s: float, model_s: float, passes: int) -> None:  # noqa: ARG002
        self.count += 1


def make_host(
    segmenter: NnInteractiveSegmenter,
    reader: SeriesShelf,
    folder: Path,
    limits: Limits,
    cache: VolumeCache | None = None,
) -> SessionHost:
    archive = NamingArchive()
    return SessionHost(
        SqliteJournal(folder / "journal"),
        ProcessLeases(),
        VolumeShelf(archive, reader, cache or MemoryVolumeCache()),
        segmenter,
        StoredSegmentations(archive, FakeSegmentationReader()),
        go_on=go_on,
        limits=limits,
    )


def open_on(host: SessionHost, user: str, plan: VolumePlan, segments: int = 1) -> LiveSession:
    live = open_session(
        host,
        user=user,
        study_instance_uid=plan.study_instance_uid,
        series_instance_uid=plan.series_instance_uid,
        volume=None,
        segmentation=None,
        model=None,
        key=str(uuid.uuid4()),
        digest="d",
    )
    live.loading.result(PATIENCE_S)
    for _ in range(segments):
        add_segment(host, live, SegmentDescription(), str(uuid.uuid4()), "d")
    return live


def click(host: SessionHost, live: LiveSession, at: Index, *, include: bool = True) -> Any:
    """Send a point on voxel (k, j, i); return the future of what it does."""
    k, j, i = at
    frame = live.plan.geometry.frame_of_reference_uid
    prompt = PointPrompt(PromptOrigin(str(uuid.uuid4()), include, frame), PatientPoint(i, j, k))
    return submit_prompt(host, live, 1, prompt, run=True, digest="d")


@dataclass
class DeviceLog:
    """When each forward pass began and ended, and whose it was."""

    passes: list[tuple[str, float, float]] = field(default_factory=list)

    def watch(self, segmenter: NnInteractiveSegmenter) -> None:
        """Note every pass of the segmenter from now on."""
        scheduler: Any = segmenter._scheduler
        run = scheduler.run

        def noted(user: str, work: Callable[[], Any]) -> Any:
            def timed() -> Any:
                began = time.monotonic()
                try:
                    return work()
                finally:
                    self.passes.append((user, began, time.monotonic()))

            return run(user, timed)

        scheduler.run = noted

    def within(self, begin: float, end: float) -> list[tuple[str, float, float]]:
        return [one for one in self.passes if begin <= one[1] and one[2] <= end]

    def shares(self, begin: float, end: float) -> Counter[str]:
        return Counter(user for user, _, _ in self.within(begin, end))


class Worker(threading.Thread):
    """A user who sends the next prompt as soon as the last one is answered, until told to stop."""

    def __init__(self, host: SessionHost, live: LiveSession, places: Sequence[Index], stop: threading.Event) -> None:
        super().__init__(name=live.session.user, daemon=True)
        self.host, self.live, self.places, self.stop = host, live, places, stop
        self.answers: list[tuple[float, float]] = []
        """When each prompt was sent and answered."""
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            for number in range(10**6):
                if self.stop.is_set():
                    return
                sent = time.monotonic()
                click(self.host, self.live, self.places[number % len(self.places)]).result(PATIENCE_S)
                self.answers.append((sent, time.monotonic()))
                undo(self.host, self.live, 1, str(uuid.uuid4()), "d")
        except PromptCancelled as error:
            self.fault = None if self.stop.is_set() else error
        except BaseException as error:
            self.fault = error
