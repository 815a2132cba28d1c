"""Area and volume of a segment's surface mesh, without making the mesh.

The mesh is that of marching cubes through the points half-way between a voxel centre inside and its neighbour outside.
What it looks like inside one cell (eight neighbouring voxel centres) depends on nothing but which of the eight lie
inside. So the 256 kinds of cell are meshed once, and a segment's cells only counted: the same numbers as of the mesh,
in a tenth of the time.

References
----------
IBSI reference manual, morphological features: Volume (mesh) RNU0, Surface area (mesh) C0JK.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import Points, VolumeGeometry
from delineate.domain.labelmap import Voxels

KINDS = 256
"""Of cells. Bit 4 dk + 2 dj + di of a kind tells whether the voxel at that offset is inside."""

Triangles = npt.NDArray[np.float64]
"""Shape (m, 3, 3): triangle, corner, axis; in voxels from the cell's first corner. Seen from outside, and with the axes
(k, j, i) drawn right-handed, the corners go round anticlockwise."""

CellCounts = npt.NDArray[np.int64]
"""Shape (layers, 256): how many cells of each kind lie between two neighbouring slices; the first layer begins one
slice before the voxels' first."""


class CellMesher(Protocol):
    """Makes triangles of the voxels around one cell."""

    def cell(self, corners: Voxels) -> Triangles:
        """Return the surface that parts the voxels inside from those outside, of shape (2, 2, 2); maybe none.

        The surfaces of cells side by side fit together.
        """


@dataclass(frozen=True, slots=True, eq=False)
class CellSurfaces:
    """The pieces of surface in all kinds of cells.

    Attributes
    ----------
    kinds
        Shape (m,): the kind of cell that each triangle belongs to.
    areas
        Shape (m, 3): its outward area vector, in voxel indices.
    heights
        Shape (m,): mean k of its corners, from 0 (the cell's first slice) to 1.
    """

    kinds: npt.NDArray[np.int64]
    areas: Points
    heights: npt.NDArray[np.float64]

    @classmethod
    def of(cls, mesher: CellMesher) -> CellSurfaces:
        """Mesh every kind of cell."""
        inside = (np.arange(KINDS)[:, np.newaxis] >> np.arange(8)) & 1
        cells = [mesher.cell(corners) for corners in inside.astype(np.bool_).reshape(KINDS, 2, 2, 2)]
        corners = np.concatenate(cells)
        areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        kinds = np.repeat(np.arange(KINDS), [len(triangles) for triangles in cells])
        return cls(kinds, areas, corners[:, :, 0].mean(axis=1))

    def area_mm2(self, counts: CellCounts, geometry: VolumeGeometry) -> float:
        """Return the area of the mesh, mm2."""
        matrix = geometry.matrix[:3, :3]
        cofactors = np.linalg.det(matrix) * np.linalg.inv(matrix).T  # how a linear map changes area vectors
        triangles = np.linalg.norm(self.areas @ cofactors.T, axis=1)
        per_kind = np.bincount(self.kinds, weights=triangles, minlength=KINDS)
        return float(counts.sum(axis=0) @ per_kind)

    def volume_ml(self, counts: CellCounts, geometry: VolumeGeometry) -> float:
        """Return the volume inside the mesh, mL: the flux of the field (k, 0, 0) through it (divergence theorem)."""
        faced = np.bincount(self.kinds, weights=self.areas[:, 0], minlength=KINDS)
        inside_cell = np.bincount(self.kinds, weights=self.areas[:, 0] * self.heights, minlength=KINDS)
        layers = np.arange(len(counts), dtype=np.float64)
        voxels = float(layers @ (counts @ faced)) + float((counts @ inside_cell).sum())
        return voxels * geometry.voxel_volume_ml


def count_cells(voxels: Voxels) -> CellCounts:
    """Count the cells of each kind; around the array is nothing, so that the surface is closed at its border."""
    slices, rows, columns = voxels.shape
    counts = np.zeros((slices + 1, KINDS), dtype=np.int64)
    around = np.zeros((rows + 2, columns + 2), dtype=np.uint8)
    before = np.zeros((rows + 1, columns + 1), dtype=np.uint8)
    for k in range(slices + 1):
        around[1:-1, 1:-1] = voxels[k] if k < slices else 0
        pairs = around[:, :-1] | around[:, 1:] << 1
        after = pairs[:-1] | pairs[1:] << 2
        counts[k] = np.bincount((before | after << 4).reshape(-1), minlength=KINDS)
        before = after
    return counts
