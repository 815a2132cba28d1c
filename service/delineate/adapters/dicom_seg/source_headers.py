"""The source series' headers, from the DICOM JSON model to what a segmentation needs of them.

The archive's metadata is read attribute by attribute instead of being turned into full datasets: that takes
milliseconds for hundreds of instances, and what is not needed cannot fail. DICOM JSON is UTF-8 whatever Specific
Character Set it lists (PS3.18 F.2.1), which is why the segmentation is written as ISO_IR 192.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import SOPClass
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import EnhancedCTImageStorage
from pydicom.valuerep import format_number_as_ds

from delineate.domain.errors import SeriesChanged
from delineate.domain.ports import DicomJson
from delineate.domain.segmentation import PATIENT_AND_STUDY
from delineate.domain.volume import SliceSource, VolumePlan

_logger = logging.getLogger(__name__)

POSITION_TOLERANCE_VOXELS = 0.25
"""A header position further than this from the plan's, along any voxel axis, is another image than the planned one."""

FRAMES_GROUP = 0x5200
"""Group of the functional groups; only frames and pixels come after it."""

STAND_IN_UID = "2.25.1"
"""SOP Instance UID of the source's stand-in inside highdicom; never written."""


SERIES_ATTRIBUTES = ("BodyPartExamined", "Laterality", "PositionReferenceIndicator", "TimezoneOffsetFromUTC")
"""Attributes beyond patient and study that hold for the segmentation as for its source."""

LOSSY_ATTRIBUTES = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
"""Inherited from the first lossy source image (PS3.3 C.8.20.2.2)."""


def value(json: Mapping[str, Any], keyword: str) -> Any | None:  # noqa: ANN401 - DICOM JSON values are of many types
    """Return the first value of an attribute, or None if it is absent or empty."""
    values = values_of(json, keyword)
    return values[0] if values else None


def values_of(json: Mapping[str, Any], keyword: str) -> list[Any]:
    """Return the values of an attribute; empty if it is absent."""
    tag = tag_for_keyword(keyword)
    element = json.get(f"{tag:08X}")
    if not isinstance(element, Mapping):
        return []
    values = element.get("Value")
    return [v for v in values if v is not None] if isinstance(values, list) else []


def functional_groups(header: DicomJson, frame_number: int) -> Iterator[Mapping[str, Any]]:
    """Yield where a frame's attributes may be, the most specific place first.

    References
    ----------
    PS3.3 C.7.6.16 (multi-frame functional groups).
    """
    per_frame = values_of(header, "PerFrameFunctionalGroupsSequence")
    if 0 < frame_number <= len(per_frame):
        yield per_frame[frame_number - 1]
    yield from values_of(header, "SharedFunctionalGroupsSequence")[:1]


