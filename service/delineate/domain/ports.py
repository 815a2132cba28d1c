"""What Delineate needs of the outer world."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from delineate.domain.labelmap import Labelmap, Region
from delineate.domain.model import ModelInfo
from delineate.domain.preload import PreloadOrder, PreloadRecord
from delineate.domain.prompts import Prompt, VoxelPrompt
from delineate.domain.result import Result
from delineate.domain.segment import SegmentDescription
from delineate.domain.segmentation import InstanceReference, SegmentOrigin, StoredSegmentation
from delineate.domain.session import Entry
from delineate.domain.value_scale import ValueScale
from delineate.domain.versions import SegmentationVersion
from delineate.domain.volume import Volume, VolumePlan

DicomJson = Mapping[str, Any]
"""One instance's attributes in the DICOM JSON model (PS3.18 F), without bulk pixel data."""
Progress = Callable[[int, int, int], None]
"""Called with instances done, instances in all, bytes received so far."""


@dataclass(frozen=True, slots=True)
class SeriesHeaders:
    """What the archive says of a series."""

    instances: Sequence[DicomJson]
    digest: str
    """Hash of all of it."""


@dataclass(frozen=True, slots=True)
class StoreReceipt:
    """The archive's answer to a store transaction that it took."""

    retrieve_url: str | None = None
    warnings: tuple[str, ...] = ()
    """Of WarningReason and coercions, in words."""


class Archive(Protocol):
    """A DICOMweb archive (PS3.18): errors are ArchiveError leaves; temporary ones were retried with back-off."""

    def check(self) -> None:
        """Return when the archive answers; raise an ArchiveError if not."""

    def headers(self, study_instance_uid: str, series_instance_uid: str) -> list[DicomJson]:
        """Return the attributes of every instance (WADO-RS metadata); SeriesNotFound if there is none."""

    def described(self, study_instance_uid: str, series_instance_uid: str) -> SeriesHeaders:
        """Return the same with a hash of it, by which a series that is as it was before is known at once."""

    def instances(
        self, study_instance_uid: str, series_instance_uid: str, sop_instance_uids: Sequence[str], progress: Progress
    ) -> Iterator[bytes]:
        """Yield those instances as Part 10 files as stored, in any order, streaming; SeriesIncomplete if some lack."""

    def has_instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Tell whether the archive holds that instance."""

    def find_instance(self, study_instance_uid: str, sop_instance_uid: str) -> InstanceReference | None:
        """Return where in the study an instance is (QIDO-RS), or None if the study does not have it."""

    def segmentations(self, study_instance_uid: str) -> list[InstanceReference]:
        """Return where the study's DICOM Segmentations are (QIDO-RS); none if the archive has no such study."""

    def instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bytes:
        """Return one instance as a Part 10 file, as stored."""

    def store(self, part10: bytes, study_instance_uid: str) -> StoreReceipt:
        """Store one instance (STOW-RS).

        Raises
        ------
        StoreRefused
            For good: FailedSOPSequence with a permanent reason, or 4xx.
        ArchiveUnreachable, ArchiveTimeout, ArchiveDenied
            Otherwise.
        """


class VolumeReader(Protocol):
    """Turns a series of instances into a volume, or names what keeps it from being one."""

    def plan(self, headers: Sequence[DicomJson], volume: str | None) -> VolumePlan:
        """Check and sort the headers; SeriesError leaves say what is wrong."""

    def read(self, plan: VolumePlan, instances: Iterable[bytes], out: npt.NDArray[np.float32] | None = None) -> Volume:
        """Decode the plan's instances, each straight into its place; holds one instance at a time beside the volume.

        ``out``, of the plan's shape (k, j, i), is where the voxels are put; they are the volume's.
        """


class ScaleReader(Protocol):
    """Reads what the values of a volume mean."""

    def scale(self, plan: VolumePlan, headers: Sequence[DicomJson], instance: Callable[[str], bytes]) -> ValueScale:
        """Return unit and factor, and the reason where it is not the unit that one would expect.

        ``headers`` are those of every instance of the series. ``instance`` returns one as a Part 10 file, by its SOP
        Instance UID: it is asked only for what headers leave out. Raises nothing but what that raises.
        """


