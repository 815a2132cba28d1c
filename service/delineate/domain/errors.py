"""The error tree: every way in which Delineate says no.

::

    DelineateError
    ├── SeriesError          the series in the archive cannot become a volume
    │   ├── MissingSlice, DuplicatePositions, MixedOrientations, NonUniformSpacing,
    │   │   GantryTilt, SeveralFramesOfReference, MissingGeometry, InvalidOrientation,
    │   │   MixedMatrix, MixedPixelSpacing, UnsupportedPixels, NotAnImage,
    │   │   PixelDataUnusable, ConstantVolume
    │   ├── VolumeChoiceRequired, UnknownVolume
    │   └── SeriesChanged
    ├── SegmentationError    a stored segmentation that cannot be opened on the series
    │   └── SegmentationNotFound, NotASegmentation, SegmentationOfOtherSeries, SegmentationUnreadable
    ├── RecordingUnreadable  a file is no recording of segments
    ├── PromptError          a prompt that cannot be taken
    │   ├── PromptOutsideVolume, WrongFrameOfReference, PromptPlaneMismatch,
    │   │   PromptPlaneUnsupported, PromptReferenceMismatch, PromptMalformed,
    │   │   PromptKindUnsupported
    │   └── PromptConflict
    ├── SessionError         a session that cannot do what was asked
    │   ├── SessionNotFound, SessionClosed, SessionLoading, SessionFailed,
    │   │   SegmentNotFound, SegmentLocked, SegmentInvalid, NothingToUndo, NothingToRedo,
    │   │   SegmentEmpty, SegmentUnnamed, SegmentsOverlap, ResultNotFound, ResultNotFailed,
    │   │   PromptNotFound, NothingToRun, PreloadNotFound, IdempotencyConflict, SessionReadOnly,
    │   │   NewerVersions, ExportNotFound, ExportNotReady
    │   │   SessionOwnedElsewhere, JournalUnavailable, TooManySessions
    ├── ArchiveError         the archive did not do its part
    │   ├── ArchiveUnreachable, ArchiveTimeout, ArchiveDenied, ArchiveProtocol,
    │   │   SeriesNotFound, SeriesIncomplete
    │   └── StoreRefused, StoredDifferently
    ├── CacheError           the volume cache did not do its part
    │   └── CacheFull, CacheDiskFailed
    ├── SegmenterError       the model did not do its part
    │   ├── ModelNotFound, LicenceNotAccepted, SegmenterBusy, PredictionFailed
    │   └── PromptCancelled
    └── AccessError          the caller may not do this
        └── NotAuthenticated, NotPermitted

Leaves carry fields, not prose; ``detail`` words the fields for a person: what is wrong, and what to do.
``http/problems.py`` maps each leaf to an RFC 9457 problem.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

Position = tuple[float, float, float]
"""A patient position (x, y, z) in LPS millimetres, as an error carries it."""

MAX_LISTED = 20
"""How many instances an error's sentence names; its fields carry all of them."""


INTERNAL = "An internal fault; see the service's log."


def said_of(error: Exception) -> str:
    """Return what a user is told of an error; nothing of one that nobody expected."""
    return error.detail if isinstance(error, DelineateError) else INTERNAL


def _listed(uids: tuple[str, ...]) -> str:
    shown = ", ".join(uids[:MAX_LISTED])
    rest = len(uids) - MAX_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _at(position: Position) -> str:
    return "({:.3f}, {:.3f}, {:.3f}) mm".format(*position)


class DelineateError(Exception):
    """Base of every error that Delineate raises on purpose."""

    @property
    def detail(self) -> str:
        """The sentence for a person: the cause, then the remedy."""
        return type(self).__doc__ or type(self).__name__

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class Worded(DelineateError):
    """An error whose sentence is written where it is raised."""

    text: str

    @property
    def detail(self) -> str:  # noqa: D102
        return self.text


# --- Series -------------------------------------------------------------------------------------


class SeriesError(DelineateError):
    """The series cannot become a volume."""