def frame_values(header: DicomJson, frame_number: int, macro: str, keyword: str) -> list[Any]:
    """Return an attribute of a frame: from its functional group ``macro``, else from the top level."""
    for group in functional_groups(header, frame_number):
        item = value(group, macro)
        if isinstance(item, Mapping) and (found := values_of(item, keyword)):
            return found
    return values_of(header, keyword)


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A source slice as the archive's header describes it."""

    source: SliceSource
    sop_class_uid: str
    is_multi_frame: bool
    position: tuple[float, float, float]
    """Image Position (Patient), LPS mm, as in the header."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceSeries:
    """What the segmentation takes over from its source."""

    plan: VolumePlan
    images: tuple[SourceImage, ...]
    """In order of k."""
    first: DicomJson
    """Header of the instance of slice 0."""
    lossy: Dataset
    """The lossy compression attributes."""

    def stand_in(self, slices: Sequence[int]) -> Dataset:
        """Return an image whose frames lie where the slices k of ``slices`` do, for highdicom to take them from.

        Stands for the source whatever it is: highdicom takes single-frame images, or one multi-frame image whole and
        in its own frame order, while a plan may choose frames, from several instances. It references its UID,
        ``STAND_IN_UID``, and frame n for the n-th of ``slices``.
        """
        image = Dataset()
        image.SOPClassUID = EnhancedCTImageStorage
        image.SOPInstanceUID = STAND_IN_UID
        image.StudyInstanceUID = self.plan.study_instance_uid
        image.SeriesInstanceUID = self.plan.series_instance_uid
        image.FrameOfReferenceUID = self.plan.geometry.frame_of_reference_uid
        _, image.Rows, image.Columns = self.plan.geometry.shape
        for keyword in PATIENT_AND_STUDY:
            setattr(image, keyword, None)
        image.NumberOfFrames = len(slices)
        image.SharedFunctionalGroupsSequence = [self._shared_groups()]
        image.PerFrameFunctionalGroupsSequence = [_position_group(self.images[k].position) for k in slices]
        return image

    def _shared_groups(self) -> Dataset:
        orientation, spacing = self.in_plane()
        measures, plane, groups = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing = [format_number_as_ds(v) for v in spacing]
        measures.SliceThickness = format_number_as_ds(self._slice_thickness())
        # Measured: the source's own may be wrong, and readers place slices by it.
        measures.SpacingBetweenSlices = format_number_as_ds(_plain(self.plan.geometry.spacing_mm[0]))
        plane.ImageOrientationPatient = [format_number_as_ds(v) for v in orientation]
        groups.PixelMeasuresSequence = [measures]
        groups.PlaneOrientationSequence = [plane]
        return groups

    def in_plane(self) -> tuple[list[float], list[float]]:
        """Return Image Orientation (Patient) and Pixel Spacing of slice 0, as in its header; empty if absent."""
        frame = self.images[0].source.frame_number
        orientation = frame_values(self.first, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = frame_values(self.first, frame, "PixelMeasuresSequence", "PixelSpacing")
        return [float(v) for v in orientation], [float(v) for v in spacing]

    def _slice_thickness(self) -> float:
        frame = self.images[0].source.frame_number
        given = frame_values(self.first, frame, "PixelMeasuresSequence", "SliceThickness")
        thickness = float(given[0]) if given else 0.0
        return thickness if np.isfinite(thickness) and thickness > 0 else _plain(self.plan.geometry.spacing_mm[0])

    def copy_identity(self, segmentation: SOPClass) -> None:
        """Copy patient, study and what else holds for the segmentation too into it.

        References
        ----------
        PS3.3 C.7.1 (patient), C.7.2 (study), C.7.4.1 (frame of reference).
        """
        source = Dataset()
        for tag, element in self.first.items():
            source.update(_parsed(tag, element))
        # Known to highdicom, and of the same patient and study modules as any image.
        source.SOPClassUID = EnhancedCTImageStorage
        segmentation.copy_patient_and_study_information(source)
        for keyword in PATIENT_AND_STUDY:
            if keyword not in segmentation:
                setattr(segmentation, keyword, None)
        for keyword in SERIES_ATTRIBUTES:
            if keyword in source:
                segmentation[keyword] = source[keyword]
        segmentation.update(self.lossy)


def source_series(plan: VolumePlan, headers: Sequence[DicomJson]) -> SourceSeries:
    """Find the plan's slices among fresh headers.

    Raises
    ------
    SeriesChanged
        An instance is missing, or an image's place, size or frame of reference is not the plan's any more.
    """
    by_uid = {str(value(h, "SOPInstanceUID")): h for h in headers}
    chosen = [by_uid[uid] for uid in plan.instances if uid in by_uid]
    if len(chosen) != len(plan.instances):
        raise SeriesChanged(plan.series_instance_uid)
    images = tuple(_image(plan, by_uid[s.sop_instance_uid], s) for s in plan.slices)
    series = SourceSeries(plan, images, by_uid[plan.slices[0].sop_instance_uid], _lossy(chosen))
    _check_places(series)
    return series


def _image(plan: VolumePlan, header: DicomJson, source: SliceSource) -> SourceImage:
    position = frame_values(header, source.frame_number, "PlanePositionSequence", "ImagePositionPatient")
    size = tuple(int(value(header, keyword) or 0) for keyword in ("Rows", "Columns"))
    unchanged = (
        len(position) == 3
        and value(header, "FrameOfReferenceUID") == plan.geometry.frame_of_reference_uid
        and size == plan.geometry.shape[1:]
    )
    if not unchanged:
        raise SeriesChanged(plan.series_instance_uid)
    x, y, z = (float(v) for v in position)
    is_multi_frame = bool(values_of(header, "PerFrameFunctionalGroupsSequence") or value(header, "NumberOfFrames"))
    return SourceImage(source, str(value(header, "SOPClassUID")), is_multi_frame, (x, y, z))


def _check_places(series: SourceSeries) -> None:
    """Check each slice's first voxel, and the opposite corner of slice 0, against the plan's geometry."""
    geometry = series.plan.geometry
    slices, rows, columns = geometry.shape
    expected = np.zeros((slices + 1, 3))
    expected[:slices, 0] = np.arange(slices)
    expected[slices] = (0, rows - 1, columns - 1)
    positions = np.array([image.position for image in series.images])
    orientation, spacing = series.in_plane()
    if len(orientation) != 6 or len(spacing) != 2:
        raise SeriesChanged(series.plan.series_instance_uid)
    along_row = np.array(orientation[:3]) * spacing[1] * (columns - 1)
    along_column = np.array(orientation[3:]) * spacing[0] * (rows - 1)
    actual = geometry.to_continuous(np.vstack([positions, positions[0] + along_row + along_column]))
    if not np.abs(actual - expected).max() <= POSITION_TOLERANCE_VOXELS:
        raise SeriesChanged(series.plan.series_instance_uid)


def _lossy(headers: Sequence[DicomJson]) -> Dataset:
    """Return the lossy compression attributes of the first lossy image; "00" alone if there is none."""
    lossy = Dataset()
    lossy.LossyImageCompression = "00"
    for header in headers:
        if value(header, "LossyImageCompression") == "01":
            for keyword in LOSSY_ATTRIBUTES:
                if given := [str(v) for v in values_of(header, keyword)]:
                    setattr(lossy, keyword, given if len(given) > 1 else given[0])
            break
    return lossy


def _position_group(position: tuple[float, float, float]) -> Dataset:
    plane, group = Dataset(), Dataset()
    plane.ImagePositionPatient = [format_number_as_ds(v) for v in position]
    group.PlanePositionSequence = [plane]
    return group


def _parsed(tag: str, element: Mapping[str, Any]) -> Dataset:
    """Return a header's element as a data set; an empty one if it is private, bulk data, frames or malformed."""
    group = int(tag[:4], 16)
    if group % 2 or group >= FRAMES_GROUP or "BulkDataURI" in element or "InlineBinary" in element:
        return Dataset()
    try:
        return Dataset.from_json({tag: element}, bulk_data_uri_handler=lambda *_: None)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        _logger.warning("attribute %s of a source header is malformed: %s", tag, type(error).__name__)
        return Dataset()


def _plain(number: float) -> float:
    """Round float noise away: 2.9999999999999996 is 3."""
    return round(number, 9)
