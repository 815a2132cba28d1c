"""Whether the images of one volume agree with each other; each fault is named with its instances.

References
----------
PS3.3 C.7.6.2 (Image Plane), C.7.6.3 (Image Pixel), C.7.4.1 (Frame of Reference).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from delineate.adapters.dicom_series.images import Image, unique_instances
from delineate.adapters.dicom_series.placement import is_orthonormal, is_same_orientation
from delineate.domain.errors import (
    InvalidOrientation,
    MissingGeometry,
    MixedMatrix,
    MixedOrientations,
    MixedPixelSpacing,
    SeveralFramesOfReference,
    UnsupportedPixels,
)

T = TypeVar("T", bound=Hashable)

PIXEL_SPACING_TOLERANCE = 1e-4
"""Relative difference of Pixel Spacing that is rounding: 0.05 pixels over 512."""

NEEDED: dict[str, Callable[[Image], object]] = {
    "ImagePositionPatient": lambda image: image.position,
    "ImageOrientationPatient": lambda image: image.orientation,
    "PixelSpacing": lambda image: image.pixel_spacing,
    "FrameOfReferenceUID": lambda image: image.frame_of_reference_uid,
}
"""What it takes to place an image in the patient."""


def check_images_agree(images: Sequence[Image]) -> None:
    """Raise the error that names why these images do not share one grid.

    Raises
    ------
    MissingGeometry, InvalidOrientation, SeveralFramesOfReference, MixedOrientations, MixedMatrix, MixedPixelSpacing,
    UnsupportedPixels
        Each with the SOP Instance UIDs at fault.
    """
    _check_complete(images)
    _check_orientations(images)
    _check_frame_of_reference(images)
    _check_same_orientation(images)
    _check_matrix(images)
    _check_pixel_spacing(images)
    _check_photometric(images)


def _check_complete(images: Sequence[Image]) -> None:
    lacking = {keyword: [image for image in images if read(image) is None] for keyword, read in NEEDED.items()}
    at_fault = {id(image) for found in lacking.values() for image in found}
    if at_fault:
        instances = unique_instances(image for image in images if id(image) in at_fault)
        raise MissingGeometry(instances, tuple(keyword for keyword, found in lacking.items() if found))


def _check_orientations(images: Sequence[Image]) -> None:
    skewed = [image for image in images if not is_orthonormal(image.orientation or ())]
    if skewed:
        raise InvalidOrientation(unique_instances(skewed))


def _check_frame_of_reference(images: Sequence[Image]) -> None:
    counted = Counter(image.frame_of_reference_uid or "" for image in images)
    if len(counted) > 1:
        usual, *others = (uid for uid, _ in counted.most_common())
        outside = unique_instances(image for image in images if image.frame_of_reference_uid != usual)
        raise SeveralFramesOfReference(outside, (usual, *others))


def _check_same_orientation(images: Sequence[Image]) -> None:
    deviating = _deviating(images, lambda image: image.orientation or (), is_same_orientation)
    if deviating:
        raise MixedOrientations(unique_instances(deviating))


def _check_matrix(images: Sequence[Image]) -> None:
    deviating = _deviating(images, lambda image: (image.rows, image.columns), lambda one, other: one == other)
    if deviating:
        raise MixedMatrix(unique_instances(deviating))


def _check_pixel_spacing(images: Sequence[Image]) -> None:
    def is_same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        return all(abs(a - b) <= PIXEL_SPACING_TOLERANCE * b for a, b in zip(one, other, strict=True))

    deviating = _deviating(images, lambda image: image.pixel_spacing or (), is_same)
    if deviating:
        raise MixedPixelSpacing(unique_instances(deviating))


def _check_photometric(images: Sequence[Image]) -> None:
    """Refuse images some of which are white where the others are black: their values would not compare."""
    deviating = _deviating(images, lambda image: image.photometric, lambda one, other: one == other)
    if deviating:
        raise UnsupportedPixels(unique_instances(deviating), "Photometric Interpretation differs inside the series")


def _deviating(images: Sequence[Image], read: Callable[[Image], T], is_same: Callable[[T, T], bool]) -> list[Image]:
    """Return the images that differ from the most frequent value."""
    usual = Counter(map(read, images)).most_common(1)[0][0]
    return [image for image in images if not is_same(read(image), usual)]
