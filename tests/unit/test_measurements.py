"""Measurements of small and hostile segments, and of IBSI's digital phantom."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pytest

from delineate.adapters.marching_cubes import MarchingCubes
from delineate.domain.errors import SegmentEmpty
from delineate.domain.geometry import Box, VolumeGeometry
from delineate.domain.labelmap import Labelmap, Region
from delineate.domain.measurements import Measurements, measure
from delineate.domain.surface import CellSurfaces
from delineate.domain.value_scale import NO_UNIT, ValueScale
from delineate.domain.volume import SliceSource, Volume, VolumePlan

SURFACES = CellSurfaces.of(MarchingCubes())
SCALE = ValueScale(NO_UNIT)
NAN = math.nan
IBSI_PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [NAN, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, NAN, NAN], [1, 1, 1, 1, 1], [1, 1, NAN, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, NAN, NAN], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
)
"""Image Biomarker Standardisation Initiative, digital phantom (CC BY 4.0): voxels of 2 mm, NaN is outside."""


def volume(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    values: npt.NDArray[np.floating] | None = None,
) -> Volume:
    """An axial volume at (-10, 20, 30)."""
    k, j, i = spacing
    matrix = np.array([[0, 0, i, -10], [0, j, 0, 20], [k, 0, 0, 30], [0, 0, 0, 1]])
    geometry = VolumeGeometry.from_matrix(shape, matrix, "1.2.3")
    plan = VolumePlan("1.3", "1.4", None, "MR", geometry, tuple(SliceSource(f"1.5.{n}", 1) for n in range(shape[0])))
    filled = np.zeros(shape) if values is None else values
    return Volume(plan, filled.astype(np.float32))


def measured(voxels: npt.NDArray[np.bool_], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Measurements:
    k, j, i = voxels.shape
    return measure(Labelmap.from_array(voxels), volume((k, j, i), spacing), SURFACES, SCALE)


def test_ibsi_digital_phantom() -> None:
    """The consensus values of IBSI's reference manual, as published (three digits)."""
    inside = ~np.isnan(IBSI_PHANTOM)
    image = volume((4, 4, 5), (2.0, 2.0, 2.0), np.nan_to_num(IBSI_PHANTOM))
    found = measure(Labelmap.from_array(inside), image, SURFACES, SCALE)
    assert round(found.volume_ml * 1000) == 592
    assert round(found.mesh_volume_ml * 1000) == 556
    assert round(found.surface_mm2) == 388
    assert round(found.longest.length_mm, 1) == 13.1
    assert round(found.values.mean, 2) == 2.15
    assert round(found.values.standard_deviation**2, 2) == 3.05
    assert (found.values.minimum, found.values.median, found.values.maximum) == (1, 1, 6)


def test_a_single_voxel() -> None:
    voxels = np.zeros((3, 4, 5), dtype=np.bool_)
    voxels[1, 2, 3] = True
    found = measured(voxels, (3.0, 0.5, 0.75))
    assert found.voxel_count == 1
    assert found.volume_ml == pytest.approx(3 * 0.5 * 0.75 / 1000)
    assert found.mesh_volume_ml == pytest.approx(found.volume_ml / 6)
    assert found.centroid.as_tuple() == (-10 + 3 * 0.75, 20 + 2 * 0.5, 30 + 3.0)
    assert found.longest.length_mm == 3.0
    assert [end.z for end in found.longest.ends] == [31.5, 34.5]
    assert (found.in_plane.k, found.in_plane.longest.length_mm, found.in_plane.perpendicular.length_mm) == (
        1,
        0.75,
        0.5,
    )
    assert [end.as_tuple() for end in found.in_plane.longest.ends] == [(-8.125, 21.0, 33.0), (-7.375, 21.0, 33.0)]
    assert [end.as_tuple() for end in found.in_plane.perpendicular.ends] == [(-7.75, 20.75, 33.0), (-7.75, 21.25, 33.0)]
    assert found.values.standard_deviation == 0
    assert found.values.percentiles == (0,) * 5


def test_the_whole_volume_touches_every_border() -> None:
    found = measured(np.ones((4, 5, 6), dtype=np.bool_), (2.0, 1.0, 1.0))
    assert found.volume_ml == 0.24
    assert found.longest.length_mm == pytest.approx(math.sqrt(8**2 + 4**2 + 5**2))  # between faces, not corners
    assert 0 < found.mesh_volume_ml < found.volume_ml


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_sheet_one_voxel_thick(axis: int) -> None:
    shape = [20, 20, 20]
    shape[axis] = 1
    found = measured(np.ones(shape, dtype=np.bool_))
    assert found.volume_ml == 0.4
    assert found.longest.length_mm == pytest.approx(math.hypot(20, 19))
    flat = 1.0 if axis else math.hypot(20, 19)
    assert found.in_plane.longest.length_mm == pytest.approx(20.0 if axis else flat)
    assert found.in_plane.perpendicular.length_mm == pytest.approx(1.0 if axis else flat)


