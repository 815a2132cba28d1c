"""The rules of DESIGN section 4, written again: slow, one voxel at a time, in exact integers.

Positions are integers in units of 2**-60 voxel. Where a rule has a border, the answer is a pair: the voxels that must
be in, and those that may be (within BAND of the border, where the float arithmetic of the product may decide).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import VolumeGeometry

ONE = 1 << 60
"""One voxel."""
BAND = ONE // 10**7
"""Voxels within this of a border may be in or out."""
SLACK = ONE // 1000
"""The tolerance that the product adds to the reach of outlines and strokes."""

EQUAL = Fraction(1, 2 * 10**6)
"""Steepnesses that differ by less count as equal."""

Exact = tuple[int, ...]
Answer = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
"""Voxels that must be in, voxels that may be in."""


def exact_indices(geometry: VolumeGeometry, points: Sequence[Sequence[float]]) -> list[Exact]:
    """Map LPS mm to continuous indices by Cramer's rule in rationals."""
    rows = [[Fraction(v) for v in row] for row in geometry.affine]
    columns = [tuple(rows[r][c] for r in range(3)) for c in range(3)]
    determinant = _dot(columns[0], _cross(columns[1], columns[2]))
    result = []
    for point in points:
        away = tuple(Fraction(p) - rows[r][3] for r, p in enumerate(point))
        parts = [
            _dot(away, _cross(columns[1], columns[2])),
            _dot(columns[0], _cross(away, columns[2])),
            _dot(columns[0], _cross(columns[1], away)),
        ]
        result.append(tuple(int(part / determinant * ONE) for part in parts))
    return result


def _cross(a: tuple[Fraction, ...], b: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _dot(a: tuple[Fraction, ...], b: tuple[Fraction, ...]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def winding_number(outline: Sequence[Exact], centre: Exact) -> int:
    """Count how often a closed outline winds around a centre that is not on it."""
    y, x = centre
    turns = 0
    for (y0, x0), (y1, x1) in _pairs(outline, closed=True):
        left = (y1 - y0) * (x - x0) - (x1 - x0) * (y - y0)
        if y0 <= y < y1 and left < 0:
            turns += 1
        elif y1 <= y < y0 and left > 0:
            turns -= 1
    return turns


def _pairs(points: Sequence[Exact], closed: bool) -> Iterator[tuple[Exact, Exact]]:
    for n in range(len(points) if closed or len(points) == 1 else len(points) - 1):
        yield points[n], points[(n + 1) % len(points)]


def within(line: Sequence[Exact], centre: Exact, reach: int, closed: bool = False) -> bool:
    """Tell whether a centre lies within ``reach`` of a polyline, in any number of dimensions."""
    for start, end in _pairs(line, closed):
        step = [b - a for a, b in zip(start, end, strict=True)]
        away = [c - a for a, c in zip(start, centre, strict=True)]
        length = sum(s * s for s in step)
        along = sum(s * a for s, a in zip(step, away, strict=True))
        if along <= 0 or length == 0:
            near = sum(a * a for a in away) <= reach * reach
        elif along >= length:
            near = sum((a - s) ** 2 for s, a in zip(step, away, strict=True)) <= reach * reach
        else:
            near = length * sum(a * a for a in away) - along * along <= reach * reach * length
        if near:
            return True
    return False


def filled(outline: Sequence[Exact], shape: tuple[int, int]) -> Answer:
    """Fill a closed outline in 2D: non-zero rule, centres on the outline included."""
    must, may = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    for cell in np.ndindex(*shape):
        centre = tuple(n * ONE for n in cell)
        inside = not within(outline, centre, BAND, closed=True) and winding_number(outline, centre) != 0
        must[cell] = inside or within(outline, centre, SLACK - BAND, closed=True)
        may[cell] = inside or within(outline, centre, SLACK + BAND, closed=True)
    return must, may


def stroked(line: Sequence[Exact], thickness: int, shape: tuple[int, int]) -> Answer:
    """Draw a polyline in 2D: centres within half the thickness, and the cells that the points round to."""
    must, may = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    reach = thickness * ONE // 2 + SLACK
    for cell in np.ndindex(*shape):
        centre = tuple(n * ONE for n in cell)
        must[cell] = within(line, centre, reach - BAND)
        may[cell] = within(line, centre, reach + BAND)
    _add_own(line, must, may)
    return must, may


def _add_own(line: Sequence[Exact], must: npt.NDArray[np.bool_], may: npt.NDArray[np.bool_]) -> None:
    for point in line:
        own = tuple((c + ONE // 2 + SLACK) // ONE for c in point)
        must[own] = may[own] = True


def heights(
    geometry: VolumeGeometry, points: Sequence[Sequence[float]], normal: Sequence[float]
) -> tuple[int, dict[tuple[int, int], Fraction]]:
    """Return the axis a = argmax |n_i| s_i (the first of equal ones) and the plane's height above each column.

    The plane is the one through the mean of the points.
    """
    rows = [[Fraction(v) for v in row] for row in geometry.affine]
    n = [Fraction(float(c)) for c in normal]
    gradient = [sum((n[r] * rows[r][c] for r in range(3)), Fraction(0)) for c in range(3)]
    steepest = max(abs(g) for g in gradient)
    axis = next(c for c in range(3) if abs(gradient[c]) > steepest * (1 - EQUAL))
    u, v = (c for c in range(3) if c != axis)
    mean = [sum((Fraction(float(p[r])) for p in points), Fraction(0)) / len(points) for r in range(3)]
    constant = sum((n[r] * (mean[r] - rows[r][3]) for r in range(3)), Fraction(0))
    columns = np.ndindex(geometry.shape[u], geometry.shape[v])
    above = {(a, b): (constant - gradient[u] * a - gradient[v] * b) / gradient[axis] for a, b in columns}
    return axis, above
