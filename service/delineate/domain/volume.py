"""A series as voxels: what the archive holds, in the order that the geometry gives it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import VolumeGeometry


@dataclass(frozen=True, slots=True)
class SliceSource:
    """The image that slice k comes from."""

    sop_instance_uid: str
    frame_number: int
    """Counts from 1; 1 for a single-frame instance."""


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """What a series will be as a volume, known from its headers alone.

    ``slices`` is in order of k: by position along the slice normal (row direction x column direction).
    """

    study_instance_uid: str
    series_instance_uid: str
    volume: str | None
    """The selector of the chosen volume when the series holds several, else None."""
    modality: str
    geometry: VolumeGeometry
    slices: tuple[SliceSource, ...]

    def __post_init__(self) -> None:
        if len(self.slices) != self.geometry.shape[0]:
            raise ValueError("one source image for each slice")

    @property
    def instances(self) -> tuple[str, ...]:
        """SOP Instance UIDs of the volume, each once, in order of k."""
        return tuple(dict.fromkeys(s.sop_instance_uid for s in self.slices))

    @property
    def fingerprint(self) -> str:
        """Hash of the instance set, its order and its grid: equal if and only if it is the same volume."""
        text = repr((self.geometry, self.slices))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Volume:
    """A volume with its voxels: float32, modality-rescaled, axes (k, j, i), read-only."""

    plan: VolumePlan
    voxels: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.voxels.shape != self.plan.geometry.shape or self.voxels.dtype != np.float32:
            raise ValueError("voxels are float32 of the geometry's shape")
        self.voxels.setflags(write=False)

    @property
    def geometry(self) -> VolumeGeometry:
        """The grid of the voxels."""
        return self.plan.geometry