@dataclass(eq=False)
class SeriesInstancesError(SeriesError):
    """A series error that names the instances at fault."""

    instances: tuple[str, ...]
    """SOP Instance UIDs at fault."""

    sentence: ClassVar[str] = "The series cannot become a volume"

    @property
    def detail(self) -> str:  # noqa: D102
        return f"{self.sentence}. Instances: {_listed(self.instances)}."


@dataclass(eq=False)
class MissingSlice(SeriesError):
    """One or more slices are missing between others."""

    positions: tuple[Position, ...]
    """Where a slice should be (LPS mm of the first voxel's centre)."""
    neighbours: tuple[str, ...]
    """SOP Instance UIDs on both sides of each gap."""

    @property
    def detail(self) -> str:  # noqa: D102
        where = "; ".join(_at(p) for p in self.positions[:MAX_LISTED])
        return (
            f"The series lacks {len(self.positions)} slice(s), at {where}, between instances "
            f"{_listed(self.neighbours)}. Send the missing instances to the archive and open the series again."
        )


@dataclass(eq=False)
class DuplicatePositions(SeriesInstancesError):
    """Several instances lie at one position and nothing tells them apart as volumes."""

    positions: tuple[Position, ...]

    @property
    def detail(self) -> str:  # noqa: D102
        where = "; ".join(_at(p) for p in self.positions[:MAX_LISTED])
        return (
            f"Several instances lie at the same position ({where}) and no attribute tells them apart as volumes: "
            f"{_listed(self.instances)}. Remove the duplicates from the series."
        )


class MixedOrientations(SeriesInstancesError):
    """Instances of several orientations (a scout, or two planes) in one series."""

    sentence = (
        "The series mixes image orientations (for example a scout with the slices, or two planes), so that its images "
        "do not form one volume; the listed instances deviate from the others"
    )


@dataclass(eq=False)
class NonUniformSpacing(SeriesInstancesError):
    """The distances between neighbouring slices differ."""

    spacings_mm: tuple[float, ...]

    @property
    def detail(self) -> str:  # noqa: D102
        low, high = min(self.spacings_mm), max(self.spacings_mm)
        return (
            f"The distance between neighbouring slices varies from {low:.4f} to {high:.4f} mm, so that the slices do "
            f"not lie on a regular grid. Irregular at: {_listed(self.instances)}."
        )


@dataclass(eq=False)
class GantryTilt(SeriesInstancesError):
    """The slices are sheared: their positions do not advance along the slice normal."""

    angle_degrees: float

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"The slices are sheared by {self.angle_degrees:.2f} degrees (gantry tilt): their positions do not advance "
            f"along the slice normal, so that they do not form an orthogonal grid. Use a tilt-corrected series. "
            f"Instances: {_listed(self.instances)}."
        )


@dataclass(eq=False)
class SeveralFramesOfReference(SeriesInstancesError):
    """More than one Frame of Reference UID."""

    frames_of_reference: tuple[str, ...]

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"The series holds {len(self.frames_of_reference)} frames of reference "
            f"({_listed(self.frames_of_reference)}): the positions of its images cannot be compared. "
            f"Instances outside the first: {_listed(self.instances)}."
        )


@dataclass(eq=False)
class MissingGeometry(SeriesInstancesError):
    """An attribute needed to place an image in the patient is missing or empty."""

    attributes: tuple[str, ...]
    """DICOM keywords."""

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"{', '.join(self.attributes)} missing or invalid, so that the image cannot be placed in the patient. "
            f"Instances: {_listed(self.instances)}."
        )


class InvalidOrientation(SeriesInstancesError):
    """Image Orientation (Patient) is not two perpendicular unit vectors."""

    sentence = "Image Orientation (Patient) is not a pair of perpendicular unit vectors"


class MixedMatrix(SeriesInstancesError):
    """Rows or Columns differ inside the series."""

    sentence = "Rows and Columns differ inside the series; the listed instances deviate from the others"


