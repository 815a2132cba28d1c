"""Prompts drawn in the patient, and what they are in voxels, worked out here independently of the service."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import Box, VoxelIndex
from delineate.domain.labelmap import Region
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelPrompt, VoxelStroke

Matrix = npt.NDArray[np.float64]
Index = tuple[int, int, int]


@dataclass(frozen=True)
class Drawn:
    """A prompt as it is sent, and as the bare session has to be given it."""

    body: dict[str, Any]
    voxels: VoxelPrompt


def draw(kind: str, at: Index, axis: int, affine: Matrix, frame: str, *, include: bool, thickness: int = 2) -> Drawn:
    """Draw a prompt around a voxel (k, j, i), on the slice across voxel ``axis``.

    ``affine`` (4, 4) maps (k, j, i, 1) to LPS mm.
    """
    u, v = (a for a in range(3) if a != axis)
    corners = {
        "point": [(0, 0)],
        "box": [(-3, -4), (-3, 4), (3, 4), (3, -4)],
        "scribble": [(-3, -4), (0, 2), (3, 4)],
        "lasso": [(-3, 0), (-1, 4), (3, 2), (3, -3), (-1, -4)],
    }[kind]
    path = np.zeros((len(corners), 3))
    path[:, axis] = at[axis]
    path[:, u] = at[u] + np.array([c[0] for c in corners])
    path[:, v] = at[v] + np.array([c[1] for c in corners])
    points = path @ affine[:3, :3].T + affine[:3, 3]
    normal = affine[:3, axis] / np.linalg.norm(affine[:3, axis])
    body: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "kind": kind,
        "include": include,
        "frame_of_reference_uid": frame,
        "points": points.tolist(),
    }
    if kind != "point":
        body["plane_normal"] = normal.tolist()
    return Drawn(body, _voxels(kind, at, axis, path, include, thickness))


def _voxels(kind: str, at: Index, axis: int, path: Matrix, include: bool, thickness: int) -> VoxelPrompt:
    if kind == "point":
        return VoxelPoint(VoxelIndex(*at), include)
    low, high = path.min(axis=0).astype(int), path.max(axis=0).astype(int)
    if kind == "box":
        return VoxelBox(Box.from_bounds(np.stack([low, high + 1], axis=1)), include)
    margin = np.where(np.arange(3) == axis, 0, thickness)
    start = low - margin
    grid = np.moveaxis(np.indices(tuple(high - low + 1 + 2 * margin)), 0, -1) + start
    inside = _near(grid, path, thickness / 2) if kind == "scribble" else _in_convex(grid, path, axis)
    region = Region(Box.from_bounds(np.stack([start, start + np.array(inside.shape)], axis=1)), inside).tight()
    return VoxelStroke("scribble" if kind == "scribble" else "lasso", region, include)


def _near(grid: npt.NDArray[np.int64], path: Matrix, reach: float) -> npt.NDArray[np.bool_]:
    """Tell which voxel centres lie within ``reach`` voxels of the polyline."""
    best = np.full(grid.shape[:-1], np.inf)
    for a, b in pairwise(path):
        along = np.clip(((grid - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        best = np.minimum(best, np.linalg.norm(grid - (a + along[..., None] * (b - a)), axis=-1))
    return np.asarray(best <= reach + 1e-9)


def _in_convex(grid: npt.NDArray[np.int64], path: Matrix, axis: int) -> npt.NDArray[np.bool_]:
    """Tell which voxel centres lie inside or on a convex outline."""
    u, v = (a for a in range(3) if a != axis)
    sides = []
    for a, b in zip(path, np.roll(path, -1, axis=0), strict=True):
        sides.append((b[u] - a[u]) * (grid[..., v] - a[v]) - (b[v] - a[v]) * (grid[..., u] - a[u]))
    stacked = np.stack(sides)
    return np.asarray((stacked >= -1e-9).all(axis=0) | (stacked <= 1e-9).all(axis=0))
