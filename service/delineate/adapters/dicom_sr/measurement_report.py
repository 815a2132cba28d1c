"""A segmentation's measurements as a Comprehensive SR.

Comprehensive, not Comprehensive 3D: nothing in it needs coordinates, and more archives and viewers take it.
"""

from __future__ import annotations

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    Measurement,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import MeasurementReport as Template
from pydicom.sr.codedict import codes

from delineate import __version__
from delineate.adapters.dicom_sr import concepts
from delineate.adapters.dicom_sr.concepts import concept, intensity, percentile
from delineate.adapters.dicom_sr.document import (
    CHARACTER_SET,
    MANUFACTURER,
    Segmentation,
    comment,
    finished,
    notice,
    observation_context,
    person,
    series_description,
)
from delineate.adapters.dicom_sr.findings import Finding
from delineate.domain.measurements import PERCENTILES, Measurements, ValueStatistics
from delineate.domain.report import MeasurementReport, ReportedSegment

SERIES_NUMBER_OFFSET = 1
"""Added to the segmentation's Series Number, so that the report lists after it."""


def encode_report(report: MeasurementReport) -> bytes:
    """Return the report as a Part 10 file; see ``DicomSrCodec.encode``."""
    segmentation = Segmentation.parse(report.segmentation)
    template = Template(
        observation_context=observation_context(segmentation),
        procedure_reported=concepts.PROCEDURES.get(report.plan.modality, concepts.OTHER_PROCEDURE),
        imaging_measurements=[_group(segment, report, segmentation) for segment in report.segments],
    )
    _add_algorithm(template)
    template[0].ContentSequence.append(notice(segmentation))
    document = ComprehensiveSR(
        evidence=segmentation.evidence(report.plan.series_instance_uid),
        content=template[0],
        series_instance_uid=report.series_instance_uid,
        series_number=int(segmentation.dataset.SeriesNumber) + SERIES_NUMBER_OFFSET,
        sop_instance_uid=report.sop_instance_uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        previous_versions=segmentation.predecessors(report.predecessors),
        specific_character_set=CHARACTER_SET,
        coding_schemes=[concepts.PRIVATE_SCHEME],
        series_description=series_description(segmentation, "Measurements"),
    )
    return finished(document, segmentation)


def _group(
    segment: ReportedSegment, report: MeasurementReport, segmentation: Segmentation
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """Return the measurements of one segment (TID 1411)."""
    dataset = segmentation.dataset
    finding = Finding.of(segmentation.segment(segment.number))
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=finding.tracking,
        referenced_segment=ReferencedSegment(
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            segment_number=segment.number,
            source_series=SourceSeriesForSegmentation(report.plan.series_instance_uid),
        ),
        finding_category=finding.category,
        finding_type=finding.type,
        finding_sites=finding.sites,
        measurements=[
            *_sizes(segment.measurements),
            *_values(segment.measurements.values, concept(report.scale.unit), _name(report)),
        ],
    )
    finding.add_laterality(group[0])
    content = group[0].ContentSequence
    for item in reversed([item for name in segment.authors for item in person(name)]):
        content.insert(len(finding.tracking), item)
    if report.scale.note:
        content.append(comment(report.scale.note))
    return group


def _add_algorithm(template: Template) -> None:
    """Say what measured, for all groups (TID 4019 in TID 1500)."""
    (container,) = (i for i in template[0].ContentSequence if i.name == codes.DCM.ImagingMeasurements)
    for item in reversed(AlgorithmIdentification(f"{MANUFACTURER} measurements", __version__)):
        container.ContentSequence.insert(0, item)


def _name(report: MeasurementReport) -> CodedConcept:
    return intensity(report.scale.unit, report.plan.modality)


def _sizes(measured: Measurements) -> list[Measurement]:
    mm = concepts.MILLIMETRE
    return [
        Measurement(concepts.VOLUME, measured.volume_ml, concepts.CUBIC_CENTIMETRE),
        Measurement(concepts.VOLUME_OF_MESH, measured.mesh_volume_ml, concepts.CUBIC_CENTIMETRE),
        Measurement(concepts.SURFACE_AREA, measured.surface_mm2, concepts.SQUARE_MILLIMETRE),
        Measurement(concepts.LONG_AXIS, measured.in_plane.longest.length_mm, mm),
        Measurement(concepts.SHORT_AXIS, measured.in_plane.perpendicular.length_mm, mm),
        Measurement(concepts.LONGEST_IN_SPACE, measured.longest.length_mm, mm),
    ]


def _values(values: ValueStatistics, unit: CodedConcept, name: CodedConcept) -> list[Measurement]:
    """Return the statistics: one concept, by derivation."""
    derived = [
        (concepts.MEAN, values.mean),
        (concepts.STANDARD_DEVIATION, values.standard_deviation),
        (concepts.MINIMUM, values.minimum),
        (concepts.MAXIMUM, values.maximum),
        *((percentile(rank), value) for rank, value in zip(PERCENTILES, values.percentiles, strict=True)),
    ]
    return [Measurement(name, value, unit, derivation=how) for how, value in derived]
