"""A segment's surface as triangles in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import marching_cubes

from delineate.domain.geometry import VolumeGeometry
from delineate.domain.labelmap import Labelmap

VOLUME_TOLERANCE = 0.002
"""Relative: how far the volume inside a surface may be from that of the voxels."""
FIRST_LEVEL = 0.501
"""Tried first, between the centres of a voxel outside (0) and one inside (1).

Not 0.5: there scikit-image 0.26 cannot decide whether voxels that touch along an edge are joined, and leaves gaps.
"""
OUTERMOST, INNERMOST = 0.01, 0.99
MAX_TRIES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A closed surface; seen from outside, the corners of a triangle go round anticlockwise."""

    vertices: npt.NDArray[np.float64]
    """Shape (n, 3): LPS mm."""
    triangles: npt.NDArray[np.int64]
    """Shape (m, 3): rows of ``vertices``."""

    @property
    def volume_mm3(self) -> float:
        """Volume inside."""
        return _signed_volume(self.vertices, self.triangles)


def surface_of(labelmap: Labelmap, geometry: VolumeGeometry) -> Surface:
    """Return the surface of a labelmap that is not empty, closed also where it touches the border of the volume.

    Marching cubes, at the level between 0 and 1 at which the surface encloses the voxels' volume. At 0.5 it lies
    half-way between neighbouring centres but cuts edges and corners off: nothing to speak of in an organ, five sixths
    of the volume of a single voxel.
    """
    region = labelmap.region
    padded = np.pad(region.voxels, 1).astype(np.float32)
    wanted = float(np.count_nonzero(region.voxels))
    corners, triangles = _at_volume(padded, wanted)
    indices = corners + (np.array(region.box.start) - 1)
    vertices = geometry.to_patient(indices)
    if _signed_volume(vertices, triangles) < 0:
        triangles = triangles[:, ::-1]
    return Surface(vertices, triangles)


def _at_volume(padded: npt.NDArray[np.float32], wanted: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return corners (voxels) and triangles of the surface whose volume is nearest to ``wanted`` voxels.

    Bisection over the level. The volume jumps at 0.5 where voxels touch along an edge or at a corner, because the
    surface joins them below and parts them above: there the nearest may be some percent off.
    """
    outside, inside = OUTERMOST, INNERMOST
    level, error = FIRST_LEVEL, np.inf
    for _ in range(MAX_TRIES):
        found, faces, _, _ = marching_cubes(padded, level, allow_degenerate=False)
        volume = abs(_signed_volume(found.astype(np.float64), faces))
        if abs(volume - wanted) < error:
            error, best = abs(volume - wanted), (found.astype(np.float64), faces.astype(np.int64))
        if error <= VOLUME_TOLERANCE * wanted:
            break
        outside, inside = (outside, level) if volume < wanted else (level, inside)
        level = (outside + inside) / 2
    return best


def _signed_volume(vertices: npt.NDArray[np.float64], triangles: npt.NDArray[np.int64]) -> float:
    """Return the volume inside, negative if the triangles go round clockwise (divergence theorem)."""
    a, b, c = (vertices[triangles[:, n]] - vertices[0] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
