"""A segmentation's frames, one at a time: what each shows, where it lies, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset
from pydicom.pixels.utils import iter_pixels

from delineate.adapters.dicom_seg.grid_places import FramePlane, OffGridError
from delineate.domain.volume import SliceSource

Pixels = npt.NDArray[np.unsignedinteger[Any]]
"""Axes (row, column)."""


class DamagedError(ValueError):
    """The instance cannot be what it says it is; the text completes "The segmentation ..."."""


def functional_groups(dataset: Dataset) -> list[Dataset]:
    """Return the per-frame functional groups, one for each frame."""
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    frames = int(dataset.get("NumberOfFrames") or 0)
    if len(groups) != frames:
        raise DamagedError(f"says it has {frames} frames, and describes {len(groups)}")
    return groups


def macro(dataset: Dataset, group: Dataset, keyword: str) -> Dataset | None:
    """Return a frame's functional group macro, its own or the shared one; None if there is none."""
    for place in (group, *(dataset.get("SharedFunctionalGroupsSequence") or [])):
        if items := place.get(keyword):
            item: Dataset = items[0]
            return item
    return None


def plane_of(dataset: Dataset, group: Dataset) -> FramePlane:
    """Return a frame's place in the patient; OffGridError if it has none.

    References
    ----------
    PS3.3 C.7.6.16.2.1 (pixel measures), C.7.6.16.2.3 (plane position), C.7.6.16.2.4 (plane orientation).
    """
    keywords = ("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence")
    measures, position, orientation = (macro(dataset, group, keyword) or Dataset() for keyword in keywords)
    spacing = _numbers(measures.get("PixelSpacing"), 2)
    x, y, z = _numbers(position.get("ImagePositionPatient"), 3)
    directions = _numbers(orientation.get("ImageOrientationPatient"), 6)
    return FramePlane(
        position=(x, y, z),
        row_direction=(directions[0], directions[1], directions[2]),
        column_direction=(directions[3], directions[4], directions[5]),
        spacing_mm=(spacing[0], spacing[1]),
        shape=(int(dataset.Rows), int(dataset.Columns)),
    )


def slice_spacing_mm(dataset: Dataset, group: Dataset) -> float | None:
    """Return Spacing Between Slices as the header has it, true or not; None if it is absent."""
    measures = macro(dataset, group, "PixelMeasuresSequence") or Dataset()
    try:
        return float(measures.SpacingBetweenSlices)
    except (AttributeError, TypeError, ValueError):
        return None


def sources_of(dataset: Dataset, group: Dataset) -> list[tuple[str, tuple[int, ...]]]:
    """Return the images that a frame says it was made from: SOP Instance UIDs, and frame numbers (none: all).

    References
    ----------
    PS3.3 C.7.6.16.2.6 (Derivation Image macro).
    """
    found = []
    derivation = macro(dataset, group, "DerivationImageSequence") or Dataset()
    for source in derivation.get("SourceImageSequence") or []:
        numbers = source.get("ReferencedFrameNumber")
        listed = () if numbers is None else tuple(int(n) for n in np.atleast_1d(numbers))
        found.append((str(source.get("ReferencedSOPInstanceUID")), listed))
    return found


def names_slice(sources: list[tuple[str, tuple[int, ...]]], wanted: SliceSource) -> bool:
    """Tell whether a slice is among a frame's sources."""
    return any(
        uid == wanted.sop_instance_uid and (not numbers or wanted.frame_number in numbers) for uid, numbers in sources
    )


def segment_of(dataset: Dataset, group: Dataset) -> int:
    """Return the Segment Number that a frame of a BINARY segmentation shows."""
    item = macro(dataset, group, "SegmentIdentificationSequence")
    if item is None or item.get("ReferencedSegmentNumber") is None:
        raise DamagedError("has a frame that belongs to no segment")
    return int(item.ReferencedSegmentNumber)


def decoded(dataset: FileDataset) -> Iterator[Pixels]:
    """Yield the stored values of each frame, in order; holds one frame beside the instance.

    References
    ----------
    PS3.5 8.1.1 (bit packing: frames follow each other without gaps, least significant bit first).
    """
    rows, columns, frames = int(dataset.Rows), int(dataset.Columns), int(dataset.NumberOfFrames)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        count = 0
        for pixels in iter_pixels(dataset, raw=True):
            count += 1
            yield pixels.reshape(rows, columns)
        if count != frames:
            raise DamagedError(f"says it has {frames} frames, and holds {count}")
        return
    bits = int(dataset.BitsAllocated)
    data = dataset.PixelData
    if bits not in (1, 8, 16) or len(data) * 8 < frames * rows * columns * bits:
        raise DamagedError("has Pixel Data that are shorter than its frames, or of an odd depth")
    values = np.frombuffer(data, np.uint8)
    for frame in range(frames):
        yield _native(values, frame * rows * columns, rows * columns, bits).reshape(rows, columns)


def _native(data: npt.NDArray[np.uint8], first: int, count: int, bits: int) -> Pixels:
    """Return ``count`` values of ``bits`` bits from the value ``first`` on."""
    if bits == 1:
        byte, skip = divmod(first, 8)
        packed = data[byte : (first + count + 7) // 8]
        return np.unpackbits(packed, bitorder="little")[skip : skip + count]
    size = bits // 8
    return data[first * size : (first + count) * size].view(f"<u{size}")


def _numbers(value: Any, count: int) -> list[float]:  # noqa: ANN401 - whatever a header holds
    try:
        numbers = [float(v) for v in value]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count:
        raise OffGridError("does not say where its frames lie in the patient")
    return numbers