class MixedPixelSpacing(SeriesInstancesError):
    """Pixel Spacing differs inside the series."""

    sentence = "Pixel Spacing differs inside the series; the listed instances deviate from the others"


@dataclass(eq=False)
class UnsupportedPixels(SeriesInstancesError):
    """Pixels that are no single-channel intensities, or cannot be decoded here."""

    reason: str

    @property
    def detail(self) -> str:  # noqa: D102
        listed = _listed(self.instances)
        return f"The pixels are not usable as one channel of intensities: {self.reason}. Instances: {listed}."


class NotAnImage(SeriesInstancesError):
    """Instances that are not images."""

    sentence = "The series holds instances that are not images of a volume"


@dataclass(eq=False)
class PixelDataUnusable(SeriesInstancesError):
    """Pixel Data missing, empty, short or corrupt."""

    reason: str

    @property
    def detail(self) -> str:  # noqa: D102
        return f"Pixel Data {self.reason}. Send these instances to the archive again: {_listed(self.instances)}."


@dataclass(eq=False)
class ConstantVolume(SeriesError):
    """All voxels have one value, or not all are finite: there is nothing to segment."""

    value: str

    @property
    def detail(self) -> str:  # noqa: D102
        return f"The volume has no contrast ({self.value}), so that there is nothing to segment."


@dataclass(eq=False)
class VolumeChoiceRequired(SeriesError):
    """The series holds several volumes; the caller has to choose one."""

    volumes: tuple[dict[str, object], ...]
    """Of each volume: ``id`` (the selector), ``label`` (what tells it apart), ``instances`` (how many images) and
    ``sop_instance_uid`` (one of them)."""

    @property
    def detail(self) -> str:  # noqa: D102
        listed = "; ".join(f"{v['id']} = {v['label']} ({v['instances']} images)" for v in self.volumes[:MAX_LISTED])
        return f"The series holds {len(self.volumes)} volumes. Choose one by `volume`: {listed}."


@dataclass(eq=False)
class UnknownVolume(SeriesError):
    """The chosen volume is not in the series."""

    volume: str
    volumes: tuple[dict[str, object], ...]

    @property
    def detail(self) -> str:  # noqa: D102
        listed = ", ".join(str(v["id"]) for v in self.volumes[:MAX_LISTED]) or "only one, which needs no choice"
        return f"The series has no volume {self.volume!r}; it has: {listed}."


@dataclass(eq=False)
class SeriesChanged(SeriesError):
    """The series in the archive is not the one that the session was opened on."""

    series_instance_uid: str

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"Series {self.series_instance_uid} changed in the archive since the session was opened: its images no "
            "longer form the same volume. The session's segments are kept; open a new session for the changed series."
        )


# --- Segmentations ------------------------------------------------------------------------------


class SegmentationError(DelineateError):
    """A stored segmentation cannot be opened on the series."""


class SegmentationNotFound(Worded, SegmentationError):
    """The study has no such instance."""


class NotASegmentation(Worded, SegmentationError):
    """The instance is not a DICOM Segmentation."""


class SegmentationOfOtherSeries(Worded, SegmentationError):
    """The segmentation was made on other images than the session's."""


class SegmentationUnreadable(Worded, SegmentationError):
    """The segmentation is damaged or contradicts itself."""


class RecordingUnreadable(Worded):
    """The file is no recording of segments, or is damaged."""


# --- Prompts ------------------------------------------------------------------------------------


class PromptError(DelineateError):
    """The prompt cannot be taken; the session is as it was."""


@dataclass(eq=False)
class PromptOutsideVolume(PromptError):
    """A point of the prompt lies outside the volume."""

    point: Position
    extent: tuple[int, int, int]
    """Shape (k, j, i) of the volume."""
    index: tuple[float, float, float]
    """Where the point lies in voxel indices (k, j, i), continuous."""

    @property
    def detail(self) -> str:  # noqa: D102
        index = "({:.1f}, {:.1f}, {:.1f})".format(*self.index)
        return (
            f"The point {_at(self.point)} lies outside the volume: voxel (k, j, i) = {index}, shape {self.extent}. "
            "Draw inside the images of this series."
        )


