"""Reports of made-up measurements, and readers of documents that are programs."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.uid import generate_uid
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import MODEL, Mask, acceptance_of, plan_of

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.diameters import Diameter, PlaneDiameters
from delineate.domain.geometry import PatientPoint
from delineate.domain.measurements import Measurements, ValueStatistics
from delineate.domain.prompts import Prompt
from delineate.domain.report import MeasurementReport, PromptRecord, ReportedSegment
from delineate.domain.rounding import significant
from delineate.domain.value_scale import HOUNSFIELD, ValueScale


def diameter(length_mm: float) -> Diameter:
    return Diameter(length_mm, (PatientPoint(0, 0, 0), PatientPoint(length_mm, 0, 0)))


def measurements(scale: float = 1.0) -> Measurements:
    """Return numbers of nine digits, as they are measured, each another one."""

    def number(value: float) -> float:
        return significant(value * scale)

    return Measurements(
        voxel_count=1234,
        volume_ml=number(1.23456789),
        mesh_volume_ml=number(1.22345678),
        surface_mm2=number(765.432109),
        centroid=PatientPoint(1, 2, 3),
        in_plane=PlaneDiameters(4, diameter(number(17.1234567)), diameter(number(9.87654321))),
        longest=diameter(number(21.3456789)),
        values=ValueStatistics(
            mean=number(-12.3456789),
            standard_deviation=number(0.000123456789),
            minimum=-1024.0,
            maximum=3071.0,
            percentiles=(-1000.5, -99.25, -10.125, 55.5, number(1.23456789e-7)),
        ),
    )


def report_of(series: PhantomSeries, masks: Sequence[Mask], **changes: Any) -> MeasurementReport:
    """Return a report on the segmentation of those masks; ``acceptance`` changes that."""
    acceptance = acceptance_of(series, masks, **changes.pop("acceptance", {}))
    given: dict[str, Any] = {
        "segmentation": DicomSegCodec().encode(acceptance, series.headers()),
        "plan": plan_of(series),
        "scale": ValueScale(HOUNSFIELD),
        "segments": tuple(ReportedSegment(n, measurements(n)) for n in range(1, len(acceptance.segments) + 1)),
        "series_instance_uid": generate_uid(),
        "sop_instance_uid": generate_uid(),
    }
    return MeasurementReport(**(given | changes))


def record_of(
    series: PhantomSeries, masks: Sequence[Mask], prompts: Mapping[int, Sequence[Prompt]], **changes: Any
) -> PromptRecord:
    """Return a record of prompts."""
    seg = DicomSegCodec().encode(acceptance_of(series, masks), series.headers())
    given: dict[str, Any] = {"series_instance_uid": generate_uid(), "sop_instance_uid": generate_uid()}
    return PromptRecord(seg, plan_of(series), MODEL, prompts, **(given | changes))


def items(container: Dataset, value_type: str | None = None) -> Iterator[Dataset]:
    """Yield the content items below one, depth first."""
    for item in container.get("ContentSequence") or []:
        if value_type in (None, item.ValueType):
            yield item
        yield from items(item, value_type)


def name_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def groups_of(document: Dataset, template: str) -> list[Dataset]:
    """Return the measurement groups of a template: "1411", a whole segment each, or "1501", lines on an image."""
    found = (item for item in items(document, "CONTAINER") if name_of(item) == "Measurement Group")
    return [group for group in found if group.ContentTemplateSequence[0].TemplateIdentifier == template]


def numbers_by_segment(document: Dataset) -> list[dict[tuple[str, str], tuple[float, str]]]:
    """Return the numbers of each segment, from both of its groups."""
    both = zip(groups_of(document, "1411"), groups_of(document, "1501"), strict=True)
    return [numbers_of(whole) | numbers_of(lines) for whole, lines in both]


def numbers_of(group: Dataset) -> dict[tuple[str, str], tuple[float, str]]:
    """Return each number of a group with its unit, by name and derivation; from the decimal strings."""
    found = {}
    for item in group.ContentSequence:
        if item.ValueType == "NUM":
            modifiers = [i for i in item.get("ContentSequence") or [] if i.ValueType == "CODE"]
            how = "".join(str(i.ConceptCodeSequence[0].CodeMeaning) for i in modifiers)
            (value,) = item.MeasuredValueSequence
            unit = value.MeasurementUnitsCodeSequence[0]
            assert unit.CodingSchemeDesignator == "UCUM"
            found[name_of(item), how] = (float(value.NumericValue), str(unit.CodeValue))
    return found


def dsrdump(document: bytes) -> str:
    """Return a document as dcmtk's dsrdump prints it; it refuses content that the SOP class does not allow."""
    return _run(document, ["dsrdump"])


def _run(document: bytes, command: Sequence[str]) -> str:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "document.dcm")
        file.write_bytes(document)
        done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
