"""Labelmaps as the pixel arrays that highdicom takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from delineate.domain.errors import SegmentEmpty, SegmentsOverlap
from delineate.domain.ports import Acceptance, AcceptedSegment

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Axes (slice, row, column) with segment numbers as values, or (slice, row, column, segment) with 0 and 1."""


def slices_of(segment: AcceptedSegment) -> list[int]:
    """Return the slices (k) that hold some of the segment; SegmentEmpty if there is none."""
    region = segment.labelmap.region
    found = np.flatnonzero(region.voxels.any(axis=(1, 2)))
    if found.size == 0:
        raise SegmentEmpty(
            f"Segment {segment.number} ({segment.description.label}) has no voxel. Draw it, or leave it out."
        )
    return [int(k) + region.box.start[0] for k in found]


def label_type(acceptance: Acceptance) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
    """Return the type that holds the segments' numbers, which is the one that highdicom chooses for LABELMAP."""
    return np.dtype(np.uint8) if len(acceptance.segments) <= np.iinfo(np.uint8).max else np.dtype(np.uint16)


def numbered(acceptance: Acceptance, slices: Sequence[int]) -> Pixels | None:
    """Return the given slices with segment numbers as values, or None if segments overlap and may.

    Raises
    ------
    SegmentsOverlap
        If segments overlap and the encoding is LABELMAP.
    """
    _, rows, columns = acceptance.plan.geometry.shape
    pixels: Pixels = np.zeros((len(slices), rows, columns), label_type(acceptance))
    for number, segment in enumerate(acceptance.segments, 1):
        voxels, target = _place(segment, slices)
        shared = int(np.count_nonzero(pixels[target][voxels]))
        if shared and acceptance.encoding == "LABELMAP":
            raise SegmentsOverlap(
                f"Segment {segment.number} ({segment.description.label}) shares {shared} voxels with the segments "
                "before it, and LABELMAP has one segment for each voxel. Accept as BINARY, or remove the overlap."
            )
        if shared:
            return None
        pixels[target][voxels] = number
    return pixels


def pixels_to_encode(
    acceptance: Acceptance, slices: Sequence[int], numbers: Pixels | None, keep_empty: Sequence[tuple[int, int]]
) -> Pixels:
    """Return what highdicom has to encode: ``numbers`` if it can, else one 0/1 volume for each segment.

    Each (segment index, k) of ``keep_empty`` is an empty frame, and gets its first voxel so that highdicom does not
    omit it; ``encode`` takes the voxel away again.
    """
    if numbers is not None and acceptance.encoding == "LABELMAP":
        for _, k in keep_empty:
            numbers[slices.index(k), 0, 0] = 1
    if numbers is not None and (acceptance.encoding == "LABELMAP" or not keep_empty):
        return numbers
    _, rows, columns = acceptance.plan.geometry.shape
    pixels = np.zeros((len(slices), rows, columns, len(acceptance.segments)), np.uint8)
    for index, segment in enumerate(acceptance.segments):
        voxels, target = _place(segment, slices)
        pixels[(*target, index)] = voxels
    for index, k in keep_empty:
        pixels[slices.index(k), 0, 0, index] = 1
    return pixels


def _place(segment: AcceptedSegment, slices: Sequence[int]) -> tuple[npt.NDArray[np.bool_], tuple[slice, slice, slice]]:
    """Return a segment's voxels in its box, and where they lie among the given slices."""
    region = segment.labelmap.region
    first, stop = region.box.start[0], region.box.stop[0]
    own = [k for k in slices if first <= k < stop]
    start = slices.index(own[0])
    _, rows, columns = region.box.slices
    return region.voxels[np.array(own) - first], (slice(start, start + len(own)), rows, columns)
