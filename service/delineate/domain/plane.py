"""Planes through the voxel grid, and drawing on them.

A plane is a height along one voxel axis over the *columns* of the two others, (u, v) in array order, so that it holds
at most one voxel of each column. A slice of the volume is the plane of constant height. Lines and outlines are drawn on
the columns, in continuous voxel indices, and then lifted to the plane's height.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import Box, Points, VolumeGeometry, round_index
from delineate.domain.labelmap import Region

Columns = npt.NDArray[np.float64]
"""Array of shape (n, 2): continuous (u, v)."""
Cover = npt.NDArray[np.bool_]
"""Which columns of a window are covered, axes (u, v)."""
Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

CENTRE_SLACK = 1e-3
"""Voxels: a voxel centre this far outside an outline or a stroke still counts as on it, despite float noise."""
FLAT_TOLERANCE = 0.05
"""Voxels: points that differ no more than this along an axis are at one height there, even across the border of two
voxels: a plane half-way between two slices is drawn in one of them, whatever the noise of its points."""
TIE_DECIMALS = 6
"""Of a cosine or a ratio: of axes equal up to float noise (a plane turned by 45 degrees) the first is taken."""
PATIENT_PLANE_COSINE = math.cos(math.radians(10.0))
"""A plane within 10 degrees of a patient axis is called axial, coronal or sagittal."""
CANDIDATES = 2**17
"""Voxels examined at once: bounds the memory of drawing at some 20 MB."""

PATIENT_PLANES = ("sagittal", "coronal", "axial")
"""By the patient axis (x, y, z) that is perpendicular to them."""
VOXEL_PLANES = (
    "the acquired slices",
    "the plane across the acquired slices, along their rows",
    "the plane across the acquired slices, along their columns",
)
"""By the voxel axis (k, j, i) that is perpendicular to them, where no patient axis is near."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of columns: ``start`` <= (u, v) < ``start + shape``."""

    start: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def around(cls, points: Columns, margin: float, extent: tuple[int, int]) -> Window:
        """Return the columns within ``margin`` voxels of the points' bounds, clipped to ``extent`` columns."""
        low = np.clip(np.ceil(points.min(axis=0) - margin), 0, extent)
        high = np.clip(np.floor(points.max(axis=0) + margin) + 1, low, extent)
        (u0, v0), (u1, v1) = low.astype(int).tolist(), high.astype(int).tolist()
        return cls((u0, v0), (u1 - u0, v1 - v0))


