"""Volumes and voxel prompts for the tests of the model's adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from delineate.domain.geometry import Box, VolumeGeometry, VoxelIndex
from delineate.domain.labelmap import Labelmap, Region
from delineate.domain.ports import Engine, SegmentHistory, StepOutcome
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelPrompt, VoxelStroke
from delineate.domain.volume import SliceSource, Volume, VolumePlan

Kind = Literal["point", "box", "scribble", "lasso"]
KINDS: tuple[Kind, ...] = ("point", "box", "scribble", "lasso")
Index = tuple[int, int, int]


def make_volume(voxels: npt.NDArray[np.float32], name: str = "1.2.3") -> Volume:
    """Wrap voxels (k, j, i) as an axial volume of 1 mm."""
    k, j, i = voxels.shape
    geometry = VolumeGeometry.from_matrix((k, j, i), np.eye(4)[[2, 1, 0, 3]], "1.2.3.4")
    slices = tuple(SliceSource(f"{name}.{n}", 1) for n in range(k))
    return Volume(VolumePlan("1.2", name, None, "CT", geometry, slices), np.array(voxels, dtype=np.float32))


def scene(shape: Index, blobs: Sequence[tuple[Index, float]], seed: int = 1) -> Volume:
    """Draw bright balls (centre, radius) in smooth noise."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.standard_normal(shape), 1.5) * 2.0
    grid = np.indices(shape)
    for centre, radius in blobs:
        distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)))
        image += 3.0 / (1.0 + np.exp((distance - radius) / 1.5))
    return make_volume((image * 100).astype(np.float32), f"1.2.3.{seed}")


def elongated(shape: Index, radii: tuple[float, float, float], seed: int = 1) -> Volume:
    """Draw a bright ellipsoid in the middle of smooth noise."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.standard_normal(shape), 1.5) * 2.0
    parts = [((g - n // 2) / r) ** 2 for g, n, r in zip(np.indices(shape), shape, radii, strict=True)]
    image += 3.0 / (1.0 + np.exp((np.sqrt(sum(parts)) - 1.0) * 10.0))
    return make_volume((image * 100).astype(np.float32), f"1.2.4.{seed}")


def prompt(kind: Kind, at: Index, axis: int, *, include: bool, size: int = 12) -> VoxelPrompt:
    """Draw a prompt around a voxel, on the slice across ``axis``."""
    if kind == "point":
        return VoxelPoint(VoxelIndex(*at), include)
    start = [n - size // 2 for n in at]
    stop = [n + size // 2 + 1 for n in at]
    start[axis], stop[axis] = at[axis], at[axis] + 1
    box = Box.from_bounds(list(zip(start, stop, strict=True)))
    if kind == "box":
        return VoxelBox(box, include)
    plane = np.zeros([n for a, n in enumerate(box.shape) if a != axis], dtype=np.bool_)
    rows, columns = np.indices(plane.shape)
    if kind == "scribble":
        plane[np.abs(rows - columns) < 2] = True
    else:
        middle = size / 2
        plane[(rows - middle) ** 2 + (columns - middle) ** 2 <= middle**2] = True
    return VoxelStroke(kind, Region(box, np.expand_dims(plane, axis)), include)


def mixed_prompts(count: int, shape: Index, seed: int = 3) -> list[VoxelPrompt]:
    """Draw prompts of every kind, on every axis, include and exclude, all over a volume."""
    rng = np.random.default_rng(seed)
    prompts: list[VoxelPrompt] = []
    for number in range(count):
        k, j, i = (int(rng.integers(8, n - 8)) for n in shape)
        kind = KINDS[number % len(KINDS)]
        prompts.append(prompt(kind, (k, j, i), int(rng.integers(3)), include=bool(rng.random() < 0.7)))
    return prompts


def never() -> bool:
    """Cancel nothing."""
    return False


class Steps:
    """Runs one prompt after the other on an engine, and keeps each level's history."""

    def __init__(self, engine: Engine, shape: Index, name: str = "a") -> None:
        self.engine = engine
        self.name = name
        self.histories = [SegmentHistory(f"{name}0", Labelmap(shape))]
        self.outcomes: list[StepOutcome] = []

    @property
    def labelmap(self) -> Labelmap:
        """The newest."""
        return self.histories[-1].labelmap

    def add(self, *prompts: VoxelPrompt, seed: int = 7) -> Labelmap:
        """Run one step and return its labelmap."""
        history = self.histories[-1]
        state = f"{self.name}{len(self.histories)}"
        outcome = self.engine.run(history, prompts, state=state, seed=seed, cancelled=never)
        self.outcomes.append(outcome)
        after = history.labelmap.apply(outcome.change)
        self.histories.append(SegmentHistory(state, after, (*history.prompts, *prompts)))
        return after
