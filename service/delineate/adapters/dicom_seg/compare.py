"""Whether what an archive gives back is what was stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import DataElement, Dataset, FileDataset, dcmread
from pydicom.multival import MultiValue
from pydicom.pixels.utils import iter_pixels
from pydicom.tag import BaseTag

from delineate.domain.errors import StoredDifferently
from delineate.domain.ports import StoredDifference

ESSENTIAL = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "FrameOfReferenceUID",
    "SegmentationType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SegmentSequence",
    "ReferencedSeriesSequence",
    "ReferencedInstanceSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
"""Attributes that make the segmentation: an archive that changes one of them has stored another one.

The functional groups hold the geometry, and of each frame its segment, position and source image.
"""

ENCODING = (
    "SpecificCharacterSet",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
"""Attributes that follow from how the archive encodes; what they encode is compared instead."""

NUMBER_TOLERANCE = 1e-6
"""Millimetres or direction cosine: an archive may write a decimal string with fewer digits."""

MAX_NAMED = 5
"""How many differences the error's sentence names."""


def compare_instances(sent: bytes, received: bytes) -> StoredDifference:
    """Compare what was sent with what came back; see ``DicomSegCodec.compare``."""
    if sent == received:
        return StoredDifference()
    ours = dcmread(BytesIO(sent))
    try:
        theirs = dcmread(BytesIO(received))
        changed = list(_changes(ours, theirs))
        essential = [path for path in changed if path.partition("[")[0] in ESSENTIAL]
        voxels = [] if essential else _voxel_changes(ours, theirs)
    except Exception as error:  # whatever a parser or decoder raises on foreign bytes means the same
        raise StoredDifferently(
            "What the archive gives back cannot be read as the segmentation that was stored "
            f"({type(error).__name__}). Check the archive's storage, then try the result again."
        ) from error
    if differences := [*essential, *voxels]:
        more = f" and {len(differences) - MAX_NAMED} more" if len(differences) > MAX_NAMED else ""
        raise StoredDifferently(
            f"The archive changed the segmentation: {', '.join(differences[:MAX_NAMED])}{more}. Look for rules in the "
            "archive that modify what it receives, then try the result again."
        )
    return StoredDifference(tuple(dict.fromkeys(path.partition("[")[0] for path in changed)))


def _changes(ours: Dataset, theirs: Dataset, where: str = "") -> Iterator[str]:
    """Yield the paths of attributes whose values differ, such as ``SegmentSequence[1].SegmentLabel``."""
    for tag in sorted({*ours.keys(), *theirs.keys()}):
        if tag.is_private or tag.element == 0:
            continue
        path = f"{where}{_name(ours, theirs, tag)}"
        if path not in ENCODING:
            yield from _element_changes(ours.get(tag), theirs.get(tag), path)


def _element_changes(ours: DataElement | None, theirs: DataElement | None, path: str) -> Iterator[str]:
    if ours is None or theirs is None or ours.VR != "SQ" or theirs.VR != "SQ":
        if not _same(_values(ours), _values(theirs)):
            yield path
    elif len(ours.value) != len(theirs.value):
        yield f"{path}[{len(ours.value)} items, not {len(theirs.value)}]"
    else:
        for number, (our_item, their_item) in enumerate(zip(ours.value, theirs.value, strict=True), 1):
            yield from _changes(our_item, their_item, f"{path}[{number}].")


def _name(ours: Dataset, theirs: Dataset, tag: BaseTag) -> str:
    return (ours if tag in ours else theirs)[tag].keyword or str(tag)


def _values(element: DataElement | None) -> tuple[Any, ...]:
    """Return an element's values; an absent and an empty one are equal."""
    if element is None or element.is_empty:
        return ()
    if element.VR == "SQ":
        return ("a sequence",)
    value = element.value
    values = tuple(value) if isinstance(value, (MultiValue, list)) else (value,)
    return tuple(str(v).rstrip("^=") for v in values) if element.VR == "PN" else values


def _same(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    return len(ours) == len(theirs) and all(
        abs(a - b) <= NUMBER_TOLERANCE if isinstance(a, (int, float)) and isinstance(b, (int, float)) else a == b
        for a, b in zip(ours, theirs, strict=True)
    )


def _voxel_changes(ours: FileDataset, theirs: FileDataset) -> list[str]:
    """Return, in words, which frames have other voxels; decoded, because archives may transcode."""
    sent, received = decoded_frames(ours), decoded_frames(theirs)
    differing = np.flatnonzero((sent != received).any(axis=(1, 2))) + 1
    if differing.size == 0:
        return []
    return [f"voxels of {differing.size} of {len(sent)} frames, the first is frame {differing[0]}"]


def decoded_frames(dataset: FileDataset) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Return the stored values, axes (frame, row, column).

    Uncompressed ones are unpacked here: pydicom 3.0.2 fails on single 1-bit frames that begin within a byte.

    References
    ----------
    PS3.5 8.1.1 (bit packing: frames follow each other without gaps, least significant bit first).
    """
    shape = (int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return np.stack(list(iter_pixels(dataset, raw=True))).reshape(shape)
    if dataset.BitsAllocated == 1:
        packed = np.frombuffer(dataset.PixelData, np.uint8)
        return np.unpackbits(packed, count=math.prod(shape), bitorder="little").reshape(shape)
    values = np.dtype(f"<u{dataset.BitsAllocated // 8}")
    return np.frombuffer(dataset.PixelData, values, math.prod(shape)).reshape(shape)
