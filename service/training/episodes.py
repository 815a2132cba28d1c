"""Training samples: whole interactions with one object, step by step, as the session would see them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from training.encode import MAX_ZOOM, ZOOM_GROWTH, Box, SimulatedSession, centred_box, crop, grow, prompt_zoom, shrink
from training.prompting import KINDS, DrawnPrompt, Mask, Voxel, draw_prompt, middle_near, random_voxel
from training.synthetic import Scene, make_scene

BORDER_VOXELS = 100
"""An object that covers more voxels of a face of the patch than this makes AutoZoom look at a larger patch."""

MIN_ERROR_VOXELS = 3
"""Smaller errors are not corrected. Clicks on small errors are needed: they teach to keep what was right."""

CORRECTION_WEIGHT = 5.0
"""Weight in the loss of the voxels within 8 input voxels of a corrective prompt."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One training step.

    Attributes
    ----------
    inputs
        float32 ``(8, P, P, P)``.
    target
        int64 ``(P, P, P)``, 0 or 1.
    weight
        float32 ``(P, P, P)``: higher near a corrective prompt.
    step
        ``first``, ``zoomed``, ``refine`` or ``correct``.
    """

    inputs: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    step: str


Episode = Generator[Sample, NDArray[np.uint8], None]


class ScenePool:
    """Scenes kept in memory and renewed a little at a time."""

    def __init__(self, rng: np.random.Generator, size: int, patch: int) -> None:
        self._rng = rng
        self.patch = patch
        self._scenes = [self._new() for _ in range(size)]

    def renew(self) -> None:
        """Replace one scene."""
        self._scenes[int(self._rng.integers(len(self._scenes)))] = self._new()

    def draw(self) -> Scene:
        """Return a scene in a random orientation."""
        scene = self._scenes[int(self._rng.integers(len(self._scenes)))]
        order = self._rng.permutation(3)
        flips = tuple(slice(None, None, -1 if self._rng.random() < 0.5 else 1) for _ in range(3))
        image = scene.image.transpose(order)[flips]
        return Scene(image, scene.labels.transpose(order)[flips], scene.targets)

    def _new(self) -> Scene:
        while True:
            scene = make_scene(self._rng, random_shape(self._rng, self.patch))
            if scene.targets:
                return Scene(normalised(scene.image), scene.labels, scene.targets)


def random_shape(rng: np.random.Generator, patch: int) -> tuple[int, int, int]:
    """Draw the size of a volume: mostly near the patch size, sometimes as large as a real series."""
    if rng.random() < 0.12:
        j = int(rng.integers(2 * patch, 256 * patch // 96))
        return int(rng.integers(patch, 150 * patch // 96)), j, j
    k, j, i = rng.integers(int(0.5 * patch), int(1.6 * patch), 3)
    return int(k), int(j), int(i)


def normalised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the z-scored image, over its box of nonzero voxels, as the session computes it."""
    inside = ndimage.find_objects((image != 0).astype(np.uint8))[0]
    part = image[inside]
    return np.asarray((image - part.mean()) / part.std(), dtype=np.float32)


def target_mask(labels: NDArray[np.uint8], number: int) -> Mask:
    """Return the largest connected piece of one object: bool, the shape of ``labels``."""
    same = labels == number
    where = ndimage.find_objects(same.astype(np.uint8))[0]
    parts, count = ndimage.label(same[where])
    out: Mask = np.zeros(labels.shape, dtype=np.bool_)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    out[where] = parts == sizes.argmax()
    return out


def remember(session: SimulatedSession, prompt: DrawnPrompt, include: bool) -> None:
    """Give ``prompt`` to the session."""
    if prompt.kind == "point":
        session.add_point(prompt.at, include)
    else:
        session.add_mask(prompt.kind, prompt.origin, prompt.values, include)


def first_zoom(prompt: DrawnPrompt, patch: int) -> float:
    """Return the zoom-out factor of the session's first pass for ``prompt``."""
    return 1.0 if prompt.kind == "point" else prompt_zoom([b - a for a, b in prompt.filled], patch)


def reaches_border(mask: Mask, box: Box) -> bool:
    """Tell whether the object covers much of a face of ``box`` inside the image."""
    scale = ((box[0][1] - box[0][0]) / 96) ** 2
    for axis, (low, high) in enumerate(box):
        for face in (low, high - 1):
            if not 0 <= face < mask.shape[axis]:
                continue
            where = [slice(max(0, a), max(0, b)) for a, b in box]
            where[axis] = slice(face, face + 1)
            if np.count_nonzero(mask[tuple(where)]) > BORDER_VOXELS * scale:
                return True
    return False


def make_episode(rng: np.random.Generator, scene: Scene, patch: int, corrections: float) -> Episode:
    """Interact with one object of a scene.

    Parameters
    ----------
    rng
        Source of randomness.
    scene
        A normalised scene.
    patch
        Edge of the network's input in voxels.
    corrections
        Mean number of corrective prompts after the first.

    Yields
    ------
    Sample
        The next step; send its prediction, uint8 ``(P, P, P)``, to get the one after it.
    """
    mask = target_mask(scene.labels, int(rng.choice(scene.targets)))
    session = SimulatedSession(scene.image, patch, np.zeros(mask.shape, dtype=np.uint8))
    if rng.random() < 0.12:
        session.prev_seg[...] = _spoil(rng, mask)
    else:
        prompt = _prompt_for(rng, mask, None)
        if prompt is None:
            return
        remember(session, prompt, include=True)
        yield from _predict(rng, session, mask, prompt, corrective=False)
    for _ in range(min(5, int(rng.poisson(corrections)))):
        error = session.prev_seg.astype(np.bool_) != mask
        if np.count_nonzero(error) < MIN_ERROR_VOXELS:
            return
        prompt, include = _correction(rng, mask, error)
        remember(session, prompt, include)
        yield from _predict(rng, session, mask, prompt, corrective=True)


