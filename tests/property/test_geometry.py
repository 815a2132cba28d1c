"""Voxel -> LPS -> voxel is the identity, in every geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.oracle import ONE, exact_indices
from tests.property.strategies import ORIENTATIONS, boxes, geometries, geometry_of

from delineate.domain.geometry import Box, VolumeGeometry, round_index

VOXEL_TOLERANCE = 1e-6


@given(geometry=geometries(), seed=st.integers(0, 2**32 - 1))
def test_voxel_to_patient_to_voxel_is_the_identity(geometry: VolumeGeometry, seed: int) -> None:
    rng = np.random.default_rng(seed)
    indices = rng.integers(-1000, 1000, (50, 3))
    continuous = geometry.to_continuous(geometry.to_patient(indices))
    np.testing.assert_allclose(continuous, indices, atol=VOXEL_TOLERANCE)
    np.testing.assert_array_equal(geometry.to_index(geometry.to_patient(indices)), indices)


@given(geometry=geometries(), seed=st.integers(0, 2**32 - 1))
def test_every_position_inside_a_voxel_maps_to_it_even_as_float32(geometry: VolumeGeometry, seed: int) -> None:
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, geometry.shape, (50, 3))
    inside = geometry.to_patient(indices + rng.uniform(-0.49, 0.49, indices.shape))
    np.testing.assert_array_equal(geometry.to_index(inside), indices)
    np.testing.assert_array_equal(geometry.to_index(inside.astype(np.float32)), indices)


@given(geometry=geometries(), seed=st.integers(0, 2**32 - 1))
def test_patient_to_voxel_agrees_with_exact_arithmetic(geometry: VolumeGeometry, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-5000, 5000, (5, 3)).tolist()
    expected = np.array([[c / ONE for c in index] for index in exact_indices(geometry, points)])
    np.testing.assert_allclose(geometry.to_continuous(points), expected, atol=VOXEL_TOLERANCE)


@given(geometry=geometries())
def test_spacing_and_directions_rebuild_the_affine(geometry: VolumeGeometry) -> None:
    rebuilt = geometry.directions.T * np.array(geometry.spacing_mm)
    np.testing.assert_allclose(rebuilt, geometry.matrix[:3, :3], atol=1e-12)


@pytest.mark.parametrize("number", range(48))
def test_planes_half_way_between_voxels_go_to_one_side_in_every_orientation(number: int) -> None:
    """What a viewport shows at first when the number of slices is even."""
    geometry = geometry_of((4, 4, 4), ORIENTATIONS[number], (0.7, 0.3, 0.9), (-123.4, 56.7, 891.2))
    halves = np.full((100, 3), 1.5)
    points = geometry.to_patient(halves).astype(np.float32)
    noise = np.random.default_rng(number).uniform(-1, 1, points.shape) * np.spacing(points)
    assert set(map(tuple, geometry.to_index(points + noise).tolist())) == {(2, 2, 2)}


@given(data=st.data())
def test_boxes_agree_with_the_voxels_that_they_hold(data: st.DataObject) -> None:
    shape = (5, 4, 6)
    a, b = data.draw(boxes(shape)), data.draw(boxes(shape))
    cells_a, cells_b = _cells(a, shape), _cells(b, shape)
    assert int(np.prod(a.shape)) == cells_a.sum()
    assert a.is_empty == (not cells_a.any())
    union = a.union(b)
    assert not (cells_a | cells_b)[~_cells(union, shape)].any()
    if not a.is_empty and not b.is_empty:
        assert union.contains(a)
        assert a.contains(b) == (not (cells_b & ~cells_a).any())
        assert np.array_equal(cells_a[union.slices][a.relative_to(union)], cells_a[a.slices])
    assert Box.from_bounds(a.bounds) == a


def _cells(box: Box, shape: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    cells = np.zeros(shape, dtype=np.bool_)
    cells[box.slices] = True
    return cells


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_rounding_is_floor_of_x_plus_a_half(values: list[float]) -> None:
    for value, rounded in zip(values, round_index(np.array(values)).tolist(), strict=True):
        assert -0.501 - 1e-9 <= value - rounded < 0.5
