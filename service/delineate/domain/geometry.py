"""The one mapping between patient and voxel coordinates.

Patient coordinates are LPS millimetres (PS3.3 C.7.6.2.1.1). Voxel indices are (k, j, i): slice, row, column, in array
order; integers are voxel *centres*. ``affine @ (k, j, i, 1)`` gives LPS mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Array of shape (n, 3)."""
Affine = tuple[
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
]

ORTHOGONALITY_TOLERANCE = 1e-3
"""Largest absolute cosine between two voxel axes that still counts as perpendicular."""


@dataclass(frozen=True, slots=True)
class PatientPoint:
    """A position (x, y, z) in LPS millimetres."""

    x: float
    y: float
    z: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in (self.x, self.y, self.z)):
            raise ValueError("a patient point has finite coordinates")

    def as_tuple(self) -> tuple[float, float, float]:
        """Return (x, y, z) in LPS mm."""
        return (self.x, self.y, self.z)


@dataclass(frozen=True, slots=True)
class VoxelIndex:
    """A voxel (k, j, i): slice, row, column."""

    k: int
    j: int
    i: int

    def as_tuple(self) -> tuple[int, int, int]:
        """Return (k, j, i)."""
        return (self.k, self.j, self.i)


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box of voxels: ``start <= (k, j, i) < stop`` on each axis."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    def __post_init__(self) -> None:
        if any(b < a for a, b in zip(self.start, self.stop, strict=True)):
            raise ValueError(f"reversed box {self.start}..{self.stop}")

    @classmethod
    def empty(cls) -> Box:
        """Return the box that holds nothing."""
        return cls((0, 0, 0), (0, 0, 0))

    @classmethod
    def from_bounds(cls, bounds: npt.ArrayLike) -> Box:
        """Make a box from ``[[k0, k1], [j0, j1], [i0, i1]]``; ValueError if that is no box."""
        try:
            array = np.asarray(bounds, dtype=np.int64)
        except OverflowError as error:
            raise ValueError("a box has bounds of at most 64 bits") from error
        (k0, k1), (j0, j1), (i0, i1) = array.tolist()
        return cls((k0, j0, i0), (k1, j1, i1))

    @property
    def bounds(self) -> list[list[int]]:
        """``[[k0, k1], [j0, j1], [i0, i1]]``, half-open."""
        return [[a, b] for a, b in zip(self.start, self.stop, strict=True)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along (k, j, i)."""
        k, j, i = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return (k, j, i)

    @property
    def is_empty(self) -> bool:
        """Whether the box holds no voxel."""
        return 0 in self.shape

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index expression into an array of axes (k, j, i)."""
        k, j, i = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return (k, j, i)

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both; an empty box adds nothing."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        k0, j0, i0 = (min(a, b) for a, b in zip(self.start, other.start, strict=True))
        k1, j1, i1 = (max(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        return Box((k0, j0, i0), (k1, j1, i1))

    def contains(self, other: Box) -> bool:
        """Whether ``other`` lies inside this box."""
        return all(a <= b for a, b in zip(self.start, other.start, strict=True)) and all(
            a >= b for a, b in zip(self.stop, other.stop, strict=True)
        )

    def relative_to(self, outer: Box) -> tuple[slice, slice, slice]:
        """Index expression of this box inside an array that covers ``outer``."""
        k, j, i = (slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, outer.start, strict=True))
        return (k, j, i)


@dataclass(frozen=True, slots=True)
class VolumeGeometry:
    """A regular orthogonal grid of voxels in the patient.

    Parameters
    ----------
    shape
        Number of voxels along (k, j, i).
    affine
        4x4, row-major; times (k, j, i, 1) gives LPS mm of voxel centres.
    frame_of_reference_uid
        The frame of reference of the LPS coordinates.

    Raises
    ------
    ValueError
        If the shape is not positive or the axes are not perpendicular, finite and of positive length.

    References
    ----------
    PS3.3 C.7.6.2.1.1 (image position and orientation), C.7.4.1 (frame of reference).
    """

    shape: tuple[int, int, int]
    affine: Affine
    frame_of_reference_uid: str

    def __post_init__(self) -> None:
        matrix = self.matrix
        if any(n < 1 for n in self.shape) or not np.isfinite(matrix).all():
            raise ValueError("a volume has a positive shape and a finite affine")
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        if (lengths <= 0).any():
            raise ValueError("a voxel axis has a positive length")
        cosines = (matrix[:3, :3] / lengths).T @ (matrix[:3, :3] / lengths)
        if np.abs(cosines - np.eye(3)).max() > ORTHOGONALITY_TOLERANCE:
            raise ValueError("the voxel axes are not perpendicular")

    @classmethod
    def from_matrix(
        cls, shape: tuple[int, int, int], matrix: npt.ArrayLike, frame_of_reference_uid: str
    ) -> VolumeGeometry:
        """Make a geometry from a 4x4 array that maps (k, j, i, 1) to LPS mm."""
        rows = np.asarray(matrix, dtype=np.float64).tolist()
        affine: Affine = tuple(tuple(row) for row in rows)  # type: ignore[assignment]
        return cls(shape, affine, frame_of_reference_uid)

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The affine as a (4, 4) array."""
        return np.array(self.affine, dtype=np.float64)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along (k, j, i), mm."""
        k, j, i = np.linalg.norm(self.matrix[:3, :3], axis=0).tolist()
        return (k, j, i)

    @property
    def directions(self) -> npt.NDArray[np.float64]:
        """Unit vectors (LPS) of the axes k, j, i, as rows of a (3, 3) array."""
        columns = self.matrix[:3, :3]
        return np.asarray((columns / np.linalg.norm(columns, axis=0)).T)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, mL."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def box(self) -> Box:
        """The whole volume."""
        return Box((0, 0, 0), self.shape)

    def to_patient(self, indices: npt.ArrayLike) -> Points:
        """Map voxel indices to the patient.

        Parameters
        ----------
        indices
            Shape (n, 3), continuous (k, j, i).

        Returns
        -------
        Shape (n, 3), LPS mm.
        """
        points = np.asarray(indices, dtype=np.float64).reshape(-1, 3)
        matrix = self.matrix
        return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])

    def to_continuous(self, points: npt.ArrayLike) -> Points:
        """Map patient positions to the voxel grid.

        Parameters
        ----------
        points
            Shape (n, 3), LPS mm.

        Returns
        -------
        Shape (n, 3), continuous (k, j, i); not finite where a position is too far away to be computed.
        """
        array = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        matrix = self.matrix
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.linalg.solve(matrix[:3, :3], (array - matrix[:3, 3]).T).T)

    def to_index(self, points: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Map patient positions (n, 3) in LPS mm to the voxels (n, 3) that hold them: floor(x + 0.5)."""
        return round_index(self.to_continuous(points))

    def holds(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell for each voxel index (n, 3) whether it lies in the volume."""
        return np.asarray(((indices >= 0) & (indices < np.array(self.shape))).all(axis=1))


ROUNDING_SLACK = 1e-3
"""Voxels: positions this close below the border of two voxels count as on it, and so as the upper one.

A plane half-way between two slices (where an MPR viewport starts when their number is even) reaches us as float32 with
noise up to some 1e-4 voxels: without the slack its points would fall on both sides.
"""
FARTHEST_INDEX = 2.0**53
"""Voxels: indices are clipped to this, far outside any volume, so that no position overflows an integer."""


def round_index(continuous: Points) -> npt.NDArray[np.int64]:
    """Round continuous voxel indices to voxels: floor(x + 0.5); what is not a number lies far outside."""
    finite = np.nan_to_num(continuous, nan=-FARTHEST_INDEX, posinf=FARTHEST_INDEX, neginf=-FARTHEST_INDEX)
    clipped = np.clip(finite, -FARTHEST_INDEX, FARTHEST_INDEX)
    return np.floor(clipped + 0.5 + ROUNDING_SLACK).astype(np.int64)
