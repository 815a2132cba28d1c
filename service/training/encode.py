"""Prompts encoded as the unmodified nnInteractive session (2.6.0) encodes them, for training.

`SimulatedSession` keeps the prompts of one target sparsely and builds the same network inputs as
``nnInteractiveInferenceSession``: first pass, AutoZoom pass and refinement patch. What it mirrors of the package:

- channels: image, prev_seg, box or lasso (+, -), points (+, -), scribble (+, -);
- a point is a ball of radius 4 with a normalised distance transform; box, lasso and scribble are filled with ones;
- each prompt is worth 0.98 of the next one when the network sees it;
- a patch ``zoom`` times as large is resampled to the patch size: image trilinear, prev_seg, box and lasso by area,
  points and scribbles dilated first;
- outside the image everything is zero.

Axes are ``(k, j, i)``; positions and sizes are voxels; boxes are half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate, max_pool3d

Array = NDArray[np.float32]
Labels = NDArray[np.uint8]
Box = list[tuple[int, int]]

POINT_RADIUS = 4
"""Radius in voxels of the ball that encodes a point (``point_radius`` in inference_info.json)."""

INTERACTION_DECAY = 0.98
"""Worth of a prompt relative to the one after it (``interaction_decay`` in inference_info.json)."""

MAX_ZOOM = 4.0
"""Largest zoom-out factor of the session's AutoZoom."""

ZOOM_GROWTH = 1.5
"""Growth of the zoom-out factor from one AutoZoom pass to the next."""

N_CHANNELS = 8
"""Input channels of the network: the image and seven interaction channels."""

CHANNELS = {"box": 2, "lasso": 2, "point": 4, "scribble": 6}
"""Input channel of each kind of including prompt; the excluding one follows it."""

_THIN = (4, 5, 6, 7)


