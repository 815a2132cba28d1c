"""The prompts that segments were made from as a Comprehensive 3D SR, for people and programs to read.

``docs/adr/0015-structured-reports.md`` says why in this form. Coordinates are float32 in SR: the journal and the export
as JSON are what a segment is made again from.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from highdicom.sr import (
    CodedConcept,
    Comprehensive3DSR,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    Scoord3DContentItem,
    SourceImageForMeasurementGroup,
)
from highdicom.sr import MeasurementReport as Template

from delineate.adapters.dicom_sr import concepts
from delineate.adapters.dicom_sr.concepts import PRIVATE
from delineate.adapters.dicom_sr.document import (
    CHARACTER_SET,
    MANUFACTURER,
    Segmentation,
    finished,
    notice,
    observation_context,
    series_description,
)
from delineate.adapters.dicom_sr.findings import Finding
from delineate.domain.geometry import Points
from delineate.domain.prompts import DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt
from delineate.domain.report import PromptRecord

SERIES_NUMBER_OFFSET = 2
"""Added to the segmentation's Series Number: after the measurements."""

KIND = CodedConcept("prompt-kind", PRIVATE, "Kind of segmentation prompt")
EFFECT = CodedConcept("prompt-effect", PRIVATE, "Effect of segmentation prompt")
ORDER = CodedConcept("prompt-order", PRIVATE, "Order of segmentation prompt")
THICKNESS = CodedConcept("stroke-thickness", PRIVATE, "Thickness of stroke")
LOCATION = CodedConcept("prompt-location", PRIVATE, "Location of segmentation prompt")
VOXELS = CodedConcept("{voxels}", "UCUM", "voxels")
KINDS = {
    kind: CodedConcept(kind, PRIVATE, kind.capitalize()) for kind in ("point", "box", "scribble", "lasso", "labelmap")
}
INCLUDE, EXCLUDE = CodedConcept("include", PRIVATE, "Include"), CodedConcept("exclude", PRIVATE, "Exclude")


def encode_record(record: PromptRecord) -> bytes:
    """Return the record as a Part 10 file; see ``DicomSrCodec.encode_prompts``."""
    segmentation = Segmentation.parse(record.segmentation)
    template = Template(
        observation_context=observation_context(segmentation),
        procedure_reported=concepts.PROCEDURES.get(record.plan.modality, concepts.OTHER_PROCEDURE),
        imaging_measurements=list(_groups(record, segmentation)),
    )
    template[0].ContentSequence.append(notice(segmentation))
    document = Comprehensive3DSR(
        evidence=segmentation.evidence(record.plan.series_instance_uid),
        content=template[0],
        series_instance_uid=record.series_instance_uid,
        series_number=int(segmentation.dataset.SeriesNumber) + SERIES_NUMBER_OFFSET,
        sop_instance_uid=record.sop_instance_uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        previous_versions=segmentation.predecessors(record.predecessors),
        specific_character_set=CHARACTER_SET,
        coding_schemes=[concepts.PRIVATE_SCHEME],
        series_description=series_description(segmentation, "Prompts"),
    )
    return finished(document, segmentation)


def _groups(record: PromptRecord, segmentation: Segmentation) -> Iterator[MeasurementsAndQualitativeEvaluations]:
    for number, prompts in sorted(record.prompts.items()):
        item = segmentation.segment(number)
        for order, prompt in enumerate(prompts, 1):
            group = _group(prompt, order, record.model.scribble_thickness_voxels, Finding.of(item))
            uid = prompt.origin.sop_instance_uid
            if uid is not None and uid in segmentation.source_classes:
                image = segmentation.source_image(uid, prompt.origin.frame_number or 1)
                group[0].ContentSequence.append(SourceImageForMeasurementGroup(*image))
            if not isinstance(prompt, LabelmapPrompt):
                group[0].ContentSequence.append(_location(prompt))
            yield group


def _group(prompt: Prompt, order: int, thickness: int, finding: Finding) -> MeasurementsAndQualitativeEvaluations:
    """Return one prompt (TID 1501), without image and location."""
    numbers = [Measurement(ORDER, order, concepts.NO_UNIT)]
    if prompt.kind == "scribble":
        numbers.append(Measurement(THICKNESS, thickness, VOXELS))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=finding.tracking,
        finding_category=finding.category,
        finding_type=finding.type,
        finding_sites=finding.sites,
        measurements=numbers,
        qualitative_evaluations=[
            QualitativeEvaluation(KIND, KINDS[prompt.kind]),
            QualitativeEvaluation(EFFECT, INCLUDE if prompt.origin.include else EXCLUDE),
        ],
    )
    finding.add_laterality(group[0])
    return group


def _location(prompt: PointPrompt | DrawnPrompt) -> Scoord3DContentItem:
    """Return where a prompt was drawn: a point, a polyline (scribble), or a polygon (box, lasso)."""
    if isinstance(prompt, PointPrompt):
        kind, points = "POINT", np.array([prompt.point.as_tuple()])
    else:
        points = np.array([p.as_tuple() for p in prompt.points])
        kind = "POLYGON"
        if prompt.kind == "scribble":
            kind = "POLYLINE" if len(points) > 1 else "POINT"
        else:
            points = _closed(_flat(points, prompt.plane_normal))
    return Scoord3DContentItem(
        name=LOCATION,
        graphic_type=kind,
        graphic_data=points,
        frame_of_reference_uid=prompt.origin.frame_of_reference_uid,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )


def _flat(points: Points, normal: tuple[float, float, float]) -> Points:
    """Move points into one plane, which a polygon's have to lie in; prompts may leave it by rounding."""
    unit = np.array(normal)
    return np.asarray(points - np.outer((points - points.mean(axis=0)) @ unit, unit))


def _closed(points: Points) -> Points:
    """Repeat the first point at the end, as a polygon has it (PS3.3 C.18.9.1.2)."""
    return points if np.array_equal(points[0], points[-1]) else np.vstack([points, points[:1]])
