"""Measurements against closed forms of bodies, and against brute force on small voxels."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.measure import marching_cubes
from tests.property import bodies
from tests.property.strategies import geometries, geometry_of, masks, rotations

from delineate.adapters.marching_cubes import MarchingCubes
from delineate.domain.diameters import Diameter
from delineate.domain.farthest import farthest_pair
from delineate.domain.geometry import VolumeGeometry
from delineate.domain.labelmap import Labelmap
from delineate.domain.measurements import Measurements, measure
from delineate.domain.surface import CellSurfaces
from delineate.domain.value_scale import NO_UNIT, ValueScale

SURFACES = CellSurfaces.of(MarchingCubes())
ROUNDED = 1e-8
"""Relative: nine significant digits."""


def measured(labelmap: Labelmap, geometry: VolumeGeometry) -> Measurements:
    return measure(labelmap, bodies.volume_of(geometry), SURFACES, ValueScale(NO_UNIT))


def direction_of(diameter: Diameter) -> bodies.Floats:
    a, b = (np.array(end.as_tuple()) for end in diameter.ends)
    return np.asarray((b - a) / np.linalg.norm(b - a))


def assert_within_a_voxel(diameter: Diameter, expected: float, geometry: VolumeGeometry) -> None:
    voxel = bodies.voxel_along(geometry, direction_of(diameter))
    assert abs(diameter.length_mm - expected) <= voxel * (1 + ROUNDED), (diameter.length_mm, expected, voxel)


# --- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
@settings(max_examples=20)
@given(data=st.data())
def test_ellipsoids_on_oblique_anisotropic_grids(turned: bool, data: st.DataObject) -> None:
    body, geometry = data.draw(bodies.ellipsoids(turned=turned))
    found = measured(Labelmap.from_array(body.voxels(geometry)), geometry)
    assert found.volume_ml == pytest.approx(body.volume_ml, rel=0.01)
    assert found.mesh_volume_ml == pytest.approx(body.volume_ml, rel=0.015)
    centre = geometry.to_patient(body.centre / np.array(geometry.spacing_mm))[0]
    assert np.abs(np.array(found.centroid.as_tuple()) - centre).max() <= 0.1 * min(geometry.spacing_mm)
    assert_within_a_voxel(found.longest, 2 * body.half_axes.max(), geometry)
    shrink = body.shrink(geometry.spacing_mm[0])
    assert_within_a_voxel(found.in_plane.longest, body.longest_in_plane() * shrink, geometry)
    across = geometry.directions[1:] @ direction_of(found.in_plane.perpendicular)
    assert_within_a_voxel(found.in_plane.perpendicular, body.chord_in_plane(across) * shrink, geometry)


@settings(max_examples=30)
@given(
    radius=st.floats(13.0, 22.0),
    offset=st.tuples(*[st.floats(0.0, 1.0)] * 3),
    directions=rotations(),
    spacing=st.floats(0.3, 5.0),
)
def test_spheres(radius: float, offset: tuple[float, ...], directions: bodies.Floats, spacing: float) -> None:
    """On cubic voxels the closed forms hold for all; the mesh's steps make its area too large by a known part."""
    centre = np.array(offset) + radius + 1
    side = math.ceil(2 * radius) + 4
    geometry = geometry_of((side, side, side), directions, (spacing, spacing, spacing), (17.0, -250.0, 3.0))
    body = bodies.Ellipsoid(centre * spacing, np.full(3, radius * spacing), np.eye(3))
    found = measured(Labelmap.from_array(body.voxels(geometry)), geometry)
    assert found.volume_ml == pytest.approx(body.volume_ml, rel=0.01)
    shrink = body.shrink(spacing)
    for diameter, expected in (
        (found.longest, 2 * radius * spacing),
        (found.in_plane.longest, 2 * radius * spacing * shrink),
        (found.in_plane.perpendicular, 2 * radius * spacing * shrink),
    ):
        assert abs(diameter.length_mm - expected) <= spacing * (
            1 + ROUNDED
        )  # stricter than one voxel along the diameter
    assert 1.07 <= found.surface_mm2 / (4 * math.pi * (radius * spacing) ** 2) <= 1.10


