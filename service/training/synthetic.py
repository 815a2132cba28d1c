"""Synthetic volumes: simple shapes in a textured, noisy, unevenly lit background.

Every volume is drawn by this module from a seed; no patient data and no other model's output is involved.
Axes are ``(k, j, i)`` throughout and lengths are voxels: the model is trained in voxel space, without spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_OBJECT_VOXELS = 250
"""Smaller remains of an object (after others were drawn over it) are not offered as targets."""

NOISE_SMOOTHING = (0.4, 0.9)
"""Range of the Gaussian sigma, in voxels, that correlates the noise of neighbouring voxels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One synthetic volume with the objects drawn into it.

    Attributes
    ----------
    image
        float32 ``(K, J, I)``, arbitrary units, not normalised.
    labels
        uint8 ``(K, J, I)``; 0 is background, otherwise the number of the topmost object.
    targets
        Object numbers that are large and visible enough to be asked for.
    """

    image: Float
    labels: NDArray[np.uint8]
    targets: tuple[int, ...]


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], cell: float) -> Float:
    """Draw a smooth random field.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Voxels along each axis.
    cell
        Correlation length in voxels.

    Returns
    -------
    Float
        float32 of ``shape``, about zero mean and unit standard deviation.
    """
    grid = [max(2, int(np.ceil(n / cell)) + 1) for n in shape]
    field = rng.standard_normal(grid).astype(np.float32)
    for axis, n in enumerate(shape):
        at = np.linspace(0, field.shape[axis] - 1, n, dtype=np.float32)
        low = np.minimum(at.astype(np.intp), field.shape[axis] - 2)
        t = at - low
        t = (t * t * (3 - 2 * t)).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        first, second = np.take(field, low, axis), np.take(field, low + 1, axis)
        field = first + (second - first) * t
    return np.asarray(field * np.float32(1.4), dtype=np.float32)


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray(q * np.sign(np.diag(r)), dtype=np.float64)


def _superellipsoid(rng: np.random.Generator, radii: NDArray[np.float64], squash: NDArray[np.float64]) -> Mask:
    """Draw an ellipsoid, rounded box or blob into a box just large enough for it."""
    kind = rng.choice(["ellipsoid", "box", "blob"], p=[0.35, 0.25, 0.4])
    power = {"ellipsoid": 2.0, "box": float(rng.uniform(5, 14)), "blob": 2.0}[str(kind)]
    rotation = _rotation(rng) if rng.random() < 0.7 else np.eye(3)
    reach = np.linalg.norm(radii) if kind == "box" else radii.max() * (1.4 if kind == "blob" else 1.0)
    half = np.ceil(reach / squash).astype(int) + 1
    axes = [np.arange(-h, h + 1, dtype=np.float32) * np.float32(s) for h, s in zip(half, squash, strict=True)]
    total: Float = np.zeros([2 * h + 1 for h in half], dtype=np.float32)
    for row in rotation / radii[:, None]:
        a, b, c = (np.float32(v) for v in row)
        u = a * axes[0][:, None, None] + b * axes[1][None, :, None] + c * axes[2][None, None, :]
        total += u * u if power == 2.0 else np.abs(u) ** np.float32(power)
    if kind == "blob":
        bumps = smooth_field(rng, total.shape, cell=max(3.0, float(radii.mean() * rng.uniform(0.5, 1.0))))
        return np.asarray(np.sqrt(total) + np.float32(rng.uniform(0.1, 0.3)) * bumps < 1)
    return np.asarray(total < 1)


def _tube(rng: np.random.Generator, radius: float, length: float, squash: NDArray[np.float64]) -> Mask:
    """Draw a curved tube of nearly constant radius."""
    count = max(8, int(length / max(1.0, radius * 0.5)))
    turn = np.cumsum(rng.standard_normal((count, 3)) * 0.25, axis=0) + rng.standard_normal(3) * 1.5
    turn /= np.linalg.norm(turn, axis=1, keepdims=True) + 1e-6
    path = np.cumsum(turn * (length / count), axis=0) / squash
    path -= path.min(axis=0)
    pad = np.ceil(radius * 1.3 / squash).astype(int) + 1
    size = np.ceil(path.max(axis=0)).astype(int) + 2 * pad + 1
    mask: Mask = np.zeros(size, dtype=np.bool_)
    for step, point in enumerate(path + pad):
        r = radius * (1 + 0.2 * np.sin(step * 0.3))
        low = np.floor(point - r / squash).astype(int)
        high = np.ceil(point + r / squash).astype(int) + 1
        d = [((np.arange(a, b) - p) * s) ** 2 for a, b, p, s in zip(low, high, point, squash, strict=True)]
        ball = d[0][:, None, None] + d[1][None, :, None] + d[2][None, None, :] <= r * r
        mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] |= ball
    return mask


def _place(shape: tuple[int, ...], mask: Mask, centre: NDArray[np.float64]) -> tuple[tuple[slice, ...], Mask] | None:
    """Clip ``mask``, centred at ``centre``, to the volume."""
    low = np.round(centre).astype(int) - np.array(mask.shape) // 2
    start = np.maximum(low, 0)
    stop = np.minimum(low + mask.shape, shape)
    if np.any(stop <= start):
        return None
    inner = mask[tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))]
    return tuple(slice(a, b) for a, b in zip(start, stop, strict=True)), inner


def _draw_object(rng: np.random.Generator, largest: float, squash: NDArray[np.float64]) -> Mask:
    size = float(np.exp(rng.uniform(np.log(5.0), np.log(largest))))
    if rng.random() < 0.2:
        return _tube(
            rng, radius=float(np.clip(size * 0.3, 2.5, 12)), length=float(size * rng.uniform(3, 6)), squash=squash
        )
    radii = size * rng.uniform(0.55, 1.2, 3)
    return _superellipsoid(rng, radii, squash)


def _contrast(rng: np.random.Generator) -> float:
    """Draw a signed contrast in units of the background's tissue variation."""
    return float(rng.choice([-1.0, 1.0]) * np.exp(rng.uniform(np.log(1.0), np.log(4.0))))