def test_a_staircase_of_voxels_that_touch_at_corners_only() -> None:
    voxels = np.zeros((9, 9, 9), dtype=np.bool_)
    voxels[range(9), range(9), range(9)] = True
    found = measured(voxels)
    assert found.voxel_count == 9
    assert found.longest.length_mm == pytest.approx(math.sqrt(9**2 + 8**2 + 8**2))
    assert found.mesh_volume_ml == pytest.approx(9 / 6 / 1000, rel=0.5)


def test_two_parts_are_one_segment() -> None:
    """A diameter need not stay inside: it is that of what the segment spans."""
    voxels = np.zeros((1, 3, 30), dtype=np.bool_)
    voxels[0, 1, [0, 29]] = True
    found = measured(voxels)
    assert found.in_plane.longest.length_mm == 30
    assert found.centroid.as_tuple() == (4.5, 21, 30)


def test_of_equal_slices_the_one_with_the_longer_perpendicular_is_taken() -> None:
    voxels = np.zeros((3, 9, 20), dtype=np.bool_)
    voxels[:, 4, :] = True
    voxels[2, 2:7, 5:15] = True
    found = measured(voxels)
    assert (found.in_plane.k, found.in_plane.longest.length_mm, found.in_plane.perpendicular.length_mm) == (2, 20, 5)


def test_a_hole_counts_for_the_surface_but_not_for_the_diameter() -> None:
    full = np.ones((12, 12, 12), dtype=np.bool_)
    hollow = full.copy()
    hollow[4:8, 4:8, 4:8] = False
    whole, shell = measured(full), measured(hollow)
    assert shell.volume_ml == pytest.approx(whole.volume_ml - 0.064)
    assert shell.surface_mm2 > whole.surface_mm2
    assert shell.longest == whole.longest


def test_a_loose_region_measures_as_a_tight_one() -> None:
    voxels = np.zeros((6, 7, 8), dtype=np.bool_)
    voxels[2:4, 3:6, 1:7] = True
    image = volume((6, 7, 8), values=np.random.default_rng(0).normal(size=(6, 7, 8)))
    loose = Labelmap((6, 7, 8), Region(Box((0, 0, 0), (6, 7, 8)), voxels))
    tight = Labelmap.from_array(voxels)
    assert measure(loose, image, SURFACES, SCALE) == measure(tight, image, SURFACES, SCALE)


def test_values_are_scaled() -> None:
    image = volume((2, 2, 2), values=np.arange(8.0).reshape(2, 2, 2))
    labelmap = Labelmap.from_array(np.ones((2, 2, 2), dtype=np.bool_))
    plain = measure(labelmap, image, SURFACES, SCALE).values
    scaled = measure(labelmap, image, SURFACES, ValueScale(NO_UNIT, 0.5)).values
    assert (plain.mean, plain.minimum, plain.maximum, plain.median) == (3.5, 0, 7, 3.5)
    assert plain.percentiles == pytest.approx((0.35, 1.75, 3.5, 5.25, 6.65))
    assert (scaled.mean, scaled.maximum, scaled.median) == (1.75, 3.5, 1.75)
    assert scaled.standard_deviation == pytest.approx(plain.standard_deviation / 2)
    assert scaled.percentiles == pytest.approx([value / 2 for value in plain.percentiles])


def test_an_empty_segment_is_refused() -> None:
    with pytest.raises(SegmentEmpty, match="Draw in it first"):
        measured(np.zeros((3, 3, 3), dtype=np.bool_))


@pytest.mark.parametrize("extreme", [np.finfo(np.float32).max, np.finfo(np.float32).tiny])
def test_every_number_is_finite_whatever_the_values(extreme: float) -> None:
    signs = np.where(np.indices((4, 4, 4)).sum(axis=0) % 2, 1.0, -1.0)
    found = measure(
        Labelmap.from_array(np.ones((4, 4, 4), dtype=np.bool_)),
        volume((4, 4, 4), values=signs * extreme),
        SURFACES,
        SCALE,
    )
    assert numbers_in(asdict(found)).size > 20
    assert np.isfinite(numbers_in(asdict(found))).all()
    assert found.values.standard_deviation == pytest.approx(float(np.float32(extreme)))


def test_values_that_are_no_numbers_are_refused() -> None:
    """The reader of series lets none through; here nothing is measured rather than wrongly."""
    with pytest.raises(ValueError, match="no measurement"):
        measure(
            Labelmap.from_array(np.ones((1, 1, 2), dtype=np.bool_)),
            volume((1, 1, 2), values=np.array([[[1.0, NAN]]])),
            SURFACES,
            SCALE,
        )


def numbers_in(found: object) -> npt.NDArray[np.float64]:
    if isinstance(found, dict):
        return np.concatenate([numbers_in(value) for value in found.values()])
    if isinstance(found, tuple):
        return np.concatenate([numbers_in(value) for value in found])
    assert isinstance(found, (int, float))
    return np.array([float(found)])