FillVoxels = Callable[[npt.NDArray[np.float32]], object]
"""Writes every voxel of an array of axes (k, j, i); what it raises goes to whoever asked for the volume."""
WhileWaiting = Callable[[], object]
"""Called again and again while another thread or process does the work; gives up waiting by raising."""


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """How full a volume cache is."""

    volumes: int
    nbytes: int
    """Of the volumes and what was derived from them, those on their way included."""
    budget_bytes: int | None
    """None: no budget."""


class VolumeCache(Protocol):
    """Volumes, one for all who work on a series, and what was derived from them; the arrays are read-only.

    It knows nothing of the archive: whoever uses it asks the archive for the series' headers first, each time and with
    the user's credentials, and looks the plan up that they give. A changed series has another fingerprint.
    """

    def find(self, plan: VolumePlan) -> Volume | None:
        """Return the plan's volume if it is there."""

    def holds(self, fingerprint: str) -> bool:
        """Tell whether the volume of a plan with that fingerprint is there; that does not count as a use."""

    def remember(self, digest: str, plan: VolumePlan) -> None:
        """Keep, beside the plan's volume, that headers with this hash gave this plan."""

    def recall(self, digest: str, volume: str | None) -> VolumePlan | None:
        """Return the plan that headers with this hash gave for a selector, if its volume is still there."""

    def load(
        self, plan: VolumePlan, fill: FillVoxels, while_waiting: WhileWaiting = ..., begin: Callable[[], object] = ...
    ) -> Volume:
        """Return the plan's volume; if it is not there, have ``fill`` write it, once for all who ask meanwhile.

        It is kept at least as long as a view of its voxels lives. If ``fill`` raises, nothing stays, and the next who
        waits fills. ``begin`` is called by whoever is to fill, before there is any room taken for the volume.

        Raises
        ------
        CacheFull
            If the volumes in use leave no room.
        CacheDiskFailed
            If the disk is full or faulty.
        """

    def derived(
        self, plan: VolumePlan, name: str, make: Callable[[], npt.NDArray[Any]], while_waiting: WhileWaiting = ...
    ) -> npt.NDArray[Any]:
        """Return an array that belongs to the plan's volume and to nothing else, made once for all who ask.

        ``name`` names everything that it depends on beside the volume. ``make`` does not use the cache. Call it while
        holding the volume; where the array finds no room it is this process's own.
        """

    def usage(self) -> CacheUsage:
        """Return how full it is."""

    def purge(self, unused_for_s: float = 0.0) -> int:
        """Remove the volumes that nobody uses, and nobody used for so long; return how many."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentHistory:
    """All that a model needs to know of a segment to go on with it."""

    state: str
    """Names this state: two histories of one session with equal states are equal."""
    labelmap: Labelmap
    prompts: tuple[VoxelPrompt, ...] = ()
    """Those that the model remembers, in order: all since the last labelmap prompt or reset."""


@dataclass(frozen=True, slots=True, eq=False)
class StepOutcome:
    """What one model run did."""

    change: Region
    """Absolute values; the smallest box that differs from the history's labelmap (empty: nothing changed)."""
    passes: int
    """Forward passes of the network."""
    model_ms: float
    """Time in the run, waiting for the shared device included."""


class Engine(Protocol):
    """A model with one volume loaded, for one session at a time; not thread-safe."""

    def run(
        self,
        history: SegmentHistory,
        prompts: Sequence[VoxelPrompt],
        *,
        state: str,
        seed: int,
        cancelled: Callable[[], bool],
        preview: Callable[[Region], None] | None = None,
    ) -> StepOutcome:
        """Give the prompts to the model after ``history`` and predict once.

        ``state`` will name the history that includes these prompts and the outcome, so that a following run need not
        rebuild. Previews are absolute regions that build on each other; applied in order, and the final change last,
        they give the final labelmap. After PromptCancelled or PredictionFailed the engine is as if never called.
        """

    def close(self) -> None:
        """Release memory and device."""


