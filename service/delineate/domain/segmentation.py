"""A segmentation that the archive holds, as something to be refined into its next version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from delineate.domain.labelmap import PackedRegion
from delineate.domain.records import Json
from delineate.domain.segment import SegmentDescription

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""

PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Keywords of what is present in every instance, if empty (type 2 in PS3.3 C.7.1.1 and C.7.2.1)."""


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """An instance of a study, with what it takes to reference it."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class SegmentOrigin:
    """What a segment was in the segmentation that it was opened from."""

    number: int
    """Segment Number there."""
    manual: bool
    """Whether its Segment Algorithm Type is MANUAL."""
    item: Json
    """Its item of the Segment Sequence in the DICOM JSON model, so that the next version keeps all that was said."""


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment of a stored segmentation."""

    description: SegmentDescription
    labelmap: PackedRegion
    """Empty where the segmentation cannot be refined."""
    tracking_id: str | None
    tracking_uid: str | None
    origin: SegmentOrigin


@dataclass(frozen=True, slots=True)
class StoredSegmentation:
    """A stored segmentation, on the grid of the volume that it was made on."""

    reference: InstanceReference
    segments: tuple[StoredSegment, ...]
    """In ascending order of their Segment Numbers."""
    read_only: str | None
    """Why it cannot be refined, in a sentence; None if it can."""


@dataclass(frozen=True, slots=True)
class OpenedFrom:
    """The stored segmentation that a session was opened from."""

    reference: InstanceReference
    read_only: str | None


def opened_from_json(data: Mapping[str, Any]) -> OpenedFrom:
    """Turn the journal's JSON back into what a session was opened from."""
    return OpenedFrom(InstanceReference(**data["reference"]), data["read_only"])


def opened_from_to_json(stored: StoredSegmentation) -> Json:
    """Return what the journal keeps of a stored segmentation beside its segments."""
    return {"reference": asdict(stored.reference), "read_only": stored.read_only}


def origin_from_json(data: Mapping[str, Any] | None) -> SegmentOrigin | None:
    """Turn the journal's JSON back into a segment's origin, if it has one."""
    return None if data is None else SegmentOrigin(**data)


def origin_to_json(origin: SegmentOrigin | None) -> Json | None:
    """Return a segment's origin as JSON."""
    return None if origin is None else asdict(origin)
