"""Where a segmentation's frames lie on a volume's grid: by their positions in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.adapters.dicom_seg.source_headers import POSITION_TOLERANCE_VOXELS
from delineate.domain.geometry import FARTHEST_INDEX, Box, VolumeGeometry
from delineate.domain.labelmap import Labelmap, Region


class OffGridError(ValueError):
    """A frame does not lie on the grid; says why, in words that complete "It ..."."""


@dataclass(frozen=True, slots=True)
class FramePlane:
    """A frame's place in the patient."""

    position: tuple[float, float, float]
    """Centre of the first pixel, LPS mm."""
    row_direction: tuple[float, float, float]
    """Along which the column number grows."""
    column_direction: tuple[float, float, float]
    """Along which the row number grows."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    shape: tuple[int, int]
    """Rows, columns."""


@dataclass(frozen=True, slots=True)
class GridPlace:
    """How a frame's pixels are voxels: each axis of the frame is an axis of the volume, perhaps reversed."""

    first: tuple[int, int, int]
    """Voxel (k, j, i) of the first pixel."""
    axes: tuple[int, int]
    """Voxel axis along which the row number changes, and the one along which the column number does."""
    signs: tuple[int, int]

    @property
    def normal(self) -> int:
        """The voxel axis across the frame."""
        return 3 - sum(self.axes)

    def region(self, pixels: npt.NDArray[np.bool_]) -> Region:
        """Return the tight region that a frame's pixels (row, column) make."""
        for axis, sign in enumerate(self.signs):
            if sign < 0:
                pixels = np.flip(pixels, axis)
        start = list(self.first)
        for axis, sign, size in zip(self.axes, self.signs, pixels.shape, strict=True):
            start[axis] -= (size - 1) if sign < 0 else 0
        if self.axes[0] > self.axes[1]:
            pixels = pixels.T
        voxels = np.expand_dims(pixels, self.normal)
        k, j, i = start
        stop = (k + voxels.shape[0], j + voxels.shape[1], i + voxels.shape[2])
        return Region(Box((k, j, i), stop), voxels).tight()


def place_on_grid(geometry: VolumeGeometry, plane: FramePlane) -> GridPlace:
    """Return a frame's place on the grid.

    Raises
    ------
    OffGridError
        If its pixels are not voxels of the volume.
    """
    steps = np.array([plane.column_direction, plane.row_direction]) * np.array(plane.spacing_mm)[:, np.newaxis]
    origin = np.array(plane.position)
    counts = np.array(plane.shape) - 1
    with np.errstate(over="ignore", invalid="ignore"):
        corners = geometry.to_continuous(np.vstack([origin, origin + steps * counts[:, np.newaxis]]))
        units = geometry.to_continuous(origin + steps) - geometry.to_continuous([origin])
    if not (np.abs(corners) < FARTHEST_INDEX).all() or not (np.abs(units) < FARTHEST_INDEX).all():
        raise OffGridError("has positions that are no numbers, or far away")
    rounded = np.rint(units)
    if not (np.abs(rounded).sum(axis=1) == 1).all() or (np.abs(rounded).sum(axis=0) > 1).any():
        raise OffGridError("has another orientation or pixel spacing than the series")
    exact = np.rint(corners[0]) + np.vstack([np.zeros(3), rounded[0] * counts[0], rounded[1] * counts[1]])
    deviation = np.abs(corners - exact)
    if deviation[0].max() > POSITION_TOLERANCE_VOXELS:
        raise OffGridError("lies between the images of the series")
    if deviation.max() > POSITION_TOLERANCE_VOXELS:
        raise OffGridError("has another orientation or pixel spacing than the series")
    indices = exact.astype(np.int64)
    if not geometry.holds(indices).all():
        raise OffGridError("extends beyond the images of the series")
    k, j, i = indices[0].tolist()
    axes = np.abs(rounded).argmax(axis=1)
    down, across = axes.tolist()
    return GridPlace((k, j, i), (down, across), (int(rounded[0][down]), int(rounded[1][across])))


def merged(regions: Sequence[Region], shape: tuple[int, int, int]) -> Labelmap:
    """Return the labelmap of ``shape`` (k, j, i) that holds every region's voxels."""
    outer = Box.empty()
    for region in regions:
        outer = outer.union(region.box)
    voxels = np.zeros(outer.shape, dtype=np.bool_)
    for region in regions:
        if not region.box.is_empty:
            voxels[region.box.relative_to(outer)] |= region.voxels
    return Labelmap(shape, Region(outer, voxels))