@given(data=st.data())
def test_boxes_on_oblique_anisotropic_grids(data: st.DataObject) -> None:
    """A box of whole voxels: its volume is exact, its diagonals lose less than a voxel at the corners."""
    shape = np.array(data.draw(st.tuples(*[st.integers(1, 30)] * 3)))
    spacing = np.array(data.draw(st.tuples(*[st.floats(0.3, 6.0)] * 3)))
    before, after = (data.draw(st.tuples(*[st.integers(0, 3)] * 3)) for _ in range(2))
    k, j, i = (int(n) for n in shape + before + after)
    geometry = geometry_of((k, j, i), data.draw(rotations()), spacing.tolist(), (40.0, -10.0, 900.0))
    voxels = np.pad(np.ones(shape, dtype=np.bool_), list(zip(before, after, strict=True)))
    found = measured(Labelmap.from_array(voxels), geometry)
    sides = shape * spacing
    assert found.volume_ml == pytest.approx(np.prod(sides) / 1000, rel=ROUNDED)
    middle = geometry.to_patient(np.array(before) + (shape - 1) / 2)[0]
    assert np.allclose(found.centroid.as_tuple(), middle, rtol=0, atol=1e-5)
    assert_within_a_voxel(found.longest, float(np.linalg.norm(sides)), geometry)
    assert_within_a_voxel(found.in_plane.longest, float(np.linalg.norm(sides[1:])), geometry)
    across = np.abs(geometry.directions[1:] @ direction_of(found.in_plane.perpendicular))
    chord = min(side / c for side, c in zip(sides[1:], across, strict=True) if c > 1e-9)
    assert_within_a_voxel(found.in_plane.perpendicular, chord, geometry)
    assert before[0] <= found.in_plane.k < before[0] + shape[0]


@given(data=st.data())
def test_a_box_one_voxel_thick_has_its_extent_along_each_axis(data: st.DataObject) -> None:
    """Along a voxel axis an extent is the number of voxels times their spacing."""
    axis = data.draw(st.integers(0, 2))
    length = data.draw(st.integers(1, 40))
    spacing = data.draw(st.tuples(*[st.floats(0.5, 3.0)] * 3))
    shape = [1, 1, 1]
    shape[axis] = length
    geometry = geometry_of((shape[0], shape[1], shape[2]), data.draw(rotations()), spacing)
    assume(length * spacing[axis] > 1.5 * max(spacing))
    found = measured(Labelmap.from_array(np.ones(shape, dtype=np.bool_)), geometry)
    assert found.longest.length_mm == pytest.approx(length * spacing[axis], rel=ROUNDED)
    assert np.allclose(np.abs(direction_of(found.longest) @ geometry.directions[axis]), 1)


# --- brute force ----------------------------------------------------------------------------------


@given(data=st.data())
def test_diameters_equal_those_by_brute_force(data: st.DataObject) -> None:
    geometry = data.draw(geometries(low=1, high=6))
    labelmap = Labelmap.from_array(data.draw(masks(geometry.shape)))
    assume(not labelmap.is_empty)
    found = measured(labelmap, geometry)
    everywhere = geometry.to_patient(bodies.face_points(labelmap))
    assert found.longest.length_mm == pytest.approx(bodies.greatest_distance(everywhere), rel=ROUNDED)
    assert found.in_plane.longest.length_mm == pytest.approx(bodies.longest_in_slices(labelmap, geometry), rel=ROUNDED)
    chord = bodies.longest_chord(labelmap, geometry, found.in_plane.k, direction_of(found.in_plane.perpendicular))
    assert found.in_plane.perpendicular.length_mm == pytest.approx(chord, rel=1e-4)  # along ends that are rounded


@given(data=st.data())
def test_diameters_lie_where_they_say(data: st.DataObject) -> None:
    geometry = data.draw(geometries(low=1, high=8))
    labelmap = Labelmap.from_array(data.draw(masks(geometry.shape)))
    assume(not labelmap.is_empty)
    found = measured(labelmap, geometry)
    longest, perpendicular = found.in_plane.longest, found.in_plane.perpendicular
    for diameter in (longest, perpendicular, found.longest):
        ends = np.array([end.as_tuple() for end in diameter.ends])
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(diameter.length_mm, rel=1e-5)
    assert abs(direction_of(longest) @ direction_of(perpendicular)) <= 1e-5
    assert perpendicular.length_mm <= longest.length_mm * (1 + ROUNDED)
    for diameter in (longest, perpendicular):
        at = geometry.to_continuous([end.as_tuple() for end in diameter.ends])
        assert np.allclose(at[:, 0], found.in_plane.k, rtol=0, atol=1e-4)
    faces = {tuple(row) for row in np.rint(2 * bodies.face_points(labelmap)).astype(int).tolist()}
    ends = np.rint(2 * geometry.to_continuous([e.as_tuple() for e in (*longest.ends, *found.longest.ends)])).astype(int)
    assert {tuple(row) for row in ends.tolist()} <= faces


