"""DICOM RT Structure Set: each segment's outlines on the acquired slices.

The data set is highdicom's base class with the modules that it lacks: highdicom 0.28 has no RT Structure Set, and
rt-utils 1.2.7 misplaces pixels that are not square (``docs/adr/0016-exports.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from highdicom import SOPClass
from pydicom import Dataset, FileDataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from delineate.adapters.exports.contours import outlines_of
from delineate.domain.geometry import Points
from delineate.domain.ports import AcceptedSegment, ExportSource
from delineate.domain.volume import SliceSource, VolumePlan

FILE = "structures.dcm"
LABEL = "DELINEATE"
"""Structure Set Label (SH, 16 characters)."""
DECIMALS = 4
"""Of a contour's coordinates in mm."""
EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
"""SOP Class of a study as RT objects reference it (PS3.3 C.8.8.5.4: Detached Study Management, retired)."""


class RtStructureSetExporter:
    """``structures.dcm``: a closed contour for each part of a segment on a slice, holes by keyholes.

    Implicit VR, because a contour of some 2,000 corners is longer than explicit VR can say. The UIDs follow from those
    of the segmentation, so that the same segmentation gives the same file.

    References
    ----------
    PS3.3 A.19 (RT Structure Set IOD), C.8.8.5, C.8.8.6, C.8.8.8.
    """

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:
        """Write the file; see ``Exporter``."""
        segmentation = dcmread(BytesIO(source.segmentation), stop_before_pixels=True)
        structures = _instance(source, segmentation)
        images = _SourceImages.of(segmentation)
        plan, segments = source.acceptance.plan, source.acceptance.segments
        structures.ReferencedFrameOfReferenceSequence = [_referenced_frame(plan, images)]
        numbered = list(enumerate(segments, 1))
        structures.StructureSetROISequence = [_roi(n, segment, plan) for n, segment in numbered]
        structures.ROIContourSequence = [_contours(n, segment, plan, images) for n, segment in numbered]
        structures.RTROIObservationsSequence = [
            _observation(n, item) for (n, _), item in zip(numbered, _items(segmentation), strict=True)
        ]
        structures.save_as(folder / FILE, enforce_file_format=True)
        return (FILE,)


def _instance(source: ExportSource, segmentation: FileDataset) -> SOPClass:
    """Return the instance with all that is not structures: patient and study, series, equipment, dates."""
    structures = SOPClass(
        study_instance_uid=segmentation.StudyInstanceUID,
        series_instance_uid=generate_uid(entropy_srcs=[segmentation.SOPInstanceUID, "RTSTRUCT series"]),
        series_number=segmentation.SeriesNumber,
        sop_instance_uid=generate_uid(entropy_srcs=[segmentation.SOPInstanceUID, "RTSTRUCT"]),
        sop_class_uid=RTStructureSetStorage,
        instance_number=1,
        modality="RTSTRUCT",
        transfer_syntax_uid=ImplicitVRLittleEndian,
        specific_character_set=segmentation.SpecificCharacterSet,
    )
    structures.copy_patient_and_study_information(segmentation)
    for keyword in (*EQUIPMENT, "SeriesDescription", "TimezoneOffsetFromUTC", "PositionReferenceIndicator"):
        if keyword in segmentation:
            structures[keyword] = segmentation[keyword]
    structures.FrameOfReferenceUID = source.acceptance.plan.geometry.frame_of_reference_uid
    structures.OperatorsName = segmentation.ContentCreatorName
    for what in ("InstanceCreation", "Series", "StructureSet"):
        setattr(structures, f"{what}Date", segmentation.ContentDate)
        setattr(structures, f"{what}Time", segmentation.ContentTime)
    structures.StructureSetLabel = LABEL
    structures.StructureSetDescription = segmentation.ContentDescription
    structures.ApprovalStatus = "UNAPPROVED"
    return structures