def _spoil(rng: np.random.Generator, mask: Mask) -> Mask:
    """Return a wrong segmentation of ``mask``: grown, shrunk, cut off or with a ball added."""
    out = mask.copy()
    kind = int(rng.integers(4))
    if kind == 0:
        out = ndimage.binary_dilation(mask, iterations=int(rng.integers(1, 5)))
    elif kind == 1:
        out = ndimage.binary_erosion(mask, iterations=int(rng.integers(1, 4)))
    else:
        at = random_voxel(rng, mask) or (0, 0, 0)
        radius = float(rng.uniform(4, 20))
        box = centred_box(at, [int(2 * radius)] * 3)
        where = tuple(slice(max(0, a), b) for a, b in box)
        d = [((np.arange(s.start, min(s.stop, n)) - a) ** 2) for s, n, a in zip(where, mask.shape, at, strict=True)]
        ball = d[0][:, None, None] + d[1][None, :, None] + d[2][None, None, :] < radius**2
        out[where] = np.where(ball, kind == 2, out[where])
    return np.asarray(out, dtype=np.bool_)


def _prompt_for(rng: np.random.Generator, mask: Mask, kind: str | None) -> DrawnPrompt | None:
    """Draw a first prompt on the object; None when the object is empty."""
    at = random_voxel(rng, mask)
    if at is None:
        return None
    kind = kind or str(rng.choice(KINDS, p=[0.4, 0.2, 0.2, 0.2]))
    if rng.random() < 0.6:
        at = middle_near(mask, at)
    return draw_prompt(rng, kind, mask, at, _slice_axis(rng))


def _slice_axis(rng: np.random.Generator) -> int:
    return int(rng.integers(3))


def _correction(rng: np.random.Generator, mask: Mask, error: Mask) -> tuple[DrawnPrompt, bool]:
    """Draw a prompt on a wrong voxel's region, including it when it belongs to the object."""
    at = random_voxel(rng, error) or (0, 0, 0)
    include = bool(mask[at])
    region = error & (mask if include else ~mask)
    if rng.random() < 0.85:
        at = middle_near(region, at)
    kind = str(rng.choice(KINDS, p=[0.7, 0.07, 0.16, 0.07]))
    if kind in ("box", "lasso") and include:
        region = mask
    return draw_prompt(rng, kind, region, at, _slice_axis(rng)), include


def _predict(
    rng: np.random.Generator, session: SimulatedSession, mask: Mask, prompt: DrawnPrompt, *, corrective: bool
) -> Episode:
    """Run the session's passes for one prompt: first, maybe zoomed out, then refinement."""
    centre = prompt.centre
    zoom = first_zoom(prompt, session.patch)
    looked = zoom
    while zoom < MAX_ZOOM:
        box = centred_box(centre, [round(session.patch * zoom)] * 3)
        changed = mask if not corrective else np.asarray(mask != session.prev_seg.astype(np.bool_))
        if not reaches_border(changed, box) or (corrective and rng.random() < 0.5):
            break
        looked, zoom = zoom, min(MAX_ZOOM, zoom * ZOOM_GROWTH)
    if zoom > looked and rng.random() < 0.35:
        yield _sample(session, mask, centre, looked, prompt, "first", corrective)
    step = "correct" if corrective else ("first" if zoom == 1.0 else "zoomed")
    sample, box = _sample_and_box(session, mask, centre, zoom, prompt, step, corrective)
    prediction = yield sample
    edge = box[0][1] - box[0][0]
    if edge == session.patch:
        session.commit(prediction, box)
        return
    coarse = grow(torch.from_numpy(prediction), edge)
    session.commit(coarse, box)
    for _ in range(1 + (rng.random() < 0.4)):
        at = random_voxel(rng, session.prev_seg.astype(np.bool_) if rng.random() < 0.7 else mask)
        if at is None:
            return
        sample, box = _sample_and_box(session, mask, at, 1.0, prompt, "refine", corrective)
        prediction = yield sample
        session.commit(prediction, box)


def _sample(
    session: SimulatedSession, mask: Mask, centre: Voxel, zoom: float, prompt: DrawnPrompt, step: str, corrective: bool
) -> Sample:
    return _sample_and_box(session, mask, centre, zoom, prompt, step, corrective)[0]


def _sample_and_box(
    session: SimulatedSession, mask: Mask, centre: Voxel, zoom: float, prompt: DrawnPrompt, step: str, corrective: bool
) -> tuple[Sample, Box]:
    """Build the network's input, what it should answer and how much each voxel counts."""
    inputs, box = session.network_input(centre, zoom)
    wanted = torch.from_numpy(crop(mask, box))
    if wanted.shape[0] != session.patch:
        wanted = shrink(wanted, session.patch)
    weight = torch.ones_like(wanted)
    if corrective:
        scale = (box[0][1] - box[0][0]) / session.patch
        where = tuple(
            slice(max(0, int((a - low) / scale) - 8), max(0, int((a - low) / scale) + 9))
            for a, (low, _) in zip(prompt.at, box, strict=True)
        )
        weight[where] = CORRECTION_WEIGHT
    return Sample(inputs, (wanted >= 0.5).long(), weight, step), box
