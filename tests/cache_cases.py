"""Volumes for the tests of the volume cache; plans with equal names are equal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import VolumeGeometry
from delineate.domain.volume import SliceSource, VolumePlan

SHAPE = (4, 64, 64)
NBYTES = 4 * 64 * 64 * 4
"""Of a volume of that shape, bytes."""

Voxels = npt.NDArray[np.float32]


def plan_of(name: int, shape: tuple[int, int, int] = SHAPE, instances: int | None = None) -> VolumePlan:
    """Return the plan of the series ``name``; ``instances`` overrides its number of slices."""
    series = f"1.3.{name}"
    slices = tuple(SliceSource(f"{series}.{k}", 1) for k in range(instances or shape[0]))
    geometry = VolumeGeometry.from_matrix((len(slices), *shape[1:]), np.diag([3.0, 1.0, 1.0, 1.0]), "1.2.3")
    return VolumePlan("1.2", series, None, "CT", geometry, slices)


def voxels_of(plan: VolumePlan) -> Voxels:
    """Return voxels that differ from those of every other plan."""
    name = int(plan.series_instance_uid.rsplit(".", 1)[1])
    count = int(np.prod(plan.geometry.shape))
    return (np.arange(count, dtype=np.float32) + 7 * name).reshape(plan.geometry.shape)


class Fill:
    """Fills in a plan's voxels, and counts how often."""

    def __init__(self, plan: VolumePlan, during: Callable[[Voxels], None] = lambda _: None) -> None:
        self._plan = plan
        self._during = during
        self._count = itertools.count(1)
        self.calls = 0

    def __call__(self, out: Voxels) -> None:
        self.calls = next(self._count)
        self._during(out)
        out[...] = voxels_of(self._plan)


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