@given(data=st.data())
def test_surface_and_its_volume_equal_those_of_the_whole_mesh(data: st.DataObject) -> None:
    geometry = data.draw(geometries(low=1, high=9))
    labelmap = Labelmap.from_array(data.draw(masks(geometry.shape)))
    assume(not labelmap.is_empty)
    found = measured(labelmap, geometry)
    vertices, triangles, _, _ = marching_cubes(np.pad(labelmap.to_array(), 1).astype(np.float32), 0.5)
    a, b, c = np.moveaxis(geometry.to_patient(vertices.astype(np.float64) - 1)[triangles], 1, 0)
    areas = np.cross(b - a, c - a) / 2
    assert found.surface_mm2 == pytest.approx(np.linalg.norm(areas, axis=1).sum(), rel=1e-6)
    volume = abs(np.einsum("ij,ij->", (a + b + c) / 3 - a.mean(axis=0), areas)) / 3000
    assert found.mesh_volume_ml == pytest.approx(volume, rel=1e-6)


@given(data=st.data())
def test_statistics_equal_those_of_the_standard_library(data: st.DataObject) -> None:
    geometry = data.draw(geometries(low=1, high=6))
    labelmap = Labelmap.from_array(data.draw(masks(geometry.shape)))
    assume(labelmap.count > 1)
    scale = data.draw(st.sampled_from([1e-30, 1.0, 1e33]))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    volume = bodies.volume_of(geometry, (rng.normal(size=geometry.shape) * 1000 - 300) * scale)
    factor = data.draw(st.sampled_from([1.0, 0.25, 3.7e-4]))
    found = measure(labelmap, volume, SURFACES, ValueScale(NO_UNIT, factor)).values
    inside = [float(value) * factor for value in volume.voxels[labelmap.to_array()]]
    cuts = statistics.quantiles(inside, n=20, method="inclusive")
    size = max(map(abs, inside))
    assert found.mean == pytest.approx(statistics.fmean(inside), rel=ROUNDED, abs=1e-9 * size)
    assert found.standard_deviation == pytest.approx(statistics.pstdev(inside), rel=1e-6)
    assert (found.minimum, found.maximum) == pytest.approx((min(inside), max(inside)), rel=ROUNDED)
    assert found.percentiles == pytest.approx([cuts[n] for n in (0, 4, 9, 14, 18)], rel=ROUNDED, abs=1e-9 * size)


@given(count=st.integers(401, 3000), dimension=st.integers(2, 3), seed=st.integers(0, 10**6), shell=st.floats(0.0, 1.0))
def test_the_farthest_pair_of_many_points(count: int, dimension: int, seed: int, shell: float) -> None:
    """From a full ball to points that are all nearly as far from the middle, where few can be left out."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, dimension))
    points *= (shell + (1 - shell) * rng.random((count, 1))) / np.linalg.norm(points, axis=1, keepdims=True)
    points *= rng.uniform(0.2, 3.0, size=dimension)
    a, b = farthest_pair(points)
    greatest = max(float(np.linalg.norm(points - point, axis=1).max()) for point in points)
    assert np.linalg.norm(points[a] - points[b]) == pytest.approx(greatest, rel=1e-9)


# --- symmetry -------------------------------------------------------------------------------------


@given(data=st.data())
def test_reversed_numbering_changes_nothing(data: st.DataObject) -> None:
    """The same voxels in the patient, stored in another order along any axis, measure the same."""
    geometry = data.draw(geometries(low=2, high=8))
    voxels = data.draw(masks(geometry.shape))
    assume(voxels.any())
    axes = data.draw(st.sets(st.integers(0, 2), min_size=1))
    matrix = geometry.matrix
    for axis in axes:
        matrix[:3, 3] += matrix[:3, axis] * (geometry.shape[axis] - 1)
        matrix[:3, axis] *= -1
    turned = VolumeGeometry.from_matrix(geometry.shape, matrix, geometry.frame_of_reference_uid)
    one = measured(Labelmap.from_array(voxels), geometry)
    other = measured(Labelmap.from_array(np.flip(voxels, tuple(axes)).copy()), turned)
    assert other.volume_ml == one.volume_ml
    assert np.allclose(other.centroid.as_tuple(), one.centroid.as_tuple(), rtol=1e-7, atol=1e-6)
    assert other.longest.length_mm == pytest.approx(one.longest.length_mm, rel=ROUNDED)
    assert other.in_plane.longest.length_mm == pytest.approx(one.in_plane.longest.length_mm, rel=ROUNDED)
    assert other.surface_mm2 == pytest.approx(
        one.surface_mm2, rel=0.05
    )  # where voxels touch along an edge it may differ
