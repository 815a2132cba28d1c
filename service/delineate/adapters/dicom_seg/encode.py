"""An acceptance as a DICOM Segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from highdicom.seg import Segmentation
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from delineate.adapters.dicom_seg.identification import (
    MANUFACTURER,
    content_description,
    device_serial_number,
    long_string,
    segment_descriptions,
    series_number,
    software_versions,
    stamp,
)
from delineate.adapters.dicom_seg.parity import empty_frames, packed_length
from delineate.adapters.dicom_seg.pixels import Pixels, label_type, numbered, pixels_to_encode, slices_of
from delineate.adapters.dicom_seg.segment_items import next_item
from delineate.adapters.dicom_seg.source_headers import STAND_IN_UID, SourceSeries, source_series, value
from delineate.domain.people import person_name
from delineate.domain.ports import Acceptance, DicomJson
from delineate.domain.segmentation import InstanceReference

CONTENT_LABEL = "SEGMENTATION"
CHARACTER_SET = "ISO_IR 192"
BACKGROUND = 0
"""Segment Number of the item that describes a LABELMAP's pixels of no segment."""
PREDECESSOR = ("129010", "DCM", "Edited Model")
"""Purpose of the reference to the version before: of CID 7062, PS3.16; ``docs/adr/0014-opening-a-stored-seg.md``."""


