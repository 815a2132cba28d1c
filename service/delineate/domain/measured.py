"""Segments with what was measured of them: what replies, tables and reports are made of."""

from __future__ import annotations

from dataclasses import dataclass

from delineate.domain.measurements import Measurements
from delineate.domain.segment import SegmentDescription
from delineate.domain.value_scale import ValueScale
from delineate.domain.volume import SliceSource, VolumePlan


@dataclass(frozen=True, slots=True)
class MeasuredSegment:
    """A segment as it was when measured."""

    number: int
    description: SegmentDescription
    tracking_id: str
    tracking_uid: str
    revision: int
    measurements: Measurements | None
    """None if it is empty."""


@dataclass(frozen=True, slots=True)
class MeasuredSegments:
    """The segments of one volume."""

    plan: VolumePlan
    scale: ValueScale
    """Of the values in all measurements."""
    segments: tuple[MeasuredSegment, ...]

    def source_of(self, measurements: Measurements) -> SliceSource:
        """Return the image in which a segment's diameters in the plane lie."""
        return self.plan.slices[measurements.in_plane.k]
