"""A segmentation's measurements as a Comprehensive SR.

Comprehensive, not Comprehensive 3D: only the diameters in the acquired plane need coordinates, and those lie on an
image; more archives and viewers take it.
"""

from __future__ import annotations

from collections.abc import Iterator

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    CoordinatesForMeasurement,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    ReferencedSegment,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import MeasurementReport as Template
from pydicom.sr.codedict import codes

from delineate import __version__
from delineate.adapters.dicom_sr import concepts
from delineate.adapters.dicom_sr.authors import observers
from delineate.adapters.dicom_sr.concepts import concept, intensity, percentile
from delineate.adapters.dicom_sr.document import (
    CHARACTER_SET,
    MANUFACTURER,
    Segmentation,
    comment,
    finished,
    notice,
    observation_context,
    series_description,
)
from delineate.adapters.dicom_sr.findings import Finding
from delineate.domain.diameters import Diameter
from delineate.domain.measurements import PERCENTILES, Measurements, ValueStatistics
from delineate.domain.report import MeasurementReport, ReportedSegment
from delineate.domain.volume import VolumePlan

Group = VolumetricROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations

SERIES_NUMBER_OFFSET = 1
"""Added to the segmentation's Series Number, so that the report lists after it."""


def encode_report(report: MeasurementReport) -> bytes:
    """Return the report as a Part 10 file; see ``DicomSrCodec.encode``."""
    segmentation = Segmentation.parse(report.segmentation)
    template = Template(
        observation_context=observation_context(segmentation),
        procedure_reported=concepts.PROCEDURES.get(report.plan.modality, concepts.OTHER_PROCEDURE),
        imaging_measurements=[group for segment in report.segments for group in _groups(segment, report, segmentation)],
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


def _groups(segment: ReportedSegment, report: MeasurementReport, segmentation: Segmentation) -> Iterator[Group]:
    """Yield what is measured of one segment: in space, and the diameters in the acquired plane with their lines."""
    finding = Finding.of(segmentation.segment(segment.number))
    for group in (_in_space(segment, report, segmentation, finding), _in_plane(segment, report, segmentation, finding)):
        finding.add_laterality(group[0])
        content = group[0].ContentSequence
        for item in reversed(observers(segment.authors, segmentation)):
            content.insert(len(finding.tracking), item)
        if report.scale.note:
            content.append(comment(report.scale.note))
        yield group


def _in_space(
    segment: ReportedSegment, report: MeasurementReport, segmentation: Segmentation, finding: Finding
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """Return the measurements that belong to the whole segment (TID 1411)."""
    dataset = segmentation.dataset
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
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


def _in_plane(
    segment: ReportedSegment, report: MeasurementReport, segmentation: Segmentation, finding: Finding
) -> MeasurementsAndQualitativeEvaluations:
    """Return the diameters in the acquired plane with their lines on the image (TID 1501; TID 1411 takes no lines)."""
    found = segment.measurements.in_plane
    lines = ((concepts.LONG_AXIS, found.longest), (concepts.SHORT_AXIS, found.perpendicular))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=finding.tracking,
        finding_category=finding.category,
        finding_type=finding.type,
        finding_sites=finding.sites,
        measurements=[
            Measurement(
                name,
                diameter.length_mm,
                concepts.MILLIMETRE,
                referenced_coordinates=[_on_image(diameter, found.k, report.plan, segmentation)],
            )
            for name, diameter in lines
        ],
    )


def _add_algorithm(template: Template) -> None:
    """Say what measured, for all groups (TID 4019 in TID 1500)."""
    (container,) = (i for i in template[0].ContentSequence if i.name == codes.DCM.ImagingMeasurements)
    for item in reversed(AlgorithmIdentification(f"{MANUFACTURER} measurements", __version__)):
        container.ContentSequence.insert(0, item)


def _name(report: MeasurementReport) -> CodedConcept:
    return intensity(report.scale.unit, report.plan.modality)


def _sizes(measured: Measurements) -> list[Measurement]:
    return [
        Measurement(concepts.VOLUME, measured.volume_ml, concepts.CUBIC_CENTIMETRE),
        Measurement(concepts.VOLUME_OF_MESH, measured.mesh_volume_ml, concepts.CUBIC_CENTIMETRE),
        Measurement(concepts.SURFACE_AREA, measured.surface_mm2, concepts.SQUARE_MILLIMETRE),
        Measurement(concepts.LONGEST_IN_SPACE, measured.longest.length_mm, concepts.MILLIMETRE),
    ]


def _on_image(diameter: Diameter, k: int, plan: VolumePlan, segmentation: Segmentation) -> CoordinatesForMeasurement:
    """Return the line on the source image of slice k.

    References
    ----------
    PS3.16 TID 320; PS3.3 C.18.6.1.1: column and row, 0.5 in the centre of the first pixel.
    """
    source = plan.slices[k]
    image = SourceImageForRegion(*segmentation.source_image(source.sop_instance_uid, source.frame_number))
    ends = plan.geometry.to_continuous([end.as_tuple() for end in diameter.ends])
    return CoordinatesForMeasurement("POLYLINE", ends[:, [2, 1]] + 0.5, image)


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
