"""A stored DICOM Segmentation, whoever made it, on the grid of a volume."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import BytesIO

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset, dcmread
from pydicom.uid import UID

from delineate.adapters.dicom_seg.frames import (
    DamagedError,
    decoded,
    functional_groups,
    names_slice,
    plane_of,
    segment_of,
    slice_spacing_mm,
    sources_of,
)
from delineate.adapters.dicom_seg.grid_places import GridPlace, OffGridError, merged, place_on_grid
from delineate.adapters.dicom_seg.segment_items import described, origin_of
from delineate.domain.errors import (
    DelineateError,
    NotASegmentation,
    SegmentationOfOtherSeries,
    SegmentationUnreadable,
)
from delineate.domain.labelmap import NOTHING, Labelmap, PackedRegion, Region
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference, StoredSegment, StoredSegmentation
from delineate.domain.volume import VolumePlan

BACKGROUND = 0
"""Segment Number of the item that describes a LABELMAP's pixels of no segment."""

SPACING_TOLERANCE = 0.01
"""Part by which a header's slice spacing may differ from the volume's."""

READ_ONLY = (
    "The segmentation {reason}, so that it can be looked at but not refined. Draw its segments anew to change them."
)


def decode_segmentation(part10: bytes, reference: InstanceReference, plan: VolumePlan) -> StoredSegmentation:
    """Return a segmentation; see ``DicomSegCodec.read``."""
    try:
        dataset = dcmread(BytesIO(part10))
        _check_class(dataset, reference)
        items = _items(dataset)
        _check_series(dataset, plan)
        return _decoded(dataset, reference, items, plan)
    except DelineateError:
        raise
    except DamagedError as error:
        raise SegmentationUnreadable(
            f"The segmentation {error}. Send it to the archive again, or open another."
        ) from error
    except Exception as error:  # whatever a parser or decoder raises on foreign bytes means the same
        raise SegmentationUnreadable(
            f"The segmentation cannot be read ({type(error).__name__}). Send it to the archive again, or open another."
        ) from error


def segmentation_sources(part10: bytes) -> frozenset[str]:
    """Return the images that a segmentation's frames name; see ``DicomSegCodec.sources``."""
    try:
        dataset = dcmread(BytesIO(part10), stop_before_pixels=True)
        return frozenset(uid for group in functional_groups(dataset) for uid, _ in sources_of(dataset, group))
    except Exception:  # whatever is wrong with it is said when it is decoded
        return frozenset()


def _decoded(
    dataset: FileDataset, reference: InstanceReference, items: Mapping[int, Dataset], plan: VolumePlan
) -> StoredSegmentation:
    read_only: str | None = None
    regions: dict[int, list[Region]] = {}
    try:
        regions = _regions(dataset, _places(dataset, plan), items)
    except OffGridError as error:
        read_only = READ_ONLY.format(reason=error)
    return StoredSegmentation(
        reference=reference,
        segments=tuple(_segment(item, regions.get(number, []), plan) for number, item in sorted(items.items())),
        read_only=read_only,
    )


def _segment(item: Dataset, regions: list[Region], plan: VolumePlan) -> StoredSegment:
    labelmap = merged(regions, plan.geometry.shape) if regions else Labelmap(plan.geometry.shape)
    return StoredSegment(
        description=described(item),
        labelmap=NOTHING if labelmap.is_empty else PackedRegion.of(labelmap.region),
        tracking_id=str(item.get("TrackingID") or "") or None,
        tracking_uid=uid if (uid := UID(str(item.get("TrackingUID") or ""))).is_valid else None,
        origin=origin_of(item),
    )


def _check_class(dataset: FileDataset, reference: InstanceReference) -> None:
    if dataset.SOPInstanceUID != reference.sop_instance_uid:
        raise DamagedError("has another SOP Instance UID than the archive says")
    if dataset.SOPClassUID not in SEGMENTATION_CLASSES:
        raise NotASegmentation(
            f"Instance {reference.sop_instance_uid} is not a DICOM Segmentation, but of SOP class "
            f"{dataset.SOPClassUID}. Choose a segmentation of the series."
        )