def point_ball() -> Array:
    """Return the ball that encodes a point: float32 ``(9, 9, 9)``, 1 at its centre."""
    from nnInteractive.interaction.point import build_point

    ball = build_point((POINT_RADIUS,) * 3, True, False)
    return np.asarray(ball.numpy(), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """One prompt as the session stores it.

    Attributes
    ----------
    channel
        Input channel of the network.
    origin
        First voxel of ``values`` in the volume; may be negative for a point near the edge.
    values
        float32 crop, at most 1.
    """

    channel: int
    origin: tuple[int, int, int]
    values: Array


def centred_box(centre: tuple[int, ...], size: list[int]) -> Box:
    """Return the box of ``size`` voxels around ``centre``, placed as the session places it."""
    return [(c - n // 2, c + n // 2 + n % 2) for c, n in zip(centre, size, strict=True)]


def crop(volume: NDArray[Any], box: Box) -> Array:
    """Cut ``box`` out of ``volume`` as float32, with zeros outside it."""
    out: Array = np.zeros([b - a for a, b in box], dtype=np.float32)
    paste(out, volume, [-a for a, _ in box])
    return out


def paste(target: NDArray[Any], source: NDArray[Any], origin: list[int]) -> None:
    """Write ``source`` into ``target`` at ``origin``, clipped to it."""
    low = [max(0, o) for o in origin]
    high = [min(t, o + s) for t, o, s in zip(target.shape, origin, source.shape, strict=True)]
    if any(b <= a for a, b in zip(low, high, strict=True)):
        return
    inner = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, origin, strict=True))
    target[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = source[inner]


def prompt_zoom(extent: list[int], patch: int) -> float:
    """Return the session's first zoom-out factor for a box, lasso or scribble of this extent in voxels."""
    return min(MAX_ZOOM, max(1.0, max((n + patch // 3) / patch for n in extent)))


def _odd(number: float) -> int:
    """Round to an odd number, as ``nnInteractive.utils.rounding`` does."""
    up, down = int(np.ceil(number)), int(np.floor(number))
    if up % 2:
        return up
    return down if down % 2 else round(number) + 1


@dataclass(slots=True)
class SimulatedSession:
    """The state that the real session would have for one target in one volume.

    Attributes
    ----------
    image
        float32 ``(K, J, I)``, z-scored.
    patch
        Edge of the network's input in voxels.
    prev_seg
        uint8 ``(K, J, I)``, 0 or 1: the segmentation so far.
    prompts
        Oldest first.
    """

    image: Array
    patch: int
    prev_seg: Labels
    prompts: list[StoredPrompt] = field(default_factory=list)

    def add_point(self, at: tuple[int, int, int], include: bool) -> None:
        """Store a point at voxel ``at``."""
        channel = CHANNELS["point"] + (not include)
        origin = (at[0] - POINT_RADIUS, at[1] - POINT_RADIUS, at[2] - POINT_RADIUS)
        self.prompts.append(StoredPrompt(channel, origin, point_ball()))

    def add_mask(self, kind: str, origin: tuple[int, int, int], values: Array, include: bool) -> None:
        """Store a box, lasso or scribble given as a crop of zeros and ones."""
        self.prompts.append(StoredPrompt(CHANNELS[kind] + (not include), origin, values))

    def network_input(self, centre: tuple[int, ...], zoom: float) -> tuple[torch.Tensor, Box]:
        """Build the input of a first or AutoZoom pass.

        Parameters
        ----------
        centre
            Voxel at the middle of the patch.
        zoom
            Zoom-out factor, 1 or more.

        Returns
        -------
        tuple
            float32 ``(8, patch, patch, patch)`` and the box of voxels that it covers.
        """
        box = centred_box(centre, [round(self.patch * zoom)] * 3)
        edge = box[0][1] - box[0][0]
        out = torch.zeros((N_CHANNELS, *[self.patch] * 3))
        if edge == self.patch:
            out[0] = torch.from_numpy(crop(self.image, box))
            out[1] = torch.from_numpy(crop(self.prev_seg, box))
            self._paint(out, box)
            return out, box
        size = [self.patch] * 3
        out[0] = interpolate(torch.from_numpy(crop(self.image, box))[None, None], size, mode="trilinear")[0, 0]
        if self.prev_seg.any():
            out[1] = shrink(torch.from_numpy(crop(self.prev_seg, box)), self.patch)
        self._paint_zoomed(out, box, _odd(zoom * 2 - 1))
        return out, box

    def _intensity(self, position: int) -> float:
        return float(INTERACTION_DECAY ** (len(self.prompts) - 1 - position))

    def _paint(self, out: torch.Tensor, box: Box) -> None:
        for position, prompt in enumerate(self.prompts):
            layer = out[prompt.channel].numpy()
            origin = [o - a for o, (a, _) in zip(prompt.origin, box, strict=True)]
            part = np.zeros_like(layer)
            paste(part, prompt.values * np.float32(self._intensity(position)), origin)
            np.maximum(layer, part, out=layer)

    def _paint_zoomed(self, out: torch.Tensor, box: Box, kernel: int) -> None:
        shape = [b - a for a, b in box]
        for channel in sorted({p.channel for p in self.prompts}):
            layer = np.zeros(shape, dtype=np.float32)
            for position, prompt in enumerate(self.prompts):
                if prompt.channel == channel:
                    part_origin = [o - a for o, (a, _) in zip(prompt.origin, box, strict=True)]
                    _paste_maximum(layer, prompt.values * np.float32(self._intensity(position)), part_origin)
            tensor = torch.from_numpy(layer)
            if channel in _THIN and kernel > 1:
                tensor = dilate(tensor, kernel)
            out[channel] = shrink(tensor, self.patch)

    def commit(self, prediction: Labels, box: Box) -> None:
        """Write a prediction of the size of ``box`` into the segmentation."""
        paste(self.prev_seg, prediction, [a for a, _ in box])


def _paste_maximum(target: Array, source: Array, origin: list[int]) -> None:
    part = crop(target, [(o, o + n) for o, n in zip(origin, source.shape, strict=True)])
    paste(target, np.maximum(part, source), origin)


def shrink(volume: torch.Tensor, patch: int) -> torch.Tensor:
    """Resample ``(K, J, I)`` by area to a cube of ``patch`` voxels."""
    return interpolate(volume[None, None], [patch] * 3, mode="area")[0, 0]


def grow(mask: torch.Tensor, edge: int) -> Labels:
    """Resample a 0/1 cube to ``edge`` voxels, as the session does with a zoomed-out prediction."""
    resized = interpolate(mask[None, None].float(), [edge] * 3, mode="trilinear")[0, 0]
    return np.asarray((resized >= 0.5).to(torch.uint8).numpy(), dtype=np.uint8)


def dilate(volume: torch.Tensor, kernel: int) -> torch.Tensor:
    """Dilate ``(K, J, I)`` by a cube of ``kernel`` voxels, one axis at a time."""
    out = volume[None, None]
    for axis in range(3):
        size = [kernel if a == axis else 1 for a in range(3)]
        out = max_pool3d(out, size, stride=1, padding=[n // 2 for n in size])
    return out[0, 0]
