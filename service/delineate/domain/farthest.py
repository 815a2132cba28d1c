"""The two points of a set that are farthest apart: exactly, and fast for many points."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import Points

Floats = npt.NDArray[np.float64]

PER_CELL = 24
"""Points in a cell of the search, about; decides the time it takes, not what is found."""

FEW = 400
"""So many points are compared each with each."""

EQUAL = 1e-9
"""Distances that differ by less, relatively, count as equal, so that rounding does not choose between them."""


def farthest_pair(points: Points) -> tuple[int, int]:
    """Return the indices of two points of greatest distance; of several such pairs always the same.

    Points that are too near the middle to be one of them are left out. The others are put into the cells of a grid, of
    which two are compared point by point only if their bounding boxes reach farther apart than the best pair so far.

    Parameters
    ----------
    points
        Shape (n, d), n at least 1.

    >>> farthest_pair(np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]))
    (0, 1)
    """
    best = _guess(points)
    outer = _far_out(points, _between(points, best))
    if len(outer) <= FEW:
        a, b = _first_greatest(_squared(points[outer], points[outer]))
        return int(outer[a]), int(outer[b])
    return _search(points, outer, best)


def _far_out(points: Points, reach: float) -> npt.NDArray[np.int64]:
    """Return the indices of points of which another may lie at least the square root of ``reach`` away.

    No point of a ball is farther from a point than the ball's radius and the distance to its centre together.
    """
    outer = np.arange(len(points))
    for centre in ((points.min(axis=0) + points.max(axis=0)) / 2, points.mean(axis=0)):
        from_centre = np.linalg.norm(points - centre, axis=1)
        nearest = math.sqrt(reach) * (1 - EQUAL) - from_centre.max()
        outer = outer[from_centre[outer] >= nearest]
    return outer


def _search(points: Points, outer: npt.NDArray[np.int64], best: tuple[int, int]) -> tuple[int, int]:
    """Return the farthest pair of the points at ``outer``, cell by cell; ``best`` is one that is far apart."""
    order, starts = _cells(points[outer])
    order = outer[order]
    members = np.split(order, starts[1:])
    low = np.minimum.reduceat(points[order], starts)
    high = np.maximum.reduceat(points[order], starts)
    bound = _greatest_squared(low, high)
    reach = _between(points, best)
    for cell in np.argsort(-bound.max(axis=1), kind="stable").tolist():
        others = np.flatnonzero(bound[cell] > reach * (1 + EQUAL))
        if not others.size:
            continue
        rivals = np.concatenate([members[other] for other in others.tolist()])
        squared = _squared(points[members[cell]], points[rivals])
        a, b = np.unravel_index(squared.argmax(), squared.shape)
        if squared[a, b] > reach * (1 + EQUAL):
            best = int(members[cell][a]), int(rivals[b])
            reach = _between(points, best)
    return best


def _cells(points: Points) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the points' indices ordered by cell, and where each cell begins in them."""
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    along = max(1.0, math.sqrt(len(points) / PER_CELL / points.shape[1]))  # candidates lie on a surface
    side = extent.max() / along or 1.0
    places = ((points - low) / side).astype(np.int64)
    key = np.ravel_multi_index(tuple(places.T), tuple(places.max(axis=0) + 1))
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    return order, np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def _greatest_squared(low: Points, high: Points) -> Floats:
    """Return for each two boxes the square of the greatest distance that points in them can have."""
    spread = np.zeros((len(low), len(low)))
    for axis in range(low.shape[1]):
        spread += np.maximum(high[:, np.newaxis, axis] - low[:, axis], high[:, axis] - low[:, np.newaxis, axis]) ** 2
    return spread


def _guess(points: Points) -> tuple[int, int]:
    """Return a pair that is far apart: from the point farthest from the middle to the one farthest from that, ..."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    a = int(((points - middle) ** 2).sum(axis=1).argmax())
    b = a
    reach = -1.0
    while True:
        squared = ((points - points[a]) ** 2).sum(axis=1)
        other = int(squared.argmax())
        if squared[other] <= reach:
            return b, a
        reach, a, b = float(squared[other]), other, a


def _first_greatest(squared: Floats) -> tuple[int, int]:
    """Return the place of the first of the greatest entries, those within rounding counted as equal."""
    a, b = divmod(int(np.flatnonzero(squared >= squared.max() * (1 - EQUAL))[0]), len(squared))
    return a, b


def _squared(some: Points, others: Points) -> Floats:
    out = np.zeros((len(some), len(others)))
    for axis in range(some.shape[1]):
        out += (some[:, np.newaxis, axis] - others[:, axis]) ** 2
    return out


def _between(points: Points, pair: tuple[int, int]) -> float:
    return float(((points[pair[0]] - points[pair[1]]) ** 2).sum())
