"""The outermost points of a segment, between which its diameters are measured.

These are *face points*: the centres of the voxel faces between a voxel inside and its neighbour outside, that is the
points half-way between two such voxel centres, through which the surface mesh goes too. An extent along a voxel axis is
so exactly the number of voxels times their spacing; along other directions it differs from the extent of an ideal body
by less than one voxel, where voxel centres would always be too short and voxel corners nearly always too long.

Only points that can be the end of a longest diameter are kept. Others are left out by an exact rule: a point half-way
between two others, or nearer to the inside than that, is no corner of their convex hull.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.domain.labelmap import Voxels

HalfVoxels = npt.NDArray[np.int64]
"""Shape (n, 3): (k, j, i) in halves of a voxel, so that face points are whole numbers."""

Heights = npt.NDArray[np.float64]
"""Shape (a, b): how far out a segment reaches along each line of voxels; -inf where it has none."""

STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Distances at which a point is compared with its neighbours; more would leave fewer points, but never other ends."""

ALONG = ((0, 1),)
ACROSS = ((1, 0), (1, 1), (1, -1))
"""Directions on the grid of lines, in which those neighbours lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Outermost:
    """Face points that are candidates for the ends of diameters.

    Attributes
    ----------
    in_slices
        Those at the rim of their slice, ordered by slice: faces along j and i only.
    of_body
        Those on the surface of the whole, in no order.
    """

    in_slices: HalfVoxels
    of_body: HalfVoxels

    @classmethod
    def of(cls, voxels: Voxels) -> Outermost:
        """Find them in an array of axes (k, j, i) that is not empty."""
        rims: list[HalfVoxels] = []
        bodies: list[HalfVoxels] = []
        for axis in (1, 2):
            for height, side in _reach(voxels, axis):
                rim = _sticks_out(height, ALONG)
                rims.append(_points(height, side, axis, rim))
                bodies.append(_points(height, side, axis, rim & _sticks_out(height, ACROSS)))
        for height, side in _reach(voxels, 0):
            bodies.append(_points(height, side, 0, _sticks_out(height, (*ALONG, *ACROSS))))
        in_slices = np.concatenate(rims)
        return cls(in_slices[np.argsort(in_slices[:, 0], kind="stable")], np.concatenate(bodies))


def _reach(voxels: Voxels, axis: int) -> Iterable[tuple[Heights, int]]:
    """Return how far the voxels reach along an axis, forward (+1) and backward (-1, with heights negated)."""
    hit = voxels.any(axis=axis)
    first = voxels.argmax(axis=axis)
    last = voxels.shape[axis] - 1 - np.flip(voxels, axis).argmax(axis=axis)
    return ((np.where(hit, last, -np.inf), 1), (np.where(hit, -first, -np.inf), -1))


def _sticks_out(height: Heights, directions: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Tell which points reach farther than half-way between any two neighbours at equal distance."""
    kept = np.isfinite(height)
    for direction in directions:
        for stride in STRIDES:
            rows, columns = (abs(step) * stride for step in direction)
            a, b = (step * stride for step in direction)
            if 2 * rows >= height.shape[0] or 2 * columns >= height.shape[1]:
                break
            inner = slice(rows, height.shape[0] - rows), slice(columns, height.shape[1] - columns)
            one, other = (
                height[inner[0].start + s * a : inner[0].stop + s * a, inner[1].start + s * b : inner[1].stop + s * b]
                for s in (1, -1)
            )
            kept[inner] &= 2 * height[inner] > one + other
    return kept


def _points(height: Heights, side: int, axis: int, chosen: npt.NDArray[np.bool_]) -> HalfVoxels:
    """Return the face points of the chosen lines along an axis."""
    lines = np.argwhere(chosen)
    outer = side * (2 * height[chosen].astype(np.int64) + 1)
    return np.insert(2 * lines, axis, outer, axis=1)
