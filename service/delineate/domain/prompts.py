"""What a user draws (in the patient) and what it is in voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from delineate.domain.errors import PromptMalformed
from delineate.domain.geometry import Box, PatientPoint, VoxelIndex
from delineate.domain.labelmap import PackedRegion, Region

PromptKind = Literal["point", "box", "scribble", "lasso", "labelmap"]

MAX_POINTS = 20_000
"""Of one prompt: a stroke of an hour at a mouse's 125 Hz does not reach it."""
NORMAL_TOLERANCE = 1e-3
"""How far the length of a plane normal may be from 1."""
MIN_LASSO_POINTS = 3


@dataclass(frozen=True, slots=True)
class PromptOrigin:
    """Where a prompt comes from."""

    id: str
    """UUID made by the client."""
    include: bool
    frame_of_reference_uid: str
    sop_instance_uid: str | None = None
    """The acquired image that it was drawn on, if any."""
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class PointPrompt:
    """Exactly one point."""

    origin: PromptOrigin
    point: PatientPoint
    kind: Literal["point"] = "point"


@dataclass(frozen=True, slots=True)
class DrawnPrompt:
    """A box (four corners in order), a scribble (polyline) or a lasso (closed outline) on a plane.

    Raises
    ------
    PromptMalformed
        If the number of points or the plane normal is not what the kind asks for.
    """

    origin: PromptOrigin
    kind: Literal["box", "scribble", "lasso"]
    points: tuple[PatientPoint, ...]
    plane_normal: tuple[float, float, float]
    """Unit vector (LPS) perpendicular to the plane that it was drawn on."""

    def __post_init__(self) -> None:
        count = len(self.points)
        if count > MAX_POINTS:
            raise PromptMalformed(f"A {self.kind} has at most {MAX_POINTS} points, this one has {count}. Send fewer.")
        if self.kind == "box" and count != 4:
            raise PromptMalformed(f"A box has exactly four corners, in order; this one has {count}.")
        if self.kind == "scribble" and count < 1:
            raise PromptMalformed("A scribble has at least one point; this one is empty.")
        if self.kind == "lasso" and len(set(self.points)) < MIN_LASSO_POINTS:
            raise PromptMalformed(
                f"A lasso has at least {MIN_LASSO_POINTS} different points; draw an outline around something."
            )
        length = math.hypot(*self.plane_normal)
        if not math.isfinite(length) or abs(length - 1.0) > NORMAL_TOLERANCE:
            raise PromptMalformed(f"plane_normal is a unit vector; this one has length {length:.4f}.")


@dataclass(frozen=True, slots=True, eq=False)
class LabelmapPrompt:
    """Replaces the segment: zero outside the region; no model run."""

    origin: PromptOrigin
    packed: PackedRegion
    """A session keeps its prompts, and an edit may be as large as the volume: unpacked only to be carried out."""
    kind: Literal["labelmap"] = "labelmap"

    @classmethod
    def of(cls, origin: PromptOrigin, region: Region) -> LabelmapPrompt:
        """Pack a region."""
        return cls(origin, PackedRegion.of(region))


Prompt = PointPrompt | DrawnPrompt | LabelmapPrompt


# --- the same in voxels (made by domain/rasterise.py, taken by the Segmenter port) ----------------


@dataclass(frozen=True, slots=True)
class VoxelPoint:
    """A point prompt in voxels."""

    index: VoxelIndex
    include: bool

    @property
    def box(self) -> Box:
        """The voxel as a half-open box."""
        k, j, i = self.index.as_tuple()
        return Box((k, j, i), (k + 1, j + 1, i + 1))


@dataclass(frozen=True, slots=True)
class VoxelBox:
    """A box prompt in voxels: half-open, one voxel thick along at least one axis."""

    box: Box
    include: bool


@dataclass(frozen=True, slots=True, eq=False)
class VoxelStroke:
    """A scribble or a filled outline in voxels: a crop with its box, never the full volume."""

    kind: Literal["scribble", "lasso"]
    region: Region
    include: bool

    @property
    def box(self) -> Box:
        """The crop's box."""
        return self.region.box


VoxelPrompt = VoxelPoint | VoxelBox | VoxelStroke
