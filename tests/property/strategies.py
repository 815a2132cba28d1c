"""Random geometries, prompts and labelmaps, and the profile that the property tests run with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from delineate.domain.geometry import Box, PatientPoint, VolumeGeometry
from delineate.domain.labelmap import Labelmap
from delineate.domain.model import ModelInfo
from delineate.domain.prompts import DrawnPrompt, PointPrompt, PromptOrigin
from delineate.domain.volume import SliceSource, VolumePlan

PROFILE = "delineate"
settings.register_profile(
    PROFILE,
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(PROFILE)

FRAME = "1.2.826.0.1.3680043.8.498.1"
OTHER_FRAME = "1.2.826.0.1.3680043.8.498.2"

ORIENTATIONS: tuple[npt.NDArray[np.float64], ...] = tuple(
    np.eye(3)[:, list(axes)] * np.array(signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
)
"""The 48 ways to lay the axes k, j, i along the patient's axes: columns are their directions."""


def geometry_of(
    shape: tuple[int, int, int],
    directions: npt.NDArray[np.float64],
    spacing: Sequence[float],
    origin: Sequence[float] = (0.0, 0.0, 0.0),
) -> VolumeGeometry:
    """Make a geometry of axes in the columns of ``directions``, with (k, j, i) spacing and the first voxel's centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = directions * np.asarray(spacing)
    matrix[:3, 3] = origin
    return VolumeGeometry.from_matrix(shape, matrix, FRAME)


def plan_of(geometry: VolumeGeometry, multiframe: bool = False) -> VolumePlan:
    """Make a plan of single-frame images 1.5.1, 1.5.2, ... or of one multi-frame image 1.5."""
    count = geometry.shape[0]
    slices = [SliceSource("1.5", k + 1) if multiframe else SliceSource(f"1.5.{k + 1}", 1) for k in range(count)]
    return VolumePlan("1.3", "1.4", None, "MR", geometry, tuple(slices))


def model_of(
    thickness: int = 2,
    oblique: Sequence[str] = ("box", "scribble", "lasso"),
    prompts: Sequence[str] = ("point", "box", "scribble", "lasso"),
) -> ModelInfo:
    return ModelInfo("m", "Model", True, "licence", "1", "0", tuple(prompts), tuple(oblique), thickness, (96, 96, 96))


def point_prompt(point: Sequence[float], **origin: object) -> PointPrompt:
    """Make an including point prompt at a position (LPS mm)."""
    return PointPrompt(_origin(origin), PatientPoint(*point))


def drawn_prompt(
    kind: str, points: npt.ArrayLike, normal: Sequence[float] | npt.NDArray[np.float64], **origin: object
) -> DrawnPrompt:
    """Make an including prompt of positions (n, 3) in LPS mm on a plane."""
    positions = tuple(PatientPoint(*p) for p in np.asarray(points, dtype=np.float64).tolist())
    x, y, z = (float(c) for c in normal)
    return DrawnPrompt(_origin(origin), kind, positions, (x, y, z))  # type: ignore[arg-type]


def _origin(given: dict[str, object]) -> PromptOrigin:
    values: dict[str, object] = {"id": "p", "include": True, "frame_of_reference_uid": FRAME, **given}
    return PromptOrigin(**values)  # type: ignore[arg-type]


def normal_of(geometry: VolumeGeometry, axis: int) -> npt.NDArray[np.float64]:
    """Return the unit normal (LPS) of the slices along a voxel axis."""
    return np.asarray(geometry.directions[axis])


def shapes(low: int = 1, high: int = 12) -> st.SearchStrategy[tuple[int, int, int]]:
    side = st.integers(low, high)
    return st.tuples(side, side, side)


@st.composite
def rotations(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    """Draw a rotation or reflection matrix, evenly enough: three turns about the axes, then one of the 48."""
    matrix = ORIENTATIONS[draw(st.integers(0, len(ORIENTATIONS) - 1))]
    for axis in range(3):
        angle = draw(st.floats(-math.pi, math.pi))
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[[a, a, b, b], [a, b, a, b]] = [math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)]
        matrix = turn @ matrix
    return matrix


@st.composite
def geometries(draw: st.DrawFn, low: int = 1, high: int = 12) -> VolumeGeometry:
    """Draw any geometry: turned, anisotropic (0.3 to 10 mm), far from the origin."""
    spacing = draw(st.tuples(*[st.floats(0.3, 10.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-5000.0, 5000.0)] * 3))
    return geometry_of(draw(shapes(low, high)), draw(rotations()), spacing, origin)


@st.composite
def dyadic_geometries(draw: st.DrawFn, low: int = 6, high: int = 12) -> VolumeGeometry:
    """Draw a geometry on which index and position map to each other without rounding."""
    directions = ORIENTATIONS[draw(st.integers(0, len(ORIENTATIONS) - 1))]
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 1.0, 2.0, 4.0])] * 3))
    origin = draw(st.tuples(*[st.integers(-4000, 4000).map(lambda n: n / 8)] * 3))
    return geometry_of(draw(shapes(low, high)), directions, spacing, origin)


def fractions_of_a_voxel(size: int, parts: int = 8) -> st.SearchStrategy[float]:
    """Draw a continuous index inside ``size`` voxels, a multiple of 1 / ``parts``: often on centres and borders."""
    return st.integers(-(parts // 2) + 1, parts * (size - 1) + parts // 2 - 1).map(lambda n: n / parts)


@st.composite
def indices_inside(draw: st.DrawFn, shape: tuple[int, int, int], count: int) -> npt.NDArray[np.float64]:
    """Draw ``count`` continuous indices inside a volume, shape (count, 3)."""
    rows = [[draw(fractions_of_a_voxel(n)) for n in shape] for _ in range(count)]
    return np.array(rows)


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, int, int]) -> Box:
    spans = [sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in shape]
    return Box.from_bounds(spans)


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Draw voxels of a shape: from none to all, scattered or in a block."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]))
    if draw(st.booleans()):
        block = np.zeros(shape, dtype=np.bool_)
        block[draw(boxes(shape)).slices] = True
        mask &= block
    return np.asarray(mask, dtype=np.bool_)


def labelmaps(shape: tuple[int, int, int]) -> st.SearchStrategy[Labelmap]:
    return masks(shape).map(Labelmap.from_array)
