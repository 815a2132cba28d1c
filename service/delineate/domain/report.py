"""What is stored beside a segmentation: its measurements, and the prompts that it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from delineate.domain.measurements import Measurements
from delineate.domain.model import ModelInfo
from delineate.domain.ports import StoredDifference
from delineate.domain.prompts import Prompt
from delineate.domain.segmentation import InstanceReference
from delineate.domain.value_scale import ValueScale
from delineate.domain.volume import VolumePlan


@dataclass(frozen=True, slots=True)
class ReportedSegment:
    """What a report says of a segment of a DICOM SEG."""

    number: int
    """Segment Number in the SEG."""
    measurements: Measurements
    authors: tuple[str, ...] = ()
    """Names of those who worked on it, as PN (PS3.5 6.2) or as users write them; empty if that is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasurementReport:
    """All that a report of measurements is made of, frozen: encoding it twice gives the same bytes."""

    segmentation: bytes
    """The DICOM SEG that was measured: what the report says of patient, study, people and devices is taken from it."""
    plan: VolumePlan
    """The volume that was measured."""
    scale: ValueScale
    segments: tuple[ReportedSegment, ...]
    series_instance_uid: str
    sop_instance_uid: str
    predecessors: tuple[InstanceReference, ...] = ()
    """Reports of the same study of which this is the next version."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptRecord:
    """All that a readable record of prompts is made of, frozen like a report."""

    segmentation: bytes
    """The DICOM SEG that was made from the prompts."""
    plan: VolumePlan
    model: ModelInfo
    prompts: Mapping[int, Sequence[Prompt]]
    """Of each segment, by its Segment Number in the SEG, in the order in which they took effect."""
    series_instance_uid: str
    sop_instance_uid: str
    predecessors: tuple[InstanceReference, ...] = ()


class ReportCodec(Protocol):
    """Writes reports as documents for the archive, and compares what it gives back."""

    def encode(self, report: MeasurementReport) -> bytes:
        """Return the report as a Part 10 file."""

    def encode_prompts(self, record: PromptRecord) -> bytes:
        """Return the record as a Part 10 file."""

    def authors(self, document: bytes) -> Mapping[str, tuple[str, ...]]:
        """Return whom a report of measurements names for each segment, by Tracking UID."""

    def compare(self, sent: bytes, received: bytes) -> StoredDifference:
        """Compare identifiers, states and content; StoredDifferently if they are not equal."""
