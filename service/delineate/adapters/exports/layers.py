"""Segments as labelmaps of several values; those that overlap go into several layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from delineate.domain.ports import AcceptedSegment

Labels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Axes (k, j, i): at each voxel a segment's number in the DICOM SEG, or 0."""


def layers_of(segments: Sequence[AcceptedSegment]) -> tuple[list[Labels], list[int]]:
    """Return labelmaps without overlap, as few as going through the segments in order gives, and each segment's layer.

    Values are the numbers of the DICOM SEG: from 1, in the order given. There is one layer if no two segments overlap.
    """
    dtype = np.dtype(np.uint8 if len(segments) <= np.iinfo(np.uint8).max else np.uint16)
    layers: list[Labels] = []
    places: list[int] = []
    for number, segment in enumerate(segments, 1):
        region = segment.labelmap.region
        slices = region.box.slices
        place = next((n for n, layer in enumerate(layers) if not layer[slices][region.voxels].any()), len(layers))
        if place == len(layers):
            layers.append(np.zeros(segment.labelmap.shape, dtype))
        layers[place][slices][region.voxels] = number
        places.append(place)
    return layers, places
