"""Prompts as a person might draw them on an object or on an error, on aligned slices.

Axes are ``(k, j, i)``; positions and sizes are voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Voxel = tuple[int, int, int]

KINDS = ("point", "box", "scribble", "lasso")
"""The kinds of prompt that can be drawn."""

SCRIBBLE_THICKNESS = 2
"""Thickness of a scribble in voxels (``preferred_scribble_thickness`` in inference_info.json)."""

_REACH = 20
"""How far, in voxels, a click is moved from a voxel of a region towards the region's middle."""


@dataclass(frozen=True, slots=True)
class DrawnPrompt:
    """One prompt in voxels.

    Attributes
    ----------
    kind
        ``point``, ``box``, ``scribble`` or ``lasso``.
    at
        A voxel of the region it was drawn for: the clicked one for a point.
    origin
        First voxel of ``values``; equals ``at`` for a point.
    values
        float32 crop of zeros and ones, one voxel thick along the slice axis.
    """

    kind: str
    at: Voxel
    origin: Voxel
    values: NDArray[np.float32]

    @property
    def filled(self) -> list[tuple[int, int]]:
        """Half-open box of the nonzero part of the prompt, in the volume."""
        spans = ndimage.find_objects((self.values > 0).astype(np.uint8))[0] if self.values.any() else ()
        return [(o + s.start, o + s.stop) for o, s in zip(self.origin, spans, strict=False)]

    @property
    def centre(self) -> Voxel:
        """Voxel at the middle of the filled part, rounded as the session rounds it."""
        k, j, i = (round((a + b) / 2) for a, b in self.filled)
        return self.at if self.kind == "point" else (k, j, i)


def random_voxel(rng: np.random.Generator, mask: Mask) -> Voxel | None:
    """Draw a voxel of ``mask``, or None when it is empty."""
    flat = np.flatnonzero(mask)
    if flat.size == 0:
        return None
    k, j, i = np.unravel_index(int(flat[rng.integers(flat.size)]), mask.shape)
    return int(k), int(j), int(i)


def middle_near(mask: Mask, at: Voxel) -> Voxel:
    """Return the voxel deepest inside ``mask`` within a small window around ``at``."""
    low = [max(0, a - _REACH) for a in at]
    window = mask[tuple(slice(a, b + _REACH + 1) for a, b in zip(low, at, strict=True))]
    depth = ndimage.distance_transform_edt(np.pad(window, 1))[1:-1, 1:-1, 1:-1]
    k, j, i = (int(n) + a for n, a in zip(np.unravel_index(int(depth.argmax()), depth.shape), low, strict=True))
    return k, j, i


def draw_prompt(rng: np.random.Generator, kind: str, mask: Mask, at: Voxel, axis: int) -> DrawnPrompt:
    """Draw one prompt for the region ``mask``.

    Parameters
    ----------
    rng
        Source of randomness.
    kind
        One of `KINDS`.
    mask
        bool ``(K, J, I)``, the object or the error.
    at
        A voxel of ``mask``; boxes, lassos and scribbles are drawn on the slice through it.
    axis
        Axis at right angles to that slice.

    Returns
    -------
    DrawnPrompt
        The prompt in voxels of the volume.
    """
    if kind == "point":
        return DrawnPrompt(kind, at, at, np.ones((1, 1, 1), dtype=np.float32))
    plane = np.take(mask, at[axis], axis=axis)
    click = tuple(a for n, a in enumerate(at) if n != axis)
    parts, _ = ndimage.label(plane)
    part = parts == parts[click]
    low, values = _draw_in_plane(rng, kind, np.asarray(part, dtype=np.bool_))
    origin = [int(n) for n in low]
    origin.insert(axis, at[axis])
    return DrawnPrompt(kind, at, (origin[0], origin[1], origin[2]), np.expand_dims(values, axis))


def _draw_in_plane(rng: np.random.Generator, kind: str, part: Mask) -> tuple[tuple[int, int], NDArray[np.float32]]:
    """Draw a box, lasso or scribble for a connected region of one slice."""
    rows, columns = ndimage.find_objects(part.astype(np.uint8))[0]
    if kind == "box":
        pads = rng.integers(0, 3, 4)
        top, left = max(0, rows.start - pads[0]), max(0, columns.start - pads[1])
        bottom, right = min(part.shape[0], rows.stop + pads[2]), min(part.shape[1], columns.stop + pads[3])
        return (int(top), int(left)), np.ones((bottom - top, right - left), dtype=np.float32)
    margin = 4
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    region = part[top : rows.stop + margin, left : columns.stop + margin]
    drawn = _lasso(rng, region) if kind == "lasso" else _scribble(rng, region)
    return (top, left), drawn.astype(np.float32)


def _lasso(rng: np.random.Generator, region: Mask) -> Mask:
    """Outline the region a little outside it, smoothly, and fill the outline."""
    distance = ndimage.distance_transform_edt(~region)
    smooth = ndimage.gaussian_filter(np.asarray(distance, dtype=np.float32), float(rng.uniform(0.5, 1.5)))
    return np.asarray(ndimage.binary_fill_holes(smooth <= rng.uniform(0.4, 2.2)) | region, dtype=np.bool_)


def _scribble(rng: np.random.Generator, region: Mask) -> Mask:
    """Draw a curved stroke between voxels of the region, kept inside it."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    inside = np.argwhere(depth >= min(2.5, float(depth.max())))
    ends = inside[rng.integers(len(inside), size=3)].astype(float)
    t = np.linspace(0, 1, 200)[:, None]
    curve = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2]
    stroke: Mask = np.zeros(region.shape, dtype=np.bool_)
    for dy in range(SCRIBBLE_THICKNESS):
        for dx in range(SCRIBBLE_THICKNESS):
            rows = np.clip(np.floor(curve[:, 0]).astype(int) + dy, 0, region.shape[0] - 1)
            columns = np.clip(np.floor(curve[:, 1]).astype(int) + dx, 0, region.shape[1] - 1)
            stroke[rows, columns] = True
    stroke &= region
    if not stroke.any():
        stroke[tuple(inside[0])] = True
    return stroke