@dataclass(frozen=True, slots=True)
class VoxelPlane:
    """A plane through the voxel grid: ``level + slope . (u, v)`` along ``axis``, in continuous voxel indices.

    Parameters
    ----------
    axis
        Voxel axis (0, 1, 2 = k, j, i) along which every column meets the plane once.
    level
        Height above the column (0, 0).
    slope
        Change of the height per voxel along the two other axes, in array order; between -1 and 1.
    """

    axis: int
    level: float
    slope: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def oblique(cls, geometry: VolumeGeometry, continuous: Points, normal: npt.NDArray[np.float64]) -> VoxelPlane:
        """Return the plane of a unit normal (LPS) through the middle of points (n, 3), continuous (k, j, i).

        Its axis is argmax |n_i| s_i, with n along the voxel axes and the spacing s; of equal ones the first.
        """
        gradient = normal @ geometry.matrix[:3, :3]
        steepness = np.abs(gradient)
        axis = int(np.argmax(np.round(steepness / steepness.max(), TIE_DECIMALS)))
        middle = continuous.mean(axis=0)
        u, v = _others(axis)
        slope = (-float(gradient[u] / gradient[axis]), -float(gradient[v] / gradient[axis]))
        return cls(axis, float(middle[axis] - slope[0] * middle[u] - slope[1] * middle[v]), slope)

    @property
    def columns(self) -> tuple[int, int]:
        """The two other voxel axes, in array order."""
        return _others(self.axis)

    def extent(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        """Return the number of columns along (u, v) of a volume of ``shape`` (k, j, i)."""
        u, v = self.columns
        return (shape[u], shape[v])

    def lift(self, cover: Cover, window: Window, shape: tuple[int, int, int]) -> Region:
        """Return the plane's voxel in every covered column, as the tight region of those inside the volume."""
        u, v = np.nonzero(cover)
        u += window.start[0]
        v += window.start[1]
        height = round_index(self.level + self.slope[0] * u + self.slope[1] * v)
        inside = (height >= 0) & (height < shape[self.axis])
        if not inside.any():
            return Region.empty()
        voxels = np.stack([u[inside], v[inside]])
        voxels = np.insert(voxels, self.axis, height[inside], axis=0)
        start = voxels.min(axis=1)
        box = Box.from_bounds(np.stack([start, voxels.max(axis=1) + 1], axis=1))
        values = np.zeros(box.shape, dtype=np.bool_)
        values[tuple(voxels - start[:, None])] = True
        return Region(box, values)


def _others(axis: int) -> tuple[int, int]:
    return ((1, 2), (0, 2), (0, 1))[axis]


def aligned_plane(continuous: Points, geometry: VolumeGeometry, normal: npt.NDArray[np.float64]) -> VoxelPlane | None:
    """Return the slice that points (n, 3), continuous (k, j, i), lie in, or None if they span several.

    That is: on one voxel axis all round to one index (or are flat within FLAT_TOLERANCE; their mean then tells the
    index). Of several such axes it is the one most parallel to the unit ``normal`` (LPS).
    """
    indices = round_index(continuous)
    flat = (indices == indices[0]).all(axis=0) | (np.ptp(continuous, axis=0) <= FLAT_TOLERANCE)
    if not flat.any():
        return None
    cosines = np.round(np.abs(geometry.directions @ normal), TIE_DECIMALS)
    axis = int(np.argmax(np.where(flat, cosines, -1.0)))
    same = (indices[:, axis] == indices[0, axis]).all()
    return VoxelPlane(axis, float(indices[0, axis] if same else round_index(continuous.mean(axis=0))[axis]))


def nearest_aligned(
    geometry: VolumeGeometry, normal: npt.NDArray[np.float64]
) -> tuple[tuple[float, float, float], str]:
    """Return the normal (LPS, turned like ``normal``) of the nearest voxel-aligned plane, and its name in words."""
    cosines = geometry.directions @ normal
    axis = int(np.argmax(np.round(np.abs(cosines), TIE_DECIMALS)))
    direction = geometry.directions[axis] * (1.0 if cosines[axis] >= 0 else -1.0)
    patient = int(np.argmax(np.abs(direction)))
    named = abs(direction[patient]) >= PATIENT_PLANE_COSINE
    x, y, z = direction.tolist()
    return (x, y, z), PATIENT_PLANES[patient] if named else VOXEL_PLANES[axis]


def fill_outline(points: Columns, window: Window) -> Cover:
    """Fill a closed outline by the non-zero winding rule, the voxel centres on it included.

    Parameters
    ----------
    points
        Shape (n, 2), continuous (u, v); the last one is joined to the first.
    window
        The columns to fill.

    Returns
    -------
    bool, shape of the window, axes (u, v).

    Notes
    -----
    A centre so close to an edge that float noise could turn its winding number is within CENTRE_SLACK of that edge, and
    so included anyhow.
    """
    closed = np.concatenate([points, points[:1]])
    return np.asarray(_winding(closed, window) != 0) | cover_line(closed, CENTRE_SLACK, window)


def cover_line(points: Columns, reach: float, window: Window, slope: tuple[float, float] = (0.0, 0.0)) -> Cover:
    """Tell which columns a polyline passes within ``reach``.

    Parameters
    ----------
    points
        Shape (n, 2), continuous (u, v), n >= 1.
    reach
        Voxels.
    window
        The columns to tell of.
    slope
        Of the plane that the polyline lies in. The distance is measured in 3D index space, in that plane, between the
        polyline and the plane's point above the column; without a slope that is the distance in the slice.

    Returns
    -------
    bool, shape of the window, axes (u, v).
    """
    cover = np.zeros(window.shape, dtype=np.bool_)
    local = points - np.array(window.start, dtype=np.float64)
    steps = np.diff(local, axis=0)
    kept = steps.any(axis=1)
    # a polyline that goes nowhere is one segment of length zero
    starts, steps = (local[:-1][kept], steps[kept]) if kept.any() else (local[:1], np.zeros((1, 2)))
    steep = np.abs(steps[:, 1]) > np.abs(steps[:, 0])
    _cover_segments(starts[~steep], steps[~steep], reach, slope, cover)
    _cover_segments(starts[steep][:, ::-1], steps[steep][:, ::-1], reach, slope[::-1], cover.T)
    return cover


def _cover_segments(starts: Columns, steps: Columns, reach: float, slope: tuple[float, float], cover: Cover) -> None:
    """Set the columns (x, y) within reach of segments whose step is not longer along y than along x."""
    size_x, size_y = cover.shape
    ends = starts[:, 0] + steps[:, 0]
    first = np.clip(np.ceil(np.minimum(starts[:, 0], ends) - reach), 0, size_x).astype(np.int64)
    last = np.clip(np.floor(np.maximum(starts[:, 0], ends) + reach) + 1, 0, size_x).astype(np.int64)
    span = reach * math.sqrt(2.0)  # no point within reach of a segment is farther from it than this along y
    offsets = np.arange(math.floor(2 * span) + 1)
    lengths = _dot(steps[:, 0], steps[:, 1], steps[:, 0], steps[:, 1], slope)
    lengths[lengths == 0] = 1.0
    for segment, x in _runs(first, last - first, max(1, CANDIDATES // offsets.size)):
        step_x, step_y = steps[segment, 0], steps[segment, 1]
        along = np.clip((x - starts[segment, 0]) / np.where(step_x == 0, 1.0, step_x), 0.0, 1.0)
        middle = starts[segment, 1] + along * step_y
        y = np.ceil(middle - span).astype(np.int64)[:, None] + offsets
        away_x = (x - starts[segment, 0])[:, None]
        away_y = y - starts[segment, 1][:, None]
        step_x, step_y = step_x[:, None], step_y[:, None]
        nearest = np.clip(_dot(away_x, away_y, step_x, step_y, slope) / lengths[segment][:, None], 0.0, 1.0)
        away_x = away_x - nearest * step_x
        away_y -= nearest * step_y
        hit = (_dot(away_x, away_y, away_x, away_y, slope) <= reach**2) & (y >= 0) & (y < size_y)
        cover[np.broadcast_to(x[:, None], y.shape)[hit], y[hit]] = True


def _dot(ax: Values, ay: Values, bx: Values, by: Values, slope: tuple[float, float]) -> Values:
    """Scalar product of two steps on the columns, each lifted to the plane of ``slope``."""
    if slope == (0.0, 0.0):
        return ax * bx + ay * by
    return ax * bx + ay * by + (slope[0] * ax + slope[1] * ay) * (slope[0] * bx + slope[1] * by)


def _winding(closed: Columns, window: Window) -> npt.NDArray[np.int32]:
    """Return how often a closed polyline winds around each column's centre."""
    rows, columns = window.shape
    local = closed - np.array(window.start, dtype=np.float64)
    (u0, v0), (u1, v1) = local[:-1].T, local[1:].T
    # an edge crosses the rows from its lower end up to, but without, its upper end
    first = np.clip(np.ceil(np.minimum(u0, u1)), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(u0, u1)), 0, rows).astype(np.int64)
    turn = np.where(u1 > u0, 1, -1).astype(np.int32)
    crossings = np.zeros(rows * (columns + 1), dtype=np.int32)
    for edge, row in _runs(first, last - first, CANDIDATES):
        along = np.clip((row - u0[edge]) / (u1[edge] - u0[edge]), 0.0, 1.0)
        crossed = v0[edge] + along * (v1[edge] - v0[edge])
        column = np.clip(np.ceil(crossed), 0, columns).astype(np.int64)
        np.add.at(crossings, row * (columns + 1) + column, turn[edge])
    winding = crossings.reshape(rows, columns + 1)
    np.cumsum(winding, axis=1, out=winding)
    return winding[:, :columns]


def _runs(first: Counts, counts: Counts, size: int) -> Iterator[tuple[Counts, Counts]]:
    """Yield (item, value) for the values first .. first + count - 1 of every item, about ``size`` of them at once."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    cuts = np.searchsorted(ends, np.arange(size, total, size))
    for items in np.split(np.arange(counts.size), np.unique(cuts)):
        repeated = np.repeat(items, counts[items])
        offset = np.arange(repeated.size) - np.repeat(np.cumsum(counts[items]) - counts[items], counts[items])
        yield repeated, first[repeated] + offset
