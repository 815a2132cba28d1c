"""One instance's frames as modality-rescaled values.

No presentation: MONOCHROME1, windows and palettes are left alone; the values are those that a measurement would use.

References
----------
PS3.3 C.7.6.3 (Image Pixel), C.11.1 (Modality LUT), C.7.6.16.2.9 (Pixel Value Transformation); PS3.5 A.4
(encapsulation).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
    UncompressedTransferSyntaxes,
)

from delineate.domain.errors import PixelDataUnusable, UnsupportedPixels

Values = npt.NDArray[Any]
"""Values of one frame, (rows, columns), of any real dtype."""

PIXEL_ELEMENTS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
CODESTREAM_SYNTAXES = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes)
"""Transfer syntaxes whose frames end with the marker FFD9."""
PLUGINS = {RLELossless: "pylibjpeg"}
"""Decoders preferred to pydicom's first choice: its own for RLE is slow, and takes frames that are too long."""


def decoded_frames(dataset: Dataset, frame_numbers: Sequence[int]) -> Iterator[Values]:
    """Yield the modality-rescaled values of some frames, one at a time.

    Parameters
    ----------
    dataset
        An instance with pixels.
    frame_numbers
        Which frames, counting from 1.

    Yields
    ------
    Shape (rows, columns), in the units of the Modality LUT.

    Raises
    ------
    PixelDataUnusable
        If pixels are missing, too few, too many or corrupt.
    UnsupportedPixels
        If the transfer syntax or the Modality LUT cannot be applied.
    """
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID", ""))
    _check_extent(dataset, syntax)
    indices = [number - 1 for number in frame_numbers]
    frames = iter_pixels(dataset, indices=indices, raw=True, decoding_plugin=PLUGINS.get(syntax, ""))
    for number in frame_numbers:
        yield _rescaled(dataset, _next(dataset, syntax, frames), number)


def _next(dataset: Dataset, syntax: UID, frames: Iterator[Values]) -> Values:
    try:
        frame = next(frames)
    except NotImplementedError as error:
        reason = f"the transfer syntax {syntax.name} cannot be decoded here"
        raise UnsupportedPixels(instance_of(dataset), reason) from error
    except Exception as error:  # decoders raise what they like
        raise unusable(dataset, f"cannot be decoded ({syntax.name})") from error
    if frame.shape != (dataset.Rows, dataset.Columns):
        raise unusable(dataset, "decodes to another matrix than its Rows and Columns")
    return frame


def instance_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the SOP Instance UID as an error carries it."""
    return (str(dataset.get("SOPInstanceUID", "(no SOP Instance UID)")),)


def unusable(dataset: Dataset, reason: str) -> PixelDataUnusable:
    """Return the error that names this instance."""
    return PixelDataUnusable(instance_of(dataset), reason)


def number_of_frames(dataset: Dataset) -> int:
    """Return Number of Frames, 1 where it is absent or empty."""
    return int(dataset.get("NumberOfFrames") or 1)


def _check_extent(dataset: Dataset, syntax: UID) -> None:
    """Refuse pixels that are not as long as the attributes say; most decoders would pad or cut them silently."""
    present = [keyword for keyword in PIXEL_ELEMENTS if keyword in dataset]
    if not present:
        raise unusable(dataset, "is missing")
    data = dataset[present[0]].value
    if not data:
        raise unusable(dataset, "is empty")
    if syntax in UncompressedTransferSyntaxes:
        _check_native_length(dataset, len(data))
    else:
        _check_encapsulated(dataset, data, syntax)


def _check_native_length(dataset: Dataset, length: int) -> None:
    bits = dataset.Rows * dataset.Columns * number_of_frames(dataset) * int(dataset.get("BitsAllocated") or 0)
    expected = math.ceil(bits / 8)
    if length not in (expected, expected + expected % 2):
        raise unusable(dataset, f"has {length} bytes where its attributes ask for {expected}")


def _check_encapsulated(dataset: Dataset, data: bytes, syntax: UID) -> None:
    expected = number_of_frames(dataset)
    try:
        ends = [bytes(frame[-4:]) for frame in generate_frames(data, number_of_frames=expected)]
    except Exception as error:  # malformed items raise many things
        raise unusable(dataset, "is not properly encapsulated") from error
    if len(ends) != expected:
        raise unusable(dataset, f"has {len(ends)} frames where its attributes ask for {expected}")
    if syntax in CODESTREAM_SYNTAXES and not all(end.rstrip(b"\0").endswith(b"\xff\xd9") for end in ends):
        raise unusable(dataset, "is cut off: a compressed frame has no end")


def _rescaled(dataset: Dataset, frame: Values, frame_number: int) -> Values:
    """Apply the Modality LUT of a frame."""
    if "ModalityLUTSequence" in dataset:
        try:
            return np.asarray(apply_modality_lut(frame, dataset))
        except Exception as error:  # a malformed LUT raises many things
            raise UnsupportedPixels(instance_of(dataset), "its Modality LUT cannot be applied") from error
    source = _transformation(dataset, frame_number)
    slope, intercept = _finite(dataset, source, "RescaleSlope", 1.0), _finite(dataset, source, "RescaleIntercept", 0.0)
    if slope == 0:
        raise UnsupportedPixels(instance_of(dataset), "Rescale Slope is 0")
    if slope == 1 and intercept == 0:
        return frame
    values = frame.astype(np.float64)
    values *= slope
    values += intercept
    return values


def _transformation(dataset: Dataset, frame_number: int) -> Dataset:
    """Return what holds Rescale Slope and Intercept of a frame: a functional group, or the instance itself."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    groups = [per_frame[frame_number - 1]] if per_frame else []
    for group in [*groups, *(shared or [])]:
        if group.get("PixelValueTransformationSequence"):
            return group.PixelValueTransformationSequence[0]  # type: ignore[no-any-return]
    return dataset


def _finite(dataset: Dataset, source: Dataset, keyword: str, default: float) -> float:
    found = source.get(keyword)
    if found is None or found == "":
        return default
    try:
        value = float(found)
    except (TypeError, ValueError) as error:
        raise UnsupportedPixels(instance_of(dataset), f"{keyword} is not a number") from error
    if not math.isfinite(value):
        raise UnsupportedPixels(instance_of(dataset), f"{keyword} is not finite")
    return value