@dataclass(eq=False)
class WrongFrameOfReference(PromptError):
    """The prompt was drawn in another frame of reference."""

    given: str
    expected: str

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"The prompt was drawn in frame of reference {self.given}, the session's series lies in {self.expected}: "
            "positions cannot be compared. Draw on the session's series, or on one that shares its frame of reference."
        )


class PromptPlaneMismatch(Worded, PromptError):
    """The points do not lie in the plane that the prompt names."""


@dataclass(eq=False)
class PromptPlaneUnsupported(PromptError):
    """The model does not take this kind of prompt on an oblique plane."""

    kind: str
    nearest_normal: Position
    """Normal (LPS) of the nearest voxel-aligned plane."""
    nearest_plane: str
    """The same in words."""

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"The model does not take a {self.kind} on an oblique plane. "
            f"Turn to the nearest slice plane ({self.nearest_plane}) and draw it there."
        )


class PromptReferenceMismatch(Worded, PromptError):
    """SOP Instance UID or frame number disagree with the points."""


class PromptMalformed(Worded, PromptError):
    """The prompt is not what its kind asks for."""


class PromptKindUnsupported(Worded, PromptError):
    """The model does not take this kind of prompt."""


class PromptConflict(Worded, PromptError):
    """The prompt's id was used before with another body."""


# --- Sessions -----------------------------------------------------------------------------------


class SessionError(DelineateError):
    """The session cannot do what was asked."""


class SessionNotFound(Worded, SessionError):
    """No such session."""


class SessionClosed(Worded, SessionError):
    """The session was closed."""


class SessionLoading(Worded, SessionError):
    """The session's volume is still being loaded."""


class SessionFailed(Worded, SessionError):
    """The session's volume could not be loaded."""


class SegmentNotFound(Worded, SessionError):
    """No such segment in the session."""


class SegmentLocked(Worded, SessionError):
    """The segment is locked."""


class SegmentInvalid(Worded, SessionError):
    """A segment's description is not valid."""


class NothingToUndo(Worded, SessionError):
    """There is no step to undo."""


class NothingToRedo(Worded, SessionError):
    """There is no step to redo."""


class NothingToRun(Worded, SessionError):
    """There is no collected prompt to run."""


class PromptNotFound(Worded, SessionError):
    """No waiting or running prompt of that id."""


class IdempotencyConflict(Worded, SessionError):
    """An idempotency key was used before for another request."""


class TooManySessions(Worded, SessionError):
    """No further session can be opened now."""


class SessionReadOnly(Worded, SessionError):
    """The session's segmentation can be looked at only."""


@dataclass(eq=False)
class NewerVersions(SessionError):
    """Somebody else has stored a newer version of the segmentation that the session goes on from."""

    base: str
    """SOP Instance UID of the segmentation that the session goes on from."""
    versions: tuple[dict[str, str | None], ...]
    """Of each newer one: ``sop_instance_uid``, ``creator``, ``created_at`` (ISO 8601, or None), ``description``."""

    @property
    def detail(self) -> str:  # noqa: D102
        listed = "; ".join(f"{v['sop_instance_uid']} by {v['made']}" for v in self.versions[:MAX_LISTED])
        return (
            f"There is a newer version of this segmentation: {listed}. Nothing was stored, and your work is kept. "
            "Accept again with `known_versions` naming it, to store yours beside it as another version; or open the "
            "newer one and go on there."
        )


@dataclass(eq=False)
class SessionOwnedElsewhere(SessionError):
    """Another process of the service works on the session."""

    session: str
    """Its id."""

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"Another process of the service works on session {self.session}, and is busy or was just stopped. Nothing "
            "is lost. Send the same request again: it will reach that process, or this one once that one is gone."
        )