class Segmenter(Protocol):
    """A loaded model that shares one device fairly between its engines."""

    @property
    def info(self) -> ModelInfo:
        """What the model is and takes."""

    @property
    def working_bytes(self) -> int:
        """What model runs take of the machine's memory, once for all engines."""

    def engine_bytes(self, shape: tuple[int, int, int]) -> int:
        """Return what an engine takes at most for a volume of that shape (k, j, i), beside what all of them share."""

    def open(self, volume: Volume, user: str) -> Engine:
        """Load a volume for a session of ``user`` (the unit of fair sharing); copies nothing large per session."""

    def close(self) -> None:
        """End the device thread."""


SegmentationEncoding = Literal["BINARY", "LABELMAP"]


@dataclass(frozen=True, slots=True, eq=False)
class AcceptedSegment:
    """A segment as it was when accepted."""

    number: int
    """Segment Number in the session; the SEG numbers from 1 without gaps."""
    description: SegmentDescription
    labelmap: Labelmap
    tracking_id: str
    tracking_uid: str
    manual: bool
    """Whether no model output is left in it."""
    predicted: bool = True
    """Unless manual: whether output of the acceptance's model is in it, not only of what made its origin."""
    untouched: bool = False
    """Whether the voxels are those of its origin."""
    origin: SegmentOrigin | None = None
    """What it was in the acceptance's predecessor."""
    revision: int = 0
    """In the session."""
    prompts: tuple[Prompt, ...] = ()
    """Those that it was made from in the session, in the order in which they took effect."""


@dataclass(frozen=True, slots=True, eq=False)
class Acceptance:
    """All that a DICOM SEG is made of, frozen: encoding it twice gives the same bytes."""

    plan: VolumePlan
    segments: tuple[AcceptedSegment, ...]
    encoding: SegmentationEncoding
    series_description: str
    creator: str
    """Name of the accepting user (made a PN)."""
    model: ModelInfo
    series_instance_uid: str
    sop_instance_uid: str
    accepted_at: datetime
    """Timezone-aware."""
    predecessor: InstanceReference | None = None
    """The stored segmentation of the same study of which this is the next version."""


@dataclass(frozen=True, slots=True)
class StoredDifference:
    """How the instance in the archive differs from the bytes sent, without harm."""

    coerced: tuple[str, ...] = field(default=())
    """DICOM keywords whose values the archive changed."""


class ResultCodec(Protocol):
    """Writes an acceptance as a DICOM SEG and compares what an archive gives back."""

    def encode(self, acceptance: Acceptance, headers: Sequence[DicomJson]) -> bytes:
        """Return a Part 10 file; ``headers`` are the source instances' attributes, fresh from the archive."""

    def compare(self, sent: bytes, received: bytes) -> StoredDifference:
        """Compare decoded voxels, segment items, positions and references; StoredDifferently if they are not equal."""


class SegmentationReader(Protocol):
    """Reads stored segmentations, whoever made them."""

    def read(self, part10: bytes, reference: InstanceReference, plan: VolumePlan) -> StoredSegmentation:
        """Return the segmentation on the plan's grid, or read-only with the reason; SegmentationError leaves if not."""

    def sources(self, part10: bytes) -> frozenset[str]:
        """Return the SOP Instance UIDs of the images that its frames say they were made from; empty if they do not."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a session began, and whether it ended: what a journal knows without reading the whole session."""

    session_id: str
    data: Mapping[str, Any]
    """Of its first entry, of kind ``opened`` (session.py)."""
    ended: bool
    """Whether it was closed, or could not be loaded."""


class VersionReader(Protocol):
    """Reads what the header of a stored segmentation says of it as a version."""

    def version(self, header: DicomJson) -> SegmentationVersion:
        """Return it; what the header lacks is empty."""


