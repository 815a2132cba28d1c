"""Where the images of one volume lie along their common normal.

References
----------
PS3.3 C.7.6.2.1.1 (Image Position and Image Orientation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.adapters.dicom_series.images import Image

Floats = npt.NDArray[np.float64]

ORIENTATION_TOLERANCE = 2e-3
"""Largest difference of a direction cosine, of a direction's length from 1, and of two directions' cosine from 0.

Cosines written with three decimals are off by up to 1e-3; an angle of a quarter of a degree is 4e-3.
"""

POSITION_ROUNDING_MM = 0.018
"""How far the distance of two positions can be off when each coordinate is rounded to 0.01 mm: 0.01 mm x sqrt(3)."""

SAME_LEVEL_FRACTION = 0.02
"""Images nearer than this part of the usual slice distance lie at the same position."""

SAME_LEVEL_MM = 1e-3
"""Images nearer than this lie at the same position, whatever the slice distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Images of one orientation, in order along the normal.

    Attributes
    ----------
    images
        n images, by position along ``normal``.
    row, column, normal
        Unit vectors (LPS) along a row, along a column, and row x column; shape (3,).
    positions
        (n, 3), LPS mm of each image's first voxel.
    depths
        (n,), mm along ``normal``, ascending.
    """

    images: tuple[Image, ...]
    row: Floats
    column: Floats
    normal: Floats
    positions: Floats
    depths: Floats

    @classmethod
    def of(cls, images: Sequence[Image]) -> Placement:
        """Sort images that have position and orientation; the orientation is that of the first."""
        first = np.array(images[0].orientation, dtype=np.float64)
        row = first[:3] / np.linalg.norm(first[:3])
        column = first[3:] - row * (first[3:] @ row)
        column /= np.linalg.norm(column)
        normal = np.cross(row, column)
        positions = np.array([image.position for image in images], dtype=np.float64)
        order = np.argsort(positions @ normal, kind="stable")
        ordered = positions[order]
        return cls(tuple(images[n] for n in order), row, column, normal, ordered, ordered @ normal)

    @property
    def levels(self) -> list[tuple[int, ...]]:
        """Indices of the images at each distinct position along the normal, in order."""
        steps = np.diff(self.depths)
        real = steps[steps > SAME_LEVEL_MM]
        same = max(SAME_LEVEL_MM, SAME_LEVEL_FRACTION * float(np.median(real))) if real.size else SAME_LEVEL_MM
        starts = np.flatnonzero(np.concatenate(([True], steps > same)))
        return [tuple(part.tolist()) for part in np.split(np.arange(len(self.images)), starts[1:])]


def is_orthonormal(orientation: Sequence[float]) -> bool:
    """Whether two directions are perpendicular unit vectors, but for rounding."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    return bool(np.abs(lengths - 1).max() <= ORIENTATION_TOLERANCE and abs(row @ column) <= ORIENTATION_TOLERANCE)


def is_same_orientation(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two orientations are equal, but for rounding."""
    return all(abs(a - b) <= ORIENTATION_TOLERANCE for a, b in zip(one, other, strict=True))


def can_be_placed(images: Sequence[Image]) -> bool:
    """Whether all images have a position and share one sound orientation."""
    first = images[0].orientation
    return first is not None and all(
        image.position is not None
        and image.orientation is not None
        and is_orthonormal(image.orientation)
        and is_same_orientation(image.orientation, first)
        for image in images
    )
