"""The demo model's network: a small U-Net that is also shown which voxels look like the prompted ones.

nnInteractive's session builds it from plans.json. It is a plain convolutional U-Net whose input is widened by features
computed from the input itself: the intensity under the prompts, how similar each voxel is to it, and what a region
grown from the prompts through similar voxels would reach. The segmentation so far is added to the answer as a prior. A
model of this size learns from such features in minutes on a CPU what it would otherwise need days for.
"""

from __future__ import annotations

from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch.nn.functional import avg_pool3d, interpolate, max_pool3d

EXTRA_CHANNELS = 10
"""Features added to the session's eight input channels."""

NEWEST = 40.0
"""Power that singles out the newest prompt: one prompt older is worth 0.98 of it, so 0.45 after this power."""

NARROW, MIDDLE, WIDE = 0.15, 0.3, 0.5
"""Widths of similarity in units of the image's standard deviation."""

COARSE_STEPS, FINE_STEPS = 16, 4
"""Steps of region growing at a quarter and at half of the resolution: about 72 voxels together."""

REACH_STEPS, REACH_DECAY, REACH_EDGE = 20, 0.95, 0.6
"""Steps of a prompt's reach at a quarter of the resolution, its loss per step, and the edge that stops it."""

NEAR_STEPS, NEAR_DECAY = 8, 0.75
"""Steps at a quarter of the resolution, and loss per step, of the nearness of the newest prompt."""

CORE_SIZE = 5
"""Edge, at half of the resolution, of the mean, taken twice, that finds the middle of a box or lasso."""

_EPS = 1e-12


