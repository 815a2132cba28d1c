"""Longest diameters of a segment, in the acquired plane and in space.

A diameter runs between two face points (see `outermost`), and need not stay inside the segment. In the plane it follows
RECIST 1.1: of all slices (index k: the acquired plane) the longest diameter, and in that slice the longest line
perpendicular to it that fits in the convex hull of the slice's face points.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, section 3 (longest diameter in the plane of measurement, short axis).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.domain.farthest import EQUAL, farthest_pair
from delineate.domain.geometry import PatientPoint, Points, VolumeGeometry
from delineate.domain.outermost import HalfVoxels, Outermost
from delineate.domain.rounding import rounded_point, significant

Ends = tuple[Points, Points]
"""Two positions, each of shape (3,), LPS mm."""

DIRECTIONS = 8
"""In which a slice's width is taken first, to leave out slices that cannot hold the longest diameter."""


@dataclass(frozen=True, slots=True)
class Diameter:
    """A straight line between two points of a segment's surface."""

    length_mm: float
    ends: tuple[PatientPoint, PatientPoint]

    @classmethod
    def between(cls, ends: Ends) -> Diameter:
        """Make the diameter between two positions, each of shape (3,), LPS mm."""
        a, b = ends
        return cls(significant(float(np.linalg.norm(b - a))), (rounded_point(a), rounded_point(b)))


@dataclass(frozen=True, slots=True)
class PlaneDiameters:
    """The longest diameter in the acquired plane and its perpendicular."""

    k: int
    """The slice in which they lie."""
    longest: Diameter
    perpendicular: Diameter


def diameters(
    outermost: Outermost, start: tuple[int, int, int], geometry: VolumeGeometry
) -> tuple[PlaneDiameters, Diameter]:
    """Return the longest diameters in the acquired plane, and the longest one in space.

    Parameters
    ----------
    outermost
        Candidates for their ends, of an array that begins at the voxel ``start`` (k, j, i).
    """
    offset = np.array(start, dtype=np.float64)
    body = geometry.to_patient(outermost.of_body / 2 + offset)
    a, b = farthest_pair(body)
    return _in_plane(outermost.in_slices, offset, geometry), Diameter.between(_ordered(body[a], body[b]))


def _in_plane(rims: HalfVoxels, offset: npt.NDArray[np.float64], geometry: VolumeGeometry) -> PlaneDiameters:
    positions = geometry.to_patient(rims / 2 + offset)
    starts = np.flatnonzero(np.diff(rims[:, 0], prepend=-1))
    slices = np.split(positions, starts[1:])
    widest = _widths(positions, starts, geometry)
    farther = 1 / math.cos(math.pi / (2 * DIRECTIONS))  # the farthest a diameter can exceed the greatest of the widths
    best: tuple[float, float] | None = None
    for n in np.argsort(-widest, kind="stable").tolist():
        if best is not None and widest[n] * farther < best[0] * (1 - EQUAL):
            break
        points = slices[n]
        a, b = farthest_pair(points)
        ends = _ordered(points[a], points[b])
        longest = Diameter.between(ends)
        if best is not None and longest.length_mm < best[0] * (1 - EQUAL):
            continue
        perpendicular = Diameter.between(_perpendicular(points, ends, geometry))
        if best is None or _is_better((longest.length_mm, perpendicular.length_mm), best):
            best = longest.length_mm, perpendicular.length_mm
            found = PlaneDiameters(int(rims[starts[n], 0]) // 2 + int(offset[0]), longest, perpendicular)
    return found


def _is_better(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Compare by length, then by perpendicular; what differs by rounding counts as equal."""
    for mine, best in zip(one, other, strict=True):
        if abs(mine - best) > best * EQUAL:
            return mine > best
    return False


def _ordered(a: Points, b: Points) -> Ends:
    """Return the two ends so that the first has the smaller coordinates."""
    return (a, b) if a.tolist() <= b.tolist() else (b, a)


def _plane_axes(geometry: VolumeGeometry) -> Points:
    """Return two perpendicular unit vectors (LPS) that span the acquired plane, as rows of a (2, 3) array."""
    _, column, row = geometry.directions
    across = column - row * (column @ row)
    return np.stack([row, across / np.linalg.norm(across)])


def _widths(positions: Points, starts: npt.NDArray[np.int64], geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Return each slice's greatest width in a few directions, mm."""
    angles = np.arange(DIRECTIONS) * math.pi / DIRECTIONS
    normals = np.stack([np.cos(angles), np.sin(angles)])
    along = (positions - positions[0]) @ _plane_axes(geometry).T @ normals
    spans = np.maximum.reduceat(along, starts) - np.minimum.reduceat(along, starts)
    return np.asarray(spans.max(axis=1))


def _perpendicular(points: Points, ends: Ends, geometry: VolumeGeometry) -> Ends:
    """Return the ends of the longest line in the points' convex hull that is perpendicular to a diameter of theirs."""
    first, last = ends
    along = (last - first) / np.linalg.norm(last - first)
    row, across = _plane_axes(geometry)
    aside = across * (along @ row) - row * (along @ across)
    flat = np.stack([(points - first) @ along, (points - first) @ aside], axis=1)
    lower, upper = _chains(flat)
    places = np.unique(np.concatenate([lower[:, 0], upper[:, 0]]))
    bottom, top = np.interp(places, *lower.T), np.interp(places, *upper.T)
    n = int(np.flatnonzero(top - bottom >= (top - bottom).max() * (1 - EQUAL))[0])
    foot = first + along * places[n]
    return _ordered(foot + aside * bottom[n], foot + aside * top[n])


def _chains(points: Points) -> tuple[Points, Points]:
    """Return the lower and the upper half of the convex hull of points (n, 2), each by its first coordinate.

    Andrew's monotone chain; no two points lie above each other at the ends, which those of a diameter are.
    """
    order = np.lexsort((points[:, 1], points[:, 0]))
    ordered = points[order].tolist()
    return np.array(_turning(ordered, 1)), np.array(_turning(ordered, -1))


def _turning(points: Sequence[Sequence[float]], side: int) -> list[Sequence[float]]:
    """Keep the points at which a path from left to right turns to one side only."""
    kept: list[Sequence[float]] = []
    for point in points:
        while len(kept) > 1 and side * _turn(kept[-2], kept[-1], point) <= 0:
            kept.pop()
        kept.append(point)
    return kept


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