class Journal(Protocol):
    """The append-only record of every session.

    A write carries the ``epoch`` of the lease under which the caller serves the session (0: it never had one), and is
    refused with SessionOwnedElsewhere if another process has taken the session since. JournalUnavailable leaves open
    whether a write was kept: read the session again, under a new lease, before going on with it.
    """

    def append(self, session_id: str, entries: Sequence[Entry], *, epoch: int = 0) -> None:
        """Append entries, all or none, in order; durable on return."""

    def sessions(self) -> list[str]:
        """Return the ids of all sessions that were not purged, oldest first."""

    def openings(self, user: str) -> list[Opening]:
        """Return how that user's sessions began, those that were not purged, oldest first."""

    def untouched_since(self, at: float) -> list[str]:
        """Return the ids of the sessions whose last entry is from before ``at``, seconds since the epoch."""

    def read(self, session_id: str) -> list[Entry]:
        """Return a session's entries in order; empty if there is no such session."""

    def purge(self, session_id: str, *, epoch: int = 0) -> None:
        """Forget a session for good."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to serve a session, until it is released, or lapses and another process takes it."""

    session_id: str
    epoch: int
    """Above 0; grows with every change of hands, and is never granted twice."""


class Leases(Protocol):
    """Who serves which session, when several processes share one journal.

    A lease is renewed in the background. Where that fails for as long as a lease lasts it lapses: it is not held until
    a renewal succeeds again, as it does unless another process has taken the session. Then it is lost for good.
    """

    def acquire(self, session_id: str) -> Lease:
        """Take a session, or return the lease that is held.

        Raises
        ------
        SessionOwnedElsewhere
            If another process holds it.
        JournalUnavailable
            If nobody can tell.
        """

    def held(self, lease: Lease) -> bool:
        """Tell whether the session may be served under this lease now; asks nobody."""

    def release(self, lease: Lease) -> None:
        """Give a session back, so that another process can take it at once."""

    def on_loss(self, forget: Callable[[Lease], None]) -> None:
        """Have ``forget`` called, from another thread, with each lease that is lost for good."""


class ResultStore(Protocol):
    """The durable state of accepted segmentations, and the files that they are made of."""

    def save(self, result: Result) -> None:
        """Write a result's state; durable on return."""

    def load(self, result_id: str) -> Result:
        """Return a result; ResultNotFound if there is none."""

    def unfinished(self) -> list[Result]:
        """Return the results that are neither stored nor failed."""

    def write_file(self, result_id: str, name: str, data: bytes) -> None:
        """Write a file of a result, whole or not at all; durable on return."""

    def read_file(self, result_id: str, name: str) -> bytes | None:
        """Return a file of a result, or None."""

    def purge_files(self, result_id: str, keep: Collection[str] = ()) -> None:
        """Forget the files of a result but those named in ``keep``; its state stays."""

    def purge_result(self, result_id: str) -> None:
        """Forget a result and its files."""


class PreloadRecords(Protocol):
    """How far each preload of this machine is, whichever of its processes does the work; one for each series."""

    def save(self, record: PreloadRecord) -> None:
        """Keep a record in place of the series' last one."""

    def update(self, record: PreloadRecord) -> None:
        """Keep a record in place of the series' last one, if there is one."""

    def load(self, series_instance_uid: str) -> PreloadRecord | None:
        """Return the series' record, None if there is none."""

    def remove(self, series_instance_uid: str) -> None:
        """Forget the series' record."""

    def all(self) -> list[PreloadRecord]:
        """Return the records that are kept."""


class PreloadQueue(Protocol):
    """Hands orders to whoever preloads on this machine."""

    def send(self, order: PreloadOrder, *, urgent: bool = False) -> None:
        """Have the order carried out after those before it; an urgent one before all that are not."""


class Outbox(Protocol):
    """Wakes whoever advances results; the result store is the truth and is rescanned at start."""

    def schedule(self, result_id: str, delay_s: float = 0.0) -> None:
        """Have the result advanced after ``delay_s`` seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportSource:
    """What an export is made from, frozen: writing it twice gives the same bytes."""

    acceptance: Acceptance
    segmentation: bytes
    """The acceptance as a DICOM SEG: what is said of patient, study and source images is taken from it."""
    volume: Volume


class Exporter(Protocol):
    """Writes one format."""

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:
        """Write the export's files into an empty folder and return their names, in order.

        Not all or none: write into a folder that nobody reads, and rename it when this has returned.
        """
