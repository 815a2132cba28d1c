"""Measurements as comma-separated values: one row for each segment, units in the header, positions in LPS mm.

References
----------
RFC 4180 (lines end with CR LF; UTF-8).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from delineate.domain.diameters import Diameter
from delineate.domain.geometry import PatientPoint
from delineate.domain.measured import MeasuredSegment, MeasuredSegments
from delineate.domain.measurements import PERCENTILES, Measurements
from delineate.domain.segment import CodedConcept

MEDIA_TYPE = "text/csv; charset=utf-8"

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is taken for a formula by spreadsheets: it gets an apostrophe in front."""

Cell = str | int | float
Read = Callable[[Measurements], Cell]
"""Reads one cell from a segment's measurements."""


def measurement_table(measured: MeasuredSegments) -> str:
    """Return the table; the cells of an empty segment's measurements are empty."""
    columns = _columns(measured)
    with io.StringIO(newline="") as out:
        writer = csv.DictWriter(out, [*IDENTITY, *columns], restval="")
        writer.writeheader()
        for segment in measured.segments:
            found = segment.measurements
            cells = {name: read(found) for name, read in columns.items()} if found is not None else {}
            writer.writerow(_identity(measured, segment) | cells)
        return out.getvalue()


IDENTITY = (
    "study instance uid",
    "series instance uid",
    "frame of reference uid",
    "segment number",
    "label",
    "category",
    "type",
    "anatomic region",
    "laterality",
    "tracking id",
    "tracking uid",
    "revision",
)


def _identity(measured: MeasuredSegments, segment: MeasuredSegment) -> dict[str, Cell]:
    described = segment.description
    cells: tuple[Cell, ...] = (
        measured.plan.study_instance_uid,
        measured.plan.series_instance_uid,
        measured.plan.geometry.frame_of_reference_uid,
        segment.number,
        _safe(described.label),
        _code(described.category),
        _code(described.type),
        _code(described.region),
        _code(described.laterality),
        _safe(segment.tracking_id),
        segment.tracking_uid,
        segment.revision,
    )
    return dict(zip(IDENTITY, cells, strict=True))


def _columns(measured: MeasuredSegments) -> dict[str, Read]:
    """Return what is read for each column of measurements."""
    return {
        "voxels": lambda found: found.voxel_count,
        "volume [mL]": lambda found: found.volume_ml,
        "mesh volume [mL]": lambda found: found.mesh_volume_ml,
        "surface [mm2]": lambda found: found.surface_mm2,
        **_position("centroid", lambda found: found.centroid),
        "plane sop instance uid": lambda found: measured.source_of(found).sop_instance_uid,
        "plane frame number": lambda found: measured.source_of(found).frame_number,
        **_diameter("longest diameter in plane", lambda found: found.in_plane.longest),
        **_diameter("perpendicular diameter in plane", lambda found: found.in_plane.perpendicular),
        **_diameter("longest diameter", lambda found: found.longest),
        **_values(measured.scale.unit.value),
        "value note": lambda _: measured.scale.note or "",
    }


def _values(unit: str) -> dict[str, Read]:
    def percentile(n: int) -> Read:
        return lambda found: found.values.percentiles[n]

    return {
        f"mean [{unit}]": lambda found: found.values.mean,
        f"standard deviation [{unit}]": lambda found: found.values.standard_deviation,
        f"minimum [{unit}]": lambda found: found.values.minimum,
        f"maximum [{unit}]": lambda found: found.values.maximum,
        **{f"percentile {percent} [{unit}]": percentile(n) for n, percent in enumerate(PERCENTILES)},
    }


def _diameter(name: str, of: Callable[[Measurements], Diameter]) -> dict[str, Read]:
    return {
        f"{name} [mm]": lambda found: of(found).length_mm,
        **_position(f"{name} end 1", lambda found: of(found).ends[0]),
        **_position(f"{name} end 2", lambda found: of(found).ends[1]),
    }


def _position(name: str, of: Callable[[Measurements], PatientPoint]) -> dict[str, Read]:
    return {
        f"{name} x [mm LPS]": lambda found: of(found).x,
        f"{name} y [mm LPS]": lambda found: of(found).y,
        f"{name} z [mm LPS]": lambda found: of(found).z,
    }


def _code(concept: CodedConcept | None) -> str:
    """Return a code as value^scheme^meaning, as HL7 and the Standard's own notation order it."""
    return _safe(f"{concept.value}^{concept.scheme}^{concept.meaning}") if concept else ""


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