def make_scene(rng: np.random.Generator, shape: tuple[int, int, int], largest: float | None = None) -> Scene:
    """Draw one volume with several objects.

    Parameters
    ----------
    rng
        Source of randomness; the same state gives the same volume.
    shape
        Voxels along ``(k, j, i)``.
    largest
        Largest object size in voxels (about half its diameter); default a third of the middle axis.

    Returns
    -------
    Scene
        The image, the label volume and the objects that can be targets.
    """
    largest = largest or float(np.clip(sorted(shape)[1] * 0.3, 9.0, 60.0))
    squash = np.ones(3)
    if rng.random() < 0.3:
        squash[int(rng.integers(3))] = rng.uniform(1.5, 3.5)
    image: Float = np.zeros(shape, dtype=np.float32)
    labels: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)
    if rng.random() < 0.5:
        image += np.float32(rng.uniform(0.1, 0.5)) * smooth_field(rng, shape, cell=float(rng.uniform(10, 40)))
    air = _add_body(rng, image) if rng.random() < 0.35 else None
    shared = _contrast(rng)
    for number in range(1, int(rng.integers(2, 9)) + 1):
        value = shared + rng.normal() * 0.1 if rng.random() < 0.4 else _contrast(rng)
        _add_object(rng, image, labels, number, largest, squash, value)
    if air is not None:
        labels[air] = 0
    image = _acquire(rng, image, air)
    counts = np.bincount(labels.ravel(), minlength=16)
    targets = tuple(int(n) for n in np.flatnonzero(counts) if n and counts[n] >= MIN_OBJECT_VOXELS)
    return Scene(image, labels, targets)


def _add_body(rng: np.random.Generator, image: Float) -> Mask:
    """Cut a large ellipsoid out of the image and return what lies outside it."""
    shape = image.shape
    radii = np.array(shape) * rng.uniform(0.42, 0.6, 3)
    axes = [((np.arange(n) - (n - 1) / 2) / r) ** 2 for n, r in zip(shape, radii, strict=True)]
    distance = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
    return np.asarray(distance > 1)


def _add_object(
    rng: np.random.Generator,
    image: Float,
    labels: NDArray[np.uint8],
    number: int,
    largest: float,
    squash: NDArray[np.float64],
    value: float,
) -> None:
    """Draw object ``number`` over the others, at random or inside one of them."""
    shape = image.shape
    centre = rng.uniform(0.08, 0.92, 3) * shape
    mask = _draw_object(rng, largest, squash)
    placed = _place(shape, mask, centre)
    if placed is None:
        return
    where, inner = placed
    covered = labels[where]
    if rng.random() < 0.5:
        inner = inner & (covered == 0)
    if np.any(covered[inner]):
        value = _contrast(rng)
    region = image[where]
    under = float(region[inner].mean()) if inner.any() else 0.0
    level = value if abs(value - under) > 0.6 else under + np.copysign(1.0, value)
    texture: Float | np.float32 = np.float32(0.0)
    if rng.random() < 0.4:
        texture = np.float32(rng.uniform(0.05, 0.3)) * smooth_field(rng, inner.shape, cell=float(rng.uniform(4, 20)))
    region[inner] = (np.broadcast_to(np.float32(level) + texture, inner.shape))[inner]
    covered[inner] = number


def _acquire(rng: np.random.Generator, image: Float, air: Mask | None) -> Float:
    """Blur, light unevenly, add noise and rescale, as a scanner might."""
    if air is not None:
        image[air] = np.float32(image.min() - rng.uniform(0.5, 3.0))
    image = ndimage.gaussian_filter(image, float(rng.uniform(0.4, 1.1)), truncate=2.5)
    if rng.random() < 0.5:
        field = smooth_field(rng, image.shape, cell=float(max(image.shape) * rng.uniform(0.4, 1.0)))
        image += np.float32(rng.uniform(0.05, 0.35)) * field
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.5:
        sigma = float(rng.uniform(*NOISE_SMOOTHING))
        noise = ndimage.gaussian_filter(noise, sigma, truncate=2.0)
        noise /= noise[::4, ::4, ::4].std()
    image += np.float32(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))) * noise
    if air is not None and rng.random() < 0.6:
        image[air] = image[air].mean()
    return np.asarray(image * rng.uniform(20, 400) + rng.uniform(-500, 1500), dtype=np.float32)