def _mean(weight: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of the image, ``(N, 1, 1, 1, 1)``; 0 without any weight."""
    axes = (2, 3, 4)
    return (weight * image).sum(axes, keepdim=True) / (weight.sum(axes, keepdim=True) + _EPS)


def _any(weight: torch.Tensor) -> torch.Tensor:
    """Return 1 where a sample has any weight, else 0, ``(N, 1, 1, 1, 1)``."""
    return (weight.amax((2, 3, 4), keepdim=True) > 0).to(weight.dtype)


def _similar(image: torch.Tensor, mean: torch.Tensor, width: float) -> torch.Tensor:
    return torch.exp(-((image - mean) ** 2) / (2 * width * width))


def _middle(flat: torch.Tensor) -> torch.Tensor:
    """Weigh the voxels of boxes and lassos, ``(N, 1, P, P, P)``, by how far they lie from the outline, 0 to 1."""
    half = max_pool3d(flat, 2)
    core = half
    for _ in range(2):
        for axis in range(3):
            size = [CORE_SIZE if a == axis else 1 for a in range(3)]
            core = avg_pool3d(core, size, 1, [n // 2 for n in size])
    core = core * half
    weight = (core / core.amax((2, 3, 4), keepdim=True).clamp_min(_EPS)) ** 8
    return interpolate(weight, scale_factor=2.0, mode="nearest")


def _newest(thin: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """Weigh voxels by how new the prompt on them is, points and scribbles far above boxes and lassos."""
    peak = thin.amax((1, 2, 3, 4), keepdim=True).clamp_min(_EPS)
    plane = flat.amax((2, 3, 4), keepdim=True).clamp_min(_EPS)
    return (thin.amax(1, keepdim=True) / peak) ** NEWEST + 1e-3 * (flat / plane) ** NEWEST * _middle(flat)


def _dilate(region: torch.Tensor) -> torch.Tensor:
    """Return the maximum over each voxel's 3x3x3 neighbours, one axis at a time (far faster than ``max_pool3d``)."""
    for axis in (2, 3, 4):
        n = region.shape[axis] - 1
        wider = region.clone()
        torch.maximum(wider.narrow(axis, 1, n), region.narrow(axis, 0, n), out=wider.narrow(axis, 1, n))
        torch.maximum(wider.narrow(axis, 0, n), region.narrow(axis, 1, n), out=wider.narrow(axis, 0, n))
        region = wider
    return region


def _smooth(image: torch.Tensor) -> torch.Tensor:
    """Return the mean over each voxel's 3x3x3 neighbours inside the patch."""
    for size in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        padding = (size[0] // 2, size[1] // 2, size[2] // 2)
        image = avg_pool3d(image, size, 1, padding, count_include_pad=False)
    return image


def _grow(seeds: torch.Tensor, image: torch.Tensor, means: torch.Tensor, widths: torch.Tensor) -> torch.Tensor:
    """Grow regions from seeds through similar voxels, coarse to fine.

    Parameters
    ----------
    seeds
        ``(N, C, P/2, P/2, P/2)``, 0 to 1.
    image
        ``(N, 1, P, P, P)``.
    means, widths
        The intensity and the width of similarity of each region: ``(N, C, 1, 1, 1)`` and ``(1, C, 1, 1, 1)``.

    Returns
    -------
    torch.Tensor
        ``(N, C, P, P, P)``: the least similarity on the best path from a seed.
    """
    half, quarter = avg_pool3d(image, 2), avg_pool3d(image, 4)
    fine = torch.exp(-((half - means) ** 2) / (2 * widths**2))
    coarse = torch.exp(-((quarter - means) ** 2) / (2 * widths**2))
    region = torch.minimum(max_pool3d(seeds, 2), coarse)
    for _ in range(COARSE_STEPS):
        region = torch.minimum(_dilate(region), coarse)
    region = torch.maximum(interpolate(region, scale_factor=2.0, mode="nearest"), seeds)
    region = torch.minimum(region, fine)
    for _ in range(FINE_STEPS):
        region = torch.minimum(_dilate(region), fine)
    return interpolate(region, scale_factor=2.0, mode="trilinear")


def _reach(seeds: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Let prompts reach through the image, losing strength with distance and at edges.

    Parameters
    ----------
    seeds
        ``(N, C, P, P, P)``, 0 to 1.
    image
        ``(N, 1, P, P, P)``.

    Returns
    -------
    torch.Tensor
        ``(N, C, P, P, P)``, 0 to 1.
    """
    quarter = avg_pool3d(image, 4)
    edge = _dilate(quarter) + _dilate(-quarter)
    kept = REACH_DECAY * torch.exp(-((edge / REACH_EDGE) ** 2))
    region = max_pool3d(seeds, 4)
    for _ in range(REACH_STEPS):
        region = torch.maximum(region, _dilate(region) * kept)
    return interpolate(region, scale_factor=4.0, mode="trilinear")


def _near(newest: torch.Tensor) -> torch.Tensor:
    """Return how near the newest prompt is, 1 to 0, for seeds ``(N, C, P, P, P)``."""
    region = max_pool3d(newest, 4)
    for _ in range(NEAR_STEPS):
        region = torch.maximum(region, _dilate(region) * NEAR_DECAY)
    return interpolate(region, scale_factor=4.0, mode="trilinear")


@torch.no_grad()
def prompt_features(inputs: torch.Tensor) -> torch.Tensor:
    """Compute what the prompts say about intensities.

    Parameters
    ----------
    inputs
        ``(N, 8, P, P, P)``: image, prev_seg, then box or lasso, points and scribbles, each including and excluding.

    Returns
    -------
    torch.Tensor
        ``(N, 10, P, P, P)``.
    """
    inputs = inputs.float().contiguous()
    image, before = inputs[:, 0:1], inputs[:, 1:2]
    smooth = _smooth(image)
    either = torch.maximum(torch.maximum(inputs[:, 2:4], inputs[:, 4:6]), inputs[:, 6:8])
    wanted = _newest(inputs[:, [4, 6]], inputs[:, 2:3])
    wanted = torch.where(_any(wanted) > 0, wanted, before)
    unwanted = _newest(inputs[:, [5, 7]], inputs[:, 3:4])
    newest, excluded = _mean(wanted, smooth), _mean(unwanted, smooth)
    every = _mean(either[:, 0:1] ** 2 + 1e-6 * before, smooth)
    seen, seen_before = _any(wanted), _any(before)
    seeds = max_pool3d((torch.cat((wanted, unwanted), 1) * 1e3).clamp(0, 1), 2)
    grown = _grow(
        seeds[:, [0, 0, 1]],
        image,
        torch.cat((newest, newest, excluded), 1),
        torch.tensor([NARROW, WIDE, MIDDLE], device=inputs.device).view(1, 3, 1, 1, 1),
    )
    latest = (either / either.amax((1, 2, 3, 4), keepdim=True).clamp_min(_EPS)) ** NEWEST
    near = _near(latest)
    return torch.cat(
        (
            (image - newest).clamp(-2, 2) * seen,
            _similar(smooth, newest, MIDDLE) * seen,
            _similar(smooth, every, MIDDLE) * seen,
            _similar(smooth, _mean(before, smooth), MIDDLE) * seen_before,
            grown,
            _reach(either.clamp(0, 1), image),
            near[:, 0:1] - near[:, 1:2],
        ),
        1,
    )


class PromptedUNet(PlainConvUNet):  # type: ignore[misc]
    """A plain U-Net on the session's input and `prompt_features`.

    Parameters
    ----------
    input_channels
        Of the session's input: 8.
    *args, **kwargs
        As for ``PlainConvUNet``.
    """

    def __init__(self, input_channels: int, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(input_channels + EXTRA_CHANNELS, *args, **kwargs)
        self.prior = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 8, P, P, P)`` to logits ``(N, 2, P, P, P)``."""
        features = prompt_features(x).to(x.dtype)
        logits: torch.Tensor = super().forward(torch.cat((x, features), 1))
        before = x[:, 1:2]
        prior = self.prior * (2 * before - 1) * _any(before)
        return logits + torch.cat((-prior, prior), 1)
