"""Geometry: what is refused, and the small conversions."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.domain.geometry import Box, PatientPoint, VolumeGeometry, VoxelIndex, round_index

AXIAL = np.array([[0, 0, 0.5, -10], [0, 0.5, 0, -20], [2.5, 0, 0, 30], [0, 0, 0, 1.0]])


def axial(shape: tuple[int, int, int] = (8, 10, 12)) -> VolumeGeometry:
    return VolumeGeometry.from_matrix(shape, AXIAL, "1.2")


def test_spacing_directions_and_volume() -> None:
    geometry = axial()
    assert geometry.spacing_mm == (2.5, 0.5, 0.5)
    assert geometry.directions.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert geometry.voxel_volume_ml == pytest.approx(2.5 * 0.5 * 0.5 / 1000)
    assert geometry.box == Box((0, 0, 0), (8, 10, 12))


def test_slice_first() -> None:
    assert axial().to_patient([[1, 0, 0]]).tolist() == [[-10, -20, 32.5]]
    assert axial().to_index([[-9.5, -20, 30]]).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_patient_point_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        PatientPoint(0.0, value, 0.0)


def test_points_and_indices_as_tuples() -> None:
    assert PatientPoint(1.0, 2.0, 3.0).as_tuple() == (1.0, 2.0, 3.0)
    assert VoxelIndex(1, 2, 3).as_tuple() == (1, 2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({(0, 0): 0.1}, "perpendicular"),
        ({(0, 2): 0.0}, "positive length"),
        ({(0, 3): float("nan")}, "finite"),
        ({(1, 1): float("inf")}, "finite"),
    ],
)
def test_grids_that_are_not_regular_are_refused(change: dict[tuple[int, int], float], message: str) -> None:
    matrix = AXIAL.copy()
    for where, value in change.items():
        matrix[where] = value
    with pytest.raises(ValueError, match=message):
        VolumeGeometry.from_matrix((8, 10, 12), matrix, "1.2")


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, -1, 1)])
def test_an_empty_shape_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="positive shape"):
        axial(shape)


def test_a_reversed_box_is_refused() -> None:
    with pytest.raises(ValueError, match="reversed"):
        Box((0, 5, 0), (1, 4, 1))


@pytest.mark.parametrize("bounds", [[[0, 2**70], [0, 1], [0, 1]], [[0, 1], [0, 1]], [[0, 1], [0, 1], [0]], []])
def test_bounds_that_are_no_box_are_refused(bounds: list[list[int]]) -> None:
    with pytest.raises(ValueError):
        Box.from_bounds(bounds)


def test_boxes() -> None:
    box = Box.from_bounds([[1, 2], [3, 5], [4, 4]])
    assert box.is_empty
    assert box.shape == (1, 2, 0)
    assert box.bounds == [[1, 2], [3, 5], [4, 4]]
    assert Box.empty().union(Box((1, 1, 1), (2, 2, 2))) == Box((1, 1, 1), (2, 2, 2))
    assert Box((1, 1, 1), (2, 2, 2)).union(Box.empty()) == Box((1, 1, 1), (2, 2, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300, -1e300])
def test_what_is_no_position_rounds_to_far_outside(value: float) -> None:
    indices = round_index(np.array([[value, 0.0, 0.0]]))
    assert not axial().holds(indices).any()


def test_a_position_too_far_away_to_be_computed_lies_outside() -> None:
    geometry = axial()
    assert not geometry.holds(geometry.to_index([[1e308, -1e308, 1e308]])).any()
