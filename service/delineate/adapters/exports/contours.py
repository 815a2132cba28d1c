"""A slice's voxels as outlines, each hole joined to what it is in by a keyhole.

Outlines run half-way between the centres of voxels inside and outside (marching squares at 0.5). So whoever asks which
centres lie inside gets back exactly the voxels, and an outline encloses half a voxel less than they do, whatever its
size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects
from scipy.spatial import cKDTree
from skimage.measure import find_contours, label

Outline = npt.NDArray[np.float64]
"""Shape (n, 2): corners (j, i), continuous voxel indices; closed, the first corner is not repeated."""

GOLDEN_RATIO = (5**0.5 - 1) / 2
"""Its multiples, modulo 1, stay well apart from each other."""
TURN = 1e-9
"""Voxels squared: twice the area of three successive corners, below which they lie on one line."""


def outlines_of(voxels: npt.NDArray[np.bool_]) -> list[Outline]:
    """Return the outlines of a slice of axes (j, i): one for each part whose voxels join along edges.

    References
    ----------
    PS3.3 C.8.8.6.3 (inner and outer contours: the keyhole technique).
    """
    parts = label(voxels, connectivity=1)
    outlines = []
    for part, (rows, columns) in enumerate(find_objects(parts), 1):
        loops = _loops(np.pad(parts[rows, columns] == part, 1))
        outlines.append(_straight(_joined(loops)) + np.array([rows.start - 1, columns.start - 1]))
    return outlines


def _loops(part: npt.NDArray[np.bool_]) -> list[Outline]:
    """Return the outer loop of one part, then those of its holes."""
    loops = [loop[:-1] for loop in find_contours(part.astype(np.float64), 0.5)]
    return sorted(loops, key=_area, reverse=True)


def _area(loop: Outline) -> float:
    following = np.roll(loop, -1, axis=0)
    return abs(float((loop[:, 0] * following[:, 1] - loop[:, 1] * following[:, 0]).sum())) / 2


def _joined(loops: list[Outline]) -> Outline:
    """Return one loop that runs along all: a channel without width leads to each hole and back.

    The hole nearest to what is joined already comes next, so that no channel crosses a hole. Channels begin and end
    beside the corners: between corners they would run through centres of voxels, of which readers disagree whether what
    lies on an outline is inside.
    """
    outline, *holes = (_with_footholds(loop, n) for n, loop in enumerate(loops))
    while holes:
        tree = cKDTree(outline[_is_foothold(outline), :2])
        nearest = [tree.query(hole[1::2, :2]) for hole in holes]
        n = int(np.argmin([distances.min() for distances, _ in nearest]))
        distances, places = nearest[n]
        start = int(np.argmin(distances))
        end = int(np.flatnonzero(_is_foothold(outline))[places[start]])
        hole = np.roll(holes.pop(n), -(2 * start + 1), axis=0)
        outline = np.concatenate([outline[: end + 1], hole, hole[:1], outline[end:]])
    return outline[:, :2]


def _with_footholds(loop: Outline, n: int) -> Outline:
    """Return the corners with a foothold for a channel after each; a third column is 1 for those.

    Each loop ``n`` has them at another fraction of the way, or a channel would meet a centre by symmetry.
    """
    fraction = 0.2 + 0.6 * (n * GOLDEN_RATIO % 1)
    footholds = loop + (np.roll(loop, -1, axis=0) - loop) * fraction
    both = np.zeros((2 * len(loop), 3))
    both[0::2, :2], both[1::2, :2] = loop, footholds
    both[1::2, 2] = 1
    return both


def _is_foothold(outline: Outline) -> npt.NDArray[np.bool_]:
    return np.asarray(outline[:, 2] == 1)


def _straight(outline: Outline) -> Outline:
    """Leave out corners on the straight line between their neighbours; the ends of a channel stay."""
    before, after = outline - np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0) - outline
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    ahead = (before * after).sum(axis=1) > 0
    return np.asarray(outline[(np.abs(turn) > TURN) | ~ahead])
