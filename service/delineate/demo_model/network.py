"""The demo model's network: a small U-Net that is also shown which voxels look like the prompted ones.

nnInteractive's session builds it from plans.json. It is a plain convolutional U-Net whose input is widened by features
computed from the input itself: the intensity under the prompts, how similar each voxel is to it, and what a region
grown from the prompts through similar voxels would reach. A model of this size learns from such features in minutes on
a CPU what it would otherwise need days for.
"""

from __future__ import annotations

from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch.nn.functional import avg_pool3d, interpolate, max_pool3d

EXTRA_CHANNELS = 7
"""Features added to the session's eight input channels."""

NEWEST = 40.0
"""Power that singles out the newest prompt: one prompt older is worth 0.98 of it, so 0.45 after this power."""

NARROW, MIDDLE, WIDE = 0.15, 0.3, 0.5
"""Widths of similarity in units of the image's standard deviation."""

COARSE_STEPS, FINE_STEPS = 16, 4
"""Steps of region growing at a quarter and at half of the resolution: about 72 voxels together."""

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


def _newest(thin: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """Weigh voxels by how new the prompt on them is, points and scribbles far above boxes and lassos."""
    peak = thin.amax((1, 2, 3, 4), keepdim=True).clamp_min(_EPS)
    plane = flat.amax((2, 3, 4), keepdim=True).clamp_min(_EPS)
    return (thin.amax(1, keepdim=True) / peak) ** NEWEST + 1e-3 * (flat / plane) ** NEWEST


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
        ``(N, 7, P, P, P)``.
    """
    inputs = inputs.float().contiguous()
    image, before = inputs[:, 0:1], inputs[:, 1:2]
    smooth = _smooth(image)
    wanted = _newest(inputs[:, [4, 6]], inputs[:, 2:3])
    wanted = torch.where(_any(wanted) > 0, wanted, before)
    unwanted = _newest(inputs[:, [5, 7]], inputs[:, 3:4])
    newest, excluded = _mean(wanted, smooth), _mean(unwanted, smooth)
    every = _mean(inputs[:, [2, 4, 6]].amax(1, keepdim=True) ** 2 + 1e-6 * before, smooth)
    seen, seen_before = _any(wanted), _any(before)
    seeds = max_pool3d((torch.cat((wanted, unwanted), 1) * 1e3).clamp(0, 1), 2)
    grown = _grow(
        seeds[:, [0, 0, 1]],
        image,
        torch.cat((newest, newest, excluded), 1),
        torch.tensor([NARROW, WIDE, MIDDLE], device=inputs.device).view(1, 3, 1, 1, 1),
    )
    return torch.cat(
        (
            (image - newest).clamp(-2, 2) * seen,
            _similar(smooth, newest, MIDDLE) * seen,
            _similar(smooth, every, MIDDLE) * seen,
            _similar(smooth, _mean(before, smooth), MIDDLE) * seen_before,
            grown,
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

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 8, P, P, P)`` to logits ``(N, 2, P, P, P)``."""
        features = prompt_features(x).to(x.dtype)
        logits: torch.Tensor = super().forward(torch.cat((x, features), 1))
        return logits
