"""Where the phantoms' voxels lie and what they hold, worked out here independently of the service."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Orientation = Literal["axial", "sagittal", "coronal", "oblique"]
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
Vector = npt.NDArray[np.float64]


def row_and_column_direction(orientation: Orientation) -> tuple[Vector, Vector]:
    """Return the unit vectors (LPS) along a row and along a column: ImageOrientationPatient's two halves."""
    if orientation == "axial":
        return np.array([1.0, 0, 0]), np.array([0.0, 1, 0])
    if orientation == "sagittal":
        return np.array([0.0, 1, 0]), np.array([0.0, 0, -1])
    if orientation == "coronal":
        return np.array([1.0, 0, 0]), np.array([0.0, 0, -1])
    tilt, turn, roll = np.radians([25.0, -15.0, 10.0])
    around_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    around_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    around_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation = around_z @ around_y @ around_x
    return rotation[:, 0], rotation[:, 1]


def affine_of(orientation: Orientation, spacing: Spacing, origin: tuple[float, float, float]) -> Vector:
    """Return the (4, 4) matrix that maps (k, j, i, 1) to LPS mm; k grows along row direction x column direction."""
    row, column = row_and_column_direction(orientation)
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * spacing[0]
    affine[:3, 1] = column * spacing[1]
    affine[:3, 2] = row * spacing[2]
    affine[:3, 3] = origin
    return affine


def stored_values(
    shape: Shape, bits: int, *, signed: bool, seed: int, half_axes: Spacing | None = None
) -> npt.NDArray[np.int64]:
    """Return stored pixel values (k, j, i) in which every flip, swap and shift shows.

    A ramp of another slope along each axis, a bright ellipsoid off the centre, and a little noise. The ellipsoid has
    ``half_axes`` in voxels (k, j, i), or, without them, some in proportion to the shape.
    """
    rng = np.random.default_rng(seed)
    k, j, i = np.meshgrid(*(np.linspace(0, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij")
    a, b, c = (
        (0.3, 0.25, 0.2) if half_axes is None else (h / max(n - 1, 1) for h, n in zip(half_axes, shape, strict=True))
    )
    inside = ((k - 0.35) / a) ** 2 + ((j - 0.6) / b) ** 2 + ((i - 0.4) / c) ** 2 <= 1
    level = 0.05 + 0.2 * k + 0.15 * j + 0.1 * i + 0.4 * inside + 0.03 * rng.random(shape)
    offset = 2 ** (bits - 1) if signed else 0
    return np.asarray(np.rint(level * (2**bits - 1)) - offset, dtype=np.int64)
