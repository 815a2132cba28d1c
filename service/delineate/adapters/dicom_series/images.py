"""The images of a series as their headers describe them: one ``Image`` for each frame.

References
----------
PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (Multi-frame Functional Groups), C.7.6.17 (Multi-frame Dimension).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from delineate.adapters.dicom_series.functional_groups import FunctionalGroups
from delineate.adapters.dicom_series.json_model import Item, integer, numbers, text
from delineate.adapters.dicom_series.traits import Traits, traits_of
from delineate.domain.errors import MissingGeometry, NotAnImage, UnsupportedPixels

GRAYSCALE = ("MONOCHROME1", "MONOCHROME2")
"""Photometric Interpretations of one channel of intensities (PS3.3 C.7.6.3.1.2)."""

NOT_OF_A_VOLUME = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose",
}
"""SOP classes that have Rows and Columns and yet are no images to segment."""


LARGEST_MM = 1e6
"""A coordinate or distance beyond a kilometre is no position in a patient."""

SMALLEST_MM = 1e-6
"""A distance below a nanometre is none between pixels."""


@dataclass(frozen=True, slots=True)
class Image:
    """One frame: where it lies and what may tell it apart from frames of another volume.

    Geometry that is absent or malformed is None: it counts only if the volume is chosen.
    """

    sop_instance_uid: str
    frame_number: int
    """Counts from 1."""
    rows: int
    columns: int
    position: tuple[float, ...] | None
    """Image Position (Patient): LPS mm of the first voxel's centre."""
    orientation: tuple[float, ...] | None
    """Image Orientation (Patient): unit vectors along a row, then along a column."""
    pixel_spacing: tuple[float, ...] | None
    """Millimetres between rows, then between columns."""
    slice_thickness: float | None
    frame_of_reference_uid: str | None
    photometric: str | None
    traits: Traits


def unique_instances(images: Iterable[Image]) -> tuple[str, ...]:
    """Return the images' SOP Instance UIDs, each once, in their order."""
    return tuple(dict.fromkeys(image.sop_instance_uid for image in images))


def images_of(headers: Sequence[Item]) -> list[Image]:
    """Return the images of a series.

    Raises
    ------
    NotAnImage
        If an instance is no image (a report, a presentation state, a segmentation).
    UnsupportedPixels
        If an image has several samples per pixel or colours.
    MissingGeometry
        If a multi-frame instance does not describe each of its frames.
    """
    _check_all_are_images(headers)
    _check_all_are_grayscale(headers)
    _check_frames_are_described(headers)
    return [image for header in headers for image in _images_of_instance(header)]


def _uid(header: Item) -> str:
    return text(header, "SOPInstanceUID") or "(no SOP Instance UID)"


def _check_all_are_images(headers: Sequence[Item]) -> None:
    others = [
        _uid(header)
        for header in headers
        if not (integer(header, "Rows") and integer(header, "Columns"))
        or text(header, "SOPClassUID") in NOT_OF_A_VOLUME
    ]
    if others or not headers:
        raise NotAnImage(tuple(others))


def _check_all_are_grayscale(headers: Sequence[Item]) -> None:
    faults: dict[str, list[str]] = {}
    for header in headers:
        reason = colour_fault(integer(header, "SamplesPerPixel"), text(header, "PhotometricInterpretation"))
        if reason:
            faults.setdefault(reason, []).append(_uid(header))
    if faults:
        raise UnsupportedPixels(tuple(uid for uids in faults.values() for uid in uids), "; ".join(faults))


def colour_fault(samples: int | None, photometric: str | None) -> str | None:
    """Say in words why such pixels are not one channel of intensities; None if they are."""
    if photometric not in GRAYSCALE:
        return f"Photometric Interpretation is {photometric or 'missing'}, not {' or '.join(GRAYSCALE)}"
    return f"Samples per Pixel is {samples}, not 1" if samples not in (1, None) else None


def _check_frames_are_described(headers: Sequence[Item]) -> None:
    undescribed = [
        _uid(header) for header in headers if not FunctionalGroups.of(header).describes(_number_of_frames(header))
    ]
    if undescribed:
        raise MissingGeometry(tuple(undescribed), ("PerFrameFunctionalGroupsSequence",))


def _number_of_frames(header: Item) -> int:
    return integer(header, "NumberOfFrames") or 1


def _images_of_instance(header: Item) -> Iterator[Image]:
    groups = FunctionalGroups.of(header)
    frames = _number_of_frames(header)
    for n in range(frames):
        measures = groups.group(n, "PixelMeasuresSequence")
        yield Image(
            sop_instance_uid=_uid(header),
            frame_number=n + 1,
            rows=integer(header, "Rows") or 0,
            columns=integer(header, "Columns") or 0,
            position=_sound(3, numbers(groups.group(n, "PlanePositionSequence"), "ImagePositionPatient")),
            orientation=_sound(6, numbers(groups.group(n, "PlaneOrientationSequence"), "ImageOrientationPatient")),
            pixel_spacing=_distances(2, numbers(measures, "PixelSpacing")),
            slice_thickness=(_distances(1, numbers(measures, "SliceThickness")) or (None,))[0],
            frame_of_reference_uid=text(header, "FrameOfReferenceUID"),
            photometric=text(header, "PhotometricInterpretation"),
            traits=traits_of(header, groups, n),
        )


def _sound(count: int, found: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Return so many numbers of a believable size, or None."""
    return found if found and len(found) == count and max(map(abs, found)) <= LARGEST_MM else None


def _distances(count: int, found: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Return so many distances of a believable size, or None."""
    sound = _sound(count, found)
    return sound if sound and min(sound) >= SMALLEST_MM else None