def encode_segmentation(acceptance: Acceptance, headers: Sequence[DicomJson]) -> bytes:
    """Return the acceptance as a Part 10 file; see ``DicomSegCodec.encode``."""
    series = source_series(acceptance.plan, headers)
    used = [slices_of(segment) for segment in acceptance.segments]
    extra = _empty_frames(acceptance, used)
    slices = sorted({k for own in used for k in own}.union(k for _, k in extra))
    numbers = numbered(acceptance, slices)
    pixels = pixels_to_encode(acceptance, slices, numbers, extra)
    segmentation = _segmentation(acceptance, series, slices, pixels)
    segmentation.SegmentsOverlap = "YES" if numbers is None else "NO"
    _finish_pixel_data(segmentation, [(segment + 1, slices.index(k) + 1) for segment, k in extra])
    _refer(segmentation, series, slices)
    _refer_to_predecessor(segmentation, acceptance.predecessor)
    series.copy_identity(segmentation)
    stamp(segmentation, acceptance)
    file = BytesIO()
    segmentation.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _empty_frames(acceptance: Acceptance, used: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    slices, rows, columns = acceptance.plan.geometry.shape
    if acceptance.encoding == "BINARY":
        return empty_frames(used, slices, rows * columns)
    bits = 8 * label_type(acceptance).itemsize
    return empty_frames([sorted({k for own in used for k in own})], slices, rows * columns * bits)


def _segmentation(acceptance: Acceptance, series: SourceSeries, slices: Sequence[int], pixels: Pixels) -> Segmentation:
    segmentation = Segmentation(
        source_images=[series.stand_in(slices)],
        pixel_array=pixels,
        segmentation_type=acceptance.encoding,
        segment_descriptions=segment_descriptions(acceptance.segments, acceptance.model),
        series_instance_uid=acceptance.series_instance_uid,
        series_number=series_number(value(series.first, "SeriesNumber")),
        sop_instance_uid=acceptance.sop_instance_uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=software_versions(),
        device_serial_number=device_serial_number(acceptance.model),
        content_label=CONTENT_LABEL,
        content_description=content_description(acceptance.segments, acceptance.model),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=CHARACTER_SET,
        series_description=long_string(acceptance.series_description),
    )
    segmentation.ContentCreatorName = person_name(acceptance.creator)
    _keep_metadata(segmentation, acceptance)
    if acceptance.encoding == "LABELMAP":
        _move_background_last(segmentation)
    return segmentation


def _keep_metadata(segmentation: Segmentation, acceptance: Acceptance) -> None:
    """Give the segments of a predecessor the items that they had there, but for what was changed."""
    ours: dict[int, Any] = {int(item.SegmentNumber): item for item in segmentation.SegmentSequence}
    for number, segment in enumerate(acceptance.segments, 1):
        ours[number] = next_item(ours[number], segment)
    segmentation.SegmentSequence = list(ours.values())


def _move_background_last(segmentation: Segmentation) -> None:
    """Move the Background item behind the segments, because OHIF colours segments by their place in the sequence.

    ``docs/adr/0006-background-of-labelmap-seg.md``; the item itself is required (PS3.3 C.8.20.2.3).
    """
    items = list(segmentation.SegmentSequence)
    segmentation.SegmentSequence = sorted(items, key=lambda item: bool(item.SegmentNumber == BACKGROUND))


def _finish_pixel_data(segmentation: Segmentation, kept_empty: Sequence[tuple[int, int]]) -> None:
    """Empty the frames kept (segment, stand-in's frame), both from 1, and pad with NUL: highdicom 0.28.2 pads with "0".

    References
    ----------
    PS3.5 8.1.1 (bit packing), 8.2 (padding).
    """
    bits = segmentation.Rows * segmentation.Columns * segmentation.BitsAllocated
    data = bytearray(segmentation.PixelData)
    if kept_empty:
        keys = [_key(segmentation, frame) for frame in segmentation.PerFrameFunctionalGroupsSequence]
        for key in kept_empty:
            byte, bit = divmod(keys.index(key) * bits, 8)
            data[byte] &= ~(1 << bit)
    length = packed_length(segmentation.NumberOfFrames, bits)
    data[length:] = bytes(len(data) - length)
    segmentation.PixelData = bytes(data)


def _key(segmentation: Segmentation, frame: Dataset) -> tuple[int, int]:
    """Return which segment a frame shows on which frame of the stand-in; 1 where all segments are in one frame."""
    number = 1
    for place in (frame, segmentation.SharedFunctionalGroupsSequence[0]):
        if "SegmentIdentificationSequence" in place:  # shared if there is one segment only
            number = int(place.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    return number, int(_source(frame).ReferencedFrameNumber)


def _source(frame: Dataset) -> Dataset:
    item: Dataset = frame.DerivationImageSequence[0].SourceImageSequence[0]
    return item


def _refer(segmentation: Segmentation, series: SourceSeries, slices: Sequence[int]) -> None:
    """Turn the references to the stand-in's frames into references to the source's instances and frames.

    References
    ----------
    PS3.3 C.7.6.16.2.6 (Derivation Image macro), C.12.2 (Common Instance Reference module).
    """
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        reference = _source(frame)
        if reference.ReferencedSOPInstanceUID != STAND_IN_UID:
            continue  # an item that frames of several segments share, done already
        image = series.images[slices[reference.ReferencedFrameNumber - 1]]
        reference.ReferencedSOPClassUID = image.sop_class_uid
        reference.ReferencedSOPInstanceUID = image.source.sop_instance_uid
        if image.is_multi_frame:
            reference.ReferencedFrameNumber = image.source.frame_number
        else:
            del reference.ReferencedFrameNumber
    instances = []
    for uid, sop_class in {i.source.sop_instance_uid: i.sop_class_uid for i in series.images}.items():
        instance = Dataset()
        instance.ReferencedSOPClassUID = sop_class
        instance.ReferencedSOPInstanceUID = uid
        instances.append(instance)
    referenced = Dataset()
    referenced.SeriesInstanceUID = series.plan.series_instance_uid
    referenced.ReferencedInstanceSequence = instances
    segmentation.ReferencedSeriesSequence = [referenced]
    segmentation.SourceImageSequence = instances


def _refer_to_predecessor(segmentation: Segmentation, predecessor: InstanceReference | None) -> None:
    """Add a reference to the version before.

    Its series stands behind the source's, because OHIF takes the first series for the source.

    References
    ----------
    PS3.3 C.12.4 (General Reference module), C.12.2 (Common Instance Reference module).
    """
    if predecessor is None:
        return
    instance, purposeful, series = Dataset(), Dataset(), Dataset()
    for item in (instance, purposeful):
        item.ReferencedSOPClassUID = predecessor.sop_class_uid
        item.ReferencedSOPInstanceUID = predecessor.sop_instance_uid
    purposeful.PurposeOfReferenceCodeSequence = [CodedConcept(*PREDECESSOR)]
    series.SeriesInstanceUID = predecessor.series_instance_uid
    series.ReferencedInstanceSequence = [instance]
    segmentation.ReferencedInstanceSequence = [purposeful]
    segmentation.ReferencedSeriesSequence = [*segmentation.ReferencedSeriesSequence, series]