@dataclass(frozen=True, slots=True)
class _SourceImages:
    """What it takes to reference the source's images, from the segmentation."""

    classes: Mapping[str, str]
    """SOP Class UIDs by SOP Instance UID."""
    multi_frame: frozenset[str]
    """SOP Class UIDs of multi-frame images."""

    @classmethod
    def of(cls, segmentation: FileDataset) -> _SourceImages:
        references = [
            source
            for frame in segmentation.PerFrameFunctionalGroupsSequence
            for derivation in frame.get("DerivationImageSequence") or []
            for source in derivation.SourceImageSequence
        ]
        classes = {
            str(item.ReferencedSOPInstanceUID): str(item.ReferencedSOPClassUID)
            for series in segmentation.ReferencedSeriesSequence
            for item in series.ReferencedInstanceSequence
        }
        return cls(classes, frozenset(str(i.ReferencedSOPClassUID) for i in references if "ReferencedFrameNumber" in i))

    def reference(self, source: SliceSource) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID = self.classes[source.sop_instance_uid]
        item.ReferencedSOPInstanceUID = source.sop_instance_uid
        if item.ReferencedSOPClassUID in self.multi_frame:
            item.ReferencedFrameNumber = source.frame_number
        return item


def _referenced_frame(plan: VolumePlan, images: _SourceImages) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = plan.series_instance_uid
    series.ContourImageSequence = [images.reference(source) for source in plan.slices]
    study.ReferencedSOPClassUID = STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = plan.study_instance_uid
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = plan.geometry.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    return frame


def _roi(number: int, segment: AcceptedSegment, plan: VolumePlan) -> Dataset:
    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = plan.geometry.frame_of_reference_uid
    roi.ROIName = segment.description.label.strip()
    roi.ROIGenerationAlgorithm = "MANUAL" if segment.manual else "SEMIAUTOMATIC"
    return roi


def _contours(number: int, segment: AcceptedSegment, plan: VolumePlan, images: _SourceImages) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(segment.description.colour)
    item.ReferencedROINumber = number
    item.ContourSequence = [
        _contour(n, corners, images.reference(plan.slices[k]))
        for n, (k, corners) in enumerate(_slice_outlines(segment, plan), 1)
    ]
    return item


def _slice_outlines(segment: AcceptedSegment, plan: VolumePlan) -> Iterator[tuple[int, Points]]:
    """Yield the slice k and the corners (LPS mm) of each outline."""
    region = segment.labelmap.region
    k0, j0, i0 = region.box.start
    for k, voxels in enumerate(region.voxels, k0):
        for outline in outlines_of(voxels):
            indices = np.column_stack([np.full(len(outline), k), outline + np.array([j0, i0])])
            yield k, plan.geometry.to_patient(indices)


def _contour(number: int, corners: Points, image: Dataset) -> Dataset:
    contour = Dataset()
    contour.ContourNumber = number
    contour.ContourImageSequence = [image]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(corners)
    contour.ContourData = [_decimal(value) for value in corners.ravel().tolist()]
    return contour


def _decimal(value: float) -> str:
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")


def _items(segmentation: FileDataset) -> list[Dataset]:
    """Return the segments' items in order, without a LABELMAP's background."""
    return sorted((i for i in segmentation.SegmentSequence if i.SegmentNumber > 0), key=lambda i: int(i.SegmentNumber))


def _observation(number: int, item: Dataset) -> Dataset:
    """Say what a structure is: the segment's type, laterality included, and region."""
    observation = Dataset()
    observation.ObservationNumber = number
    observation.ReferencedROINumber = number
    observation.RTROIIdentificationCodeSequence = item.SegmentedPropertyTypeCodeSequence
    if "AnatomicRegionSequence" in item:
        observation.AnatomicRegionSequence = item.AnatomicRegionSequence
    observation.RTROIInterpretedType = ""
    observation.ROIInterpreter = ""
    return observation