class JournalUnavailable(Worded, SessionError):
    """The journal could not be read or written; may pass."""


class SegmentEmpty(Worded, SessionError):
    """An empty segment can neither be accepted nor measured."""


class SegmentUnnamed(Worded, SessionError):
    """A segment without name and codes cannot be accepted."""


class SegmentsOverlap(Worded, SessionError):
    """LABELMAP encoding cannot hold overlapping segments."""


class ResultNotFound(Worded, SessionError):
    """No such result."""


class ExportNotFound(Worded, SessionError):
    """No such export."""


class ExportNotReady(Worded, SessionError):
    """The export's file is not there yet, or could not be made."""


class PreloadNotFound(Worded, SessionError):
    """The series is not preloaded."""


class ResultNotFailed(Worded, SessionError):
    """Only a failed or waiting result can be tried again."""


# --- Archive ------------------------------------------------------------------------------------


class ArchiveError(DelineateError):
    """The archive did not do its part."""


class ArchiveUnreachable(Worded, ArchiveError):
    """No connection to the archive, or it answered with a server error; may pass."""


class ArchiveTimeout(Worded, ArchiveError):
    """The archive did not answer in time; may pass."""


class ArchiveDenied(Worded, ArchiveError):
    """The archive refused the credentials."""


class ArchiveProtocol(Worded, ArchiveError):
    """The archive answered something that is not DICOMweb."""


class SeriesNotFound(Worded, ArchiveError):
    """The archive has no such study or series."""


@dataclass(eq=False)
class SeriesIncomplete(ArchiveError):
    """The archive delivered fewer instances than it listed."""

    expected: int
    received: int
    missing: tuple[str, ...] = field(default=())

    @property
    def detail(self) -> str:  # noqa: D102
        return (
            f"The archive delivered {self.received} of {self.expected} instances; missing: {_listed(self.missing)}. "
            "Check the archive's storage and open the series again."
        )


class StoreRefused(Worded, ArchiveError):
    """The archive refused to store the instance, for good."""


class StoredDifferently(Worded, ArchiveError):
    """What the archive gives back is not what was stored."""


# --- Volume cache -------------------------------------------------------------------------------


class CacheError(DelineateError):
    """The volume cache did not do its part."""


@dataclass(eq=False)
class CacheFull(CacheError):
    """The volumes in use leave no room for another one."""

    needed_bytes: int
    budget_bytes: int

    @property
    def detail(self) -> str:  # noqa: D102
        if self.needed_bytes > self.budget_bytes:
            return (
                f"The volume takes {self.needed_bytes} bytes, and the volume cache has {self.budget_bytes} bytes in "
                "all. Have the administrator raise DELINEATE_CACHE_BYTES."
            )
        return (
            f"The volume takes {self.needed_bytes} bytes, for which there is no room beside the volumes in use: the "
            f"volume cache has {self.budget_bytes} bytes in all. Try again when other sessions are closed, or have the "
            "administrator raise DELINEATE_CACHE_BYTES."
        )


class CacheDiskFailed(Worded, CacheError):
    """The disk of the volume cache is full or faulty."""


# --- Segmenter ----------------------------------------------------------------------------------


class SegmenterError(DelineateError):
    """The model did not do its part."""


class ModelNotFound(Worded, SegmenterError):
    """No such model here."""


class LicenceNotAccepted(Worded, SegmenterError):
    """The model's licence is missing or was not accepted."""


class SegmenterBusy(Worded, SegmenterError):
    """No room for another prompt right now."""


class PredictionFailed(Worded, SegmenterError):
    """The model failed on this prompt; the segment is as it was before."""


class PromptCancelled(Worded, SegmenterError):
    """The prompt was cancelled before it had an effect."""


# --- Access -------------------------------------------------------------------------------------


class AccessError(DelineateError):
    """The caller may not do this."""


class NotAuthenticated(Worded, AccessError):
    """No valid bearer token."""


class NotPermitted(Worded, AccessError):
    """The session belongs to another user."""
