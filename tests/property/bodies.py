"""Bodies whose measures are known in closed form, as voxels; and the measures of any voxels by brute force."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from tests.property.strategies import geometry_of, rotations

from delineate.domain.geometry import VolumeGeometry
from delineate.domain.labelmap import Labelmap
from delineate.domain.volume import SliceSource, Volume, VolumePlan

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """Points x (mm along k, j, i from the first voxel's centre) with (x - centre)' form (x - centre) <= 1."""

    centre: Floats
    half_axes: Floats
    turn: Floats
    """(3, 3): its columns are the directions of the half axes on the axes (k, j, i)."""

    @property
    def form(self) -> Floats:
        return np.asarray(self.turn @ np.diag(self.half_axes**-2.0) @ self.turn.T)

    @property
    def volume_ml(self) -> float:
        return float(4 / 3 * math.pi * np.prod(self.half_axes) / 1000)

    def voxels(self, geometry: VolumeGeometry) -> npt.NDArray[np.bool_]:
        k, j, i = (
            np.arange(n) * s - c for n, s, c in zip(geometry.shape, geometry.spacing_mm, self.centre, strict=True)
        )
        x, y, z = k[:, np.newaxis, np.newaxis], j[:, np.newaxis], i
        a = self.form
        squares = a[0, 0] * x**2 + a[1, 1] * y**2 + a[2, 2] * z**2
        return np.asarray(squares + 2 * (a[0, 1] * x * y + a[0, 2] * x * z + a[1, 2] * y * z) <= 1)

    def shrink(self, spacing_k: float) -> float:
        """How much smaller than the middle section the one in the nearest slice is."""
        off = self.centre[0] / spacing_k
        height = math.sqrt(np.linalg.inv(self.form)[0, 0])
        return math.sqrt(1 - ((off - round(off)) * spacing_k / height) ** 2)

    def longest_in_plane(self) -> float:
        """Of the middle section: its form is that of the ellipsoid on the axes (j, i)."""
        return float(2 / math.sqrt(np.linalg.eigvalsh(self.form[1:, 1:])[0]))

    def chord_in_plane(self, direction: Floats) -> float:
        """Longest line of the middle section in a direction, unit vector on (j, i)."""
        return float(2 / math.sqrt(direction @ self.form[1:, 1:] @ direction))


@st.composite
def ellipsoids(draw: st.DrawFn, *, turned: bool) -> tuple[Ellipsoid, VolumeGeometry]:
    """Draw an ellipsoid of at least 13 voxels' half axes, and an oblique, anisotropic grid that holds it."""
    spacing = np.array(draw(st.tuples(*[st.floats(0.7, 1.4)] * 3)))
    half_axes = spacing.max() * np.array(draw(st.tuples(*[st.floats(13.0, 24.0)] * 3)))
    turn = draw(rotations()) if turned else np.eye(3)
    reach = np.sqrt(np.einsum("ab,b,ab->a", turn, half_axes**2, turn))
    centre = reach + spacing * np.array(draw(st.tuples(*[st.floats(1.0, 2.0)] * 3)))
    k, j, i = np.ceil((centre + reach) / spacing).astype(int) + 2
    origin = draw(st.tuples(*[st.floats(-500.0, 500.0)] * 3))
    return Ellipsoid(centre, half_axes, turn), geometry_of(
        (int(k), int(j), int(i)), draw(rotations()), spacing.tolist(), origin
    )


def volume_of(geometry: VolumeGeometry, values: npt.NDArray[np.floating] | None = None) -> Volume:
    """Make a volume on a grid; without values, of a ramp."""
    slices = tuple(SliceSource(f"1.5.{k + 1}", 1) for k in range(geometry.shape[0]))
    filled = np.arange(np.prod(geometry.shape)).reshape(geometry.shape) if values is None else values
    return Volume(VolumePlan("1.3", "1.4", None, "MR", geometry, slices), filled.astype(np.float32))


def voxel_along(geometry: VolumeGeometry, direction: Floats) -> float:
    """Extent of a voxel along a direction (LPS, unit vector), mm."""
    return float(np.abs(geometry.directions @ direction) @ np.array(geometry.spacing_mm))


# --- by brute force -------------------------------------------------------------------------------


def face_points(labelmap: Labelmap, axes: tuple[int, ...] = (0, 1, 2)) -> Floats:
    """Return the centres of all faces between inside and outside, (n, 3) continuous indices, voxel by voxel."""
    inside = {tuple(index) for index in np.argwhere(labelmap.to_array()).tolist()}
    found = []
    for index, axis, side in itertools.product(inside, axes, (-1, 1)):
        neighbour = tuple(n + side * (a == axis) for a, n in enumerate(index))
        if neighbour not in inside:
            found.append([n + side * 0.5 * (a == axis) for a, n in enumerate(index)])
    return np.array(found)


def greatest_distance(points: Floats) -> float:
    """Compare each with each."""
    return float(pdist(points).max())


def longest_in_slices(labelmap: Labelmap, geometry: VolumeGeometry) -> float:
    points = face_points(labelmap, (1, 2))
    return max(greatest_distance(geometry.to_patient(points[points[:, 0] == k])) for k in set(points[:, 0].tolist()))


def longest_chord(labelmap: Labelmap, geometry: VolumeGeometry, k: int, direction: Floats) -> float:
    """Return the longest line along ``direction`` (LPS) in the convex hull of slice k's face points.

    The length of parallel chords of a convex polygon is greatest through a corner: each corner's chord is cut by every
    side of the hull.
    """
    points = face_points(labelmap, (1, 2))
    positions = geometry.to_patient(points[points[:, 0] == k])
    axes = geometry.directions[1:]
    flat, along = positions @ axes.T, axes @ direction
    hull = ConvexHull(flat)
    longest = 0.0
    for corner in flat[hull.vertices]:
        slope, room = hull.equations[:, :2] @ along, -(hull.equations[:, :2] @ corner + hull.equations[:, 2])
        ahead = min((r / s for s, r in zip(slope, room, strict=True) if s > 1e-9), default=0.0)
        behind = max((r / s for s, r in zip(slope, room, strict=True) if s < -1e-9), default=0.0)
        longest = max(longest, ahead - behind)
    return longest
