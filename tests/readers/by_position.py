"""A reader written from the Standard alone: pydicom for the attributes, numpy for the bits, positions for the place."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from pydicom import Dataset
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import Mask, plan_of

SLICE_TOLERANCE = 1e-2
"""How far, in slices, a frame's position may lie from a slice."""


def position_masks(seg: bytes, series: PhantomSeries) -> dict[int, Mask]:
    """Return each segment by the positions of its frames; frames have to reference the image at their position."""
    dataset = pydicom.dcmread(io.BytesIO(seg))
    masks: dict[int, Mask] = {}
    for frame, (group, voxels) in enumerate(
        zip(dataset.PerFrameFunctionalGroupsSequence, _frames(dataset), strict=True)
    ):
        k = _slice_of(dataset, group, series)
        if dataset.SegmentationType == "LABELMAP":
            numbers = [int(n) for n in np.unique(voxels) if n]
        else:
            numbers = [_segment(dataset, group)]
        for number in numbers:
            mask = masks.setdefault(number, np.zeros(series.voxels.shape, np.bool_))
            assert not mask[k].any(), f"frame {frame}: two frames of a segment at one position"
            mask[k] = voxels == number if dataset.SegmentationType == "LABELMAP" else voxels != 0
    return masks


def _frames(dataset: Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    shape = (int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns)
    if dataset.BitsAllocated == 1:
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        return bits[: np.prod(shape)].reshape(shape)
    return np.asarray(dataset.pixel_array).reshape(shape)


def _segment(dataset: Dataset, group: Dataset) -> int:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    place = group if "SegmentIdentificationSequence" in group else shared
    return int(place.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _slice_of(dataset: Dataset, group: Dataset, series: PhantomSeries) -> int:
    """Return the slice at a frame's position, after checking its reference and the shared geometry."""
    geometry = plan_of(series).geometry
    shared = dataset.SharedFunctionalGroupsSequence[0]
    measures, plane = shared.PixelMeasuresSequence[0], shared.PlaneOrientationSequence[0]
    spacing = (measures.SpacingBetweenSlices, *measures.PixelSpacing)
    assert np.allclose([float(v) for v in spacing], geometry.spacing_mm, rtol=1e-6)
    directions = [float(v) for v in plane.ImageOrientationPatient]
    assert np.allclose([directions[3:], directions[:3]], geometry.directions[1:], atol=1e-4)
    position = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
    k, j, i = geometry.to_continuous([position])[0].tolist()
    assert abs(k - round(k)) < SLICE_TOLERANCE
    assert abs(j) < 1e-2
    assert abs(i) < 1e-2
    (derivation,) = group.DerivationImageSequence
    (source,) = derivation.SourceImageSequence
    expected = series.slices[round(k)]
    assert (source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 1))) == expected
    assert ("ReferencedFrameNumber" in source) == series.spec.multiframe
    return int(np.rint(k))
