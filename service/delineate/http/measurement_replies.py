"""What ``GET /delineate/sessions/{id}/measurements`` answers."""

from __future__ import annotations

from pydantic import BaseModel

from delineate.domain.diameters import Diameter
from delineate.domain.measured import MeasuredSegment, MeasuredSegments
from delineate.domain.measurements import PERCENTILES, Measurements, ValueStatistics
from delineate.domain.segment import CodedConcept
from delineate.http.schemas import CodeReply

Point = tuple[float, float, float]
"""LPS mm."""


class DiameterReply(BaseModel):
    """A straight line between two points of a segment's surface; it need not stay inside."""

    length_mm: float
    ends: tuple[Point, Point]
    """LPS mm."""

    @classmethod
    def of(cls, diameter: Diameter) -> DiameterReply:
        """Make the reply of a diameter."""
        a, b = diameter.ends
        return cls(length_mm=diameter.length_mm, ends=(a.as_tuple(), b.as_tuple()))


class PlaneDiametersReply(BaseModel):
    """Diameters in one image, as RECIST 1.1 takes them."""

    sop_instance_uid: str
    frame_number: int
    longest: DiameterReply
    """The longest of all images."""
    perpendicular: DiameterReply
    """The longest line across it that fits in the convex hull."""


class ValuesReply(BaseModel):
    """Of the image's values inside the segment, in the reply's ``unit``."""

    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    percentiles: dict[int, float]
    """By percentage: 5, 25, 50, 75, 95."""

    @classmethod
    def of(cls, values: ValueStatistics) -> ValuesReply:
        """Make the reply of statistics."""
        return cls(
            mean=values.mean,
            standard_deviation=values.standard_deviation,
            minimum=values.minimum,
            maximum=values.maximum,
            percentiles=dict(zip(PERCENTILES, values.percentiles, strict=True)),
        )


class MeasuresReply(BaseModel):
    """All that is measured of one segment."""

    voxel_count: int
    volume_ml: float
    mesh_volume_ml: float
    """Inside the surface mesh, which cuts corners: a little less than of the voxels."""
    surface_mm2: float
    """Of the surface mesh, whose steps make it too large where it is curved: 9 % of a ball, more with thick slices."""
    centroid: Point
    in_plane: PlaneDiametersReply
    longest: DiameterReply
    """In space."""
    values: ValuesReply

    @classmethod
    def of(cls, found: Measurements, measured: MeasuredSegments) -> MeasuresReply:
        """Make the reply of measurements."""
        source = measured.source_of(found)
        return cls(
            voxel_count=found.voxel_count,
            volume_ml=found.volume_ml,
            mesh_volume_ml=found.mesh_volume_ml,
            surface_mm2=found.surface_mm2,
            centroid=found.centroid.as_tuple(),
            in_plane=PlaneDiametersReply(
                sop_instance_uid=source.sop_instance_uid,
                frame_number=source.frame_number,
                longest=DiameterReply.of(found.in_plane.longest),
                perpendicular=DiameterReply.of(found.in_plane.perpendicular),
            ),
            longest=DiameterReply.of(found.longest),
            values=ValuesReply.of(found.values),
        )


class MeasuredSegmentReply(BaseModel):
    """A segment as it was when measured."""

    number: int
    label: str
    category: CodeReply | None
    type: CodeReply | None
    region: CodeReply | None
    laterality: CodeReply | None
    tracking_id: str
    tracking_uid: str
    revision: int
    measurements: MeasuresReply | None
    """Null if it is empty."""

    @classmethod
    def of(cls, segment: MeasuredSegment, measured: MeasuredSegments) -> MeasuredSegmentReply:
        """Make the reply of a segment."""
        described, found = segment.description, segment.measurements
        return cls(
            number=segment.number,
            label=described.label,
            category=_code(described.category),
            type=_code(described.type),
            region=_code(described.region),
            laterality=_code(described.laterality),
            tracking_id=segment.tracking_id,
            tracking_uid=segment.tracking_uid,
            revision=segment.revision,
            measurements=MeasuresReply.of(found, measured) if found is not None else None,
        )


class MeasurementsReply(BaseModel):
    """The measurements of a session's segments."""

    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    """Of every position."""
    unit: CodeReply
    """UCUM; of the values."""
    value_note: str | None
    """Why the values are not in the unit that one would expect, for example no SUV; null if they are."""
    segments: list[MeasuredSegmentReply]

    @classmethod
    def of(cls, measured: MeasuredSegments) -> MeasurementsReply:
        """Make the reply."""
        unit = measured.scale.unit
        return cls(
            study_instance_uid=measured.plan.study_instance_uid,
            series_instance_uid=measured.plan.series_instance_uid,
            frame_of_reference_uid=measured.plan.geometry.frame_of_reference_uid,
            unit=CodeReply(value=unit.value, scheme=unit.scheme, meaning=unit.meaning),
            value_note=measured.scale.note,
            segments=[MeasuredSegmentReply.of(segment, measured) for segment in measured.segments],
        )


def _code(concept: CodedConcept | None) -> CodeReply | None:
    return CodeReply(value=concept.value, scheme=concept.scheme, meaning=concept.meaning) if concept else None