def _items(dataset: Dataset) -> dict[int, Dataset]:
    """Return the items of the Segment Sequence by Segment Number, without a LABELMAP's background."""
    items = {int(item.SegmentNumber): item for item in dataset.get("SegmentSequence") or []}
    if len(items) != len(dataset.get("SegmentSequence") or []):
        raise DamagedError("has two segments of one number")
    if dataset.SegmentationType == "LABELMAP":
        for number in (BACKGROUND, dataset.get("PixelPaddingValue")):
            items.pop(number, None)
    return items


def _check_series(dataset: Dataset, plan: VolumePlan) -> None:
    """Refuse a segmentation that names its images, none of which is the volume's."""
    listed = {str(item.get("SeriesInstanceUID")) for item in dataset.get("ReferencedSeriesSequence") or []}
    named = {uid for group in functional_groups(dataset) for uid, _ in sources_of(dataset, group)}
    if listed and plan.series_instance_uid not in listed:
        raise SegmentationOfOtherSeries(
            f"The segmentation was made on series {', '.join(sorted(listed))}, not on {plan.series_instance_uid}. "
            "Open it with the series that it was made on."
        )
    if named and not named.intersection(plan.instances):
        raise SegmentationOfOtherSeries(
            "The segmentation was made on images that are not among those of this volume. Open it with the series, or "
            "the volume of the series, that it was made on."
        )


def _places(dataset: FileDataset, plan: VolumePlan) -> list[GridPlace]:
    """Return each frame's place, checked against the images that it says it was made from.

    Raises
    ------
    OffGridError
        If it cannot be refined on the plan's volume, with the reason.
    """
    if dataset.SegmentationType == "FRACTIONAL":
        raise OffGridError("is FRACTIONAL (its voxels hold parts or probabilities, without a definite border)")
    if dataset.get("FrameOfReferenceUID") != plan.geometry.frame_of_reference_uid:
        raise OffGridError("lies in another frame of reference than the series")
    return [_place(dataset, group, plan) for group in functional_groups(dataset)]


def _place(dataset: FileDataset, group: Dataset, plan: VolumePlan) -> GridPlace:
    place = place_on_grid(plan.geometry, plane_of(dataset, group))
    sources = sources_of(dataset, group)
    is_slice = place.normal == 0
    image = plan.slices[place.first[0]]
    if is_slice and sources and not names_slice(sources, image):
        raise OffGridError(
            f"contradicts itself (a frame lies on image {image.sop_instance_uid}, and says that it was made from "
            f"{sources[0][0]})"
        )
    spacing_mm, true_mm = slice_spacing_mm(dataset, group), plan.geometry.spacing_mm[place.normal]
    is_of_one_image = is_slice and len(sources) == 1  # then a header that lies about the spacing does no harm
    if spacing_mm is not None and abs(spacing_mm / true_mm - 1.0) > SPACING_TOLERANCE and not is_of_one_image:
        raise OffGridError("has another slice spacing than the series")
    return place


def _regions(dataset: FileDataset, places: list[GridPlace], items: Mapping[int, Dataset]) -> dict[int, list[Region]]:
    """Return where each segment is, frame by frame."""
    regions: dict[int, list[Region]] = defaultdict(list)
    for frame, number, mask in _masks(dataset):
        if number not in items:
            raise DamagedError(f"shows segment {number}, which it does not describe")
        regions[number].append(places[frame].region(mask))
    return regions


def _masks(dataset: FileDataset) -> Iterator[tuple[int, int, npt.NDArray[np.bool_]]]:
    """Yield frame (from 0), Segment Number and pixels of all that is shown."""
    groups = functional_groups(dataset)
    if not groups:
        return
    nothing = {BACKGROUND, dataset.get("PixelPaddingValue")}
    for frame, (group, pixels) in enumerate(zip(groups, decoded(dataset), strict=True)):
        if dataset.SegmentationType != "LABELMAP":
            yield frame, segment_of(dataset, group), pixels != 0
            continue
        for number in np.flatnonzero(np.bincount(pixels.reshape(-1))).tolist():
            if number not in nothing:
                yield frame, number, pixels == number
