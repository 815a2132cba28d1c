"""Prompts against the oracle: the same voxels, in every geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.property.oracle import BAND, ONE, SLACK, exact_indices, filled, heights, stroked, winding_number, within
from tests.property.strategies import (
    ORIENTATIONS,
    drawn_prompt,
    dyadic_geometries,
    fractions_of_a_voxel,
    geometries,
    geometry_of,
    indices_inside,
    model_of,
    normal_of,
    plan_of,
    point_prompt,
)

from delineate.domain.errors import PromptMalformed
from delineate.domain.geometry import Box, VolumeGeometry
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelStroke
from delineate.domain.rasterise import rasterise

axes = st.integers(0, 2)
any_geometry = st.one_of(dyadic_geometries(), geometries(6, 12))


def flat_points(
    data: st.DataObject, geometry: VolumeGeometry, axis: int, count: int
) -> tuple[int, npt.NDArray[np.float64]]:
    """Draw points in one slice of an axis: its index, and the points in LPS mm."""
    index = data.draw(st.integers(0, geometry.shape[axis] - 1))
    continuous = data.draw(indices_inside(geometry.shape, count))
    continuous[:, axis] = index + data.draw(st.integers(-3, 3)) / 8
    return index, geometry.to_patient(continuous)


def in_slice(geometry: VolumeGeometry, points: npt.NDArray[np.float64], axis: int) -> list[tuple[int, ...]]:
    """Return exact (u, v) of points, as the oracle wants them."""
    exact = exact_indices(geometry, points.tolist())
    return [tuple(c for n, c in enumerate(index) if n != axis) for index in exact]


def columns_of(geometry: VolumeGeometry, axis: int) -> tuple[int, int]:
    """Return the number of voxels along the two axes other than ``axis``."""
    u, v = (n for n in range(3) if n != axis)
    return (geometry.shape[u], geometry.shape[v])


def painted(stroke: VoxelStroke, shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Return a stroke's voxels in the full volume; its region is tight and inside."""
    assert Box((0, 0, 0), shape).contains(stroke.box)
    assert stroke.region.tight().box == stroke.box
    full = np.zeros(shape, dtype=np.bool_)
    full[stroke.box.slices] = stroke.region.voxels
    return full


def between(result: npt.NDArray[np.bool_], answer: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]) -> bool:
    must, may = answer
    return bool((result >= must).all() and (result <= may).all())


@given(geometry=any_geometry, data=st.data())
def test_a_point_is_its_nearest_voxel(geometry: VolumeGeometry, data: st.DataObject) -> None:
    index = [data.draw(st.integers(0, n - 1)) for n in geometry.shape]
    away = [data.draw(st.integers(-3, 3)) / 8 for _ in range(3)]
    [position] = geometry.to_patient([np.add(index, away)]).tolist()
    result = rasterise(point_prompt(position), plan_of(geometry), model_of())
    assert isinstance(result, VoxelPoint)
    assert result.index.as_tuple() == tuple(index)
    assert result.box.shape == (1, 1, 1)


@given(geometry=any_geometry, axis=axes, data=st.data())
def test_an_aligned_box_is_half_open_over_its_corners(geometry: VolumeGeometry, axis: int, data: st.DataObject) -> None:
    first, second = [[data.draw(st.integers(0, n - 1)) for n in geometry.shape] for _ in range(2)]
    second[axis] = first[axis]
    u, v = (n for n in range(3) if n != axis)
    corners = np.array([first] * 4, dtype=np.float64)
    corners[1:3, u] = second[u]
    corners[2:4, v] = second[v]
    corners = np.roll(corners, data.draw(st.integers(0, 3)), axis=0)[:: data.draw(st.sampled_from([1, -1]))]
    jitter = np.array([data.draw(st.integers(-3, 3)) / 8 for _ in range(3)])
    prompt = drawn_prompt("box", geometry.to_patient(corners + jitter), normal_of(geometry, axis))
    result = rasterise(prompt, plan_of(geometry), model_of(oblique=()))
    assert isinstance(result, VoxelBox)
    low, high = np.minimum(first, second), np.maximum(first, second) + 1
    assert result.box == Box.from_bounds(np.stack([low, high], axis=1))
    assert result.box.shape[axis] == 1


@settings(max_examples=40)
@given(geometry=any_geometry, axis=axes, thickness=st.integers(1, 4), data=st.data())
def test_an_aligned_scribble_equals_the_oracle(
    geometry: VolumeGeometry, axis: int, thickness: int, data: st.DataObject
) -> None:
    index, points = flat_points(data, geometry, axis, data.draw(st.integers(1, 7)))
    prompt = drawn_prompt("scribble", points, normal_of(geometry, axis))
    shape = columns_of(geometry, axis)
    result = rasterise(prompt, plan_of(geometry), model_of(thickness, oblique=()))
    assert isinstance(result, VoxelStroke)
    assert result.kind == "scribble"
    full = np.moveaxis(painted(result, geometry.shape), axis, 0)
    assert not np.delete(full, index, axis=0).any()
    assert between(full[index], stroked(in_slice(geometry, points, axis), thickness, shape))


@settings(max_examples=40)
@given(geometry=any_geometry, axis=axes, closed=st.booleans(), data=st.data())
def test_an_aligned_lasso_equals_the_oracle(
    geometry: VolumeGeometry, axis: int, closed: bool, data: st.DataObject
) -> None:
    """Random outlines cross themselves, run along voxel centres, and are open or closed."""
    index, points = flat_points(data, geometry, axis, data.draw(st.integers(3, 8)))
    if closed:
        points = np.concatenate([points, points[:1]])
    assume(len({tuple(p) for p in points.tolist()}) >= 3)
    shape = columns_of(geometry, axis)
    must, may = filled(in_slice(geometry, points, axis), shape)
    prompt = drawn_prompt("lasso", points, normal_of(geometry, axis))
    if not may.any():
        with pytest.raises(PromptMalformed, match="holds no voxel centre"):
            rasterise(prompt, plan_of(geometry), model_of())
        return
    assume(must.any())
    result = rasterise(prompt, plan_of(geometry), model_of(oblique=()))
    assert isinstance(result, VoxelStroke)
    assert result.kind == "lasso"
    full = np.moveaxis(painted(result, geometry.shape), axis, 0)
    assert not np.delete(full, index, axis=0).any()
    assert between(full[index], (must, may))


@settings(max_examples=30)
@given(axis=axes, number=st.integers(0, 47), angle=st.floats(0.2, 1.3), data=st.data())
def test_a_box_turned_in_its_slice_is_its_filled_outline(
    axis: int, number: int, angle: float, data: st.DataObject
) -> None:
    geometry = geometry_of((12, 12, 12), ORIENTATIONS[number], (1.0, 1.0, 1.0), (3.0, -7.0, 11.0))
    half_u, half_v = data.draw(st.floats(1.5, 3.5)), data.draw(st.floats(1.5, 3.5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flat = 5.5 + (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_u, half_v)) @ turn.T
    points = geometry.to_patient(np.insert(flat, axis, 4.0, axis=1))
    result = rasterise(drawn_prompt("box", points, normal_of(geometry, axis)), plan_of(geometry), model_of(oblique=()))
    assert isinstance(result, VoxelStroke)
    assert result.kind == "lasso"
    full = np.moveaxis(painted(result, geometry.shape), axis, 0)
    assert between(full[4], filled(in_slice(geometry, points, axis), (12, 12)))


@pytest.mark.parametrize("number", range(48))
@pytest.mark.parametrize("axis", range(3))
def test_alignment_is_found_in_every_orientation(number: int, axis: int) -> None:
    geometry = geometry_of((9, 8, 7), ORIENTATIONS[number], (2.5, 0.4, 0.8), (-31.0, 250.5, 17.25))
    u, v = (n for n in range(3) if n != axis)
    corners = np.array([[3.0, 3.0, 3.0]] * 4)
    corners[1:3, u] = corners[2:4, v] = 5.0
    plan, model = plan_of(geometry), model_of(oblique=())
    for sign in (1.0, -1.0):
        normal = normal_of(geometry, axis) * sign
        box = rasterise(drawn_prompt("box", geometry.to_patient(corners), normal), plan, model)
        assert isinstance(box, VoxelBox)
        expected = [[3, 6]] * 3
        expected[axis] = [3, 4]
        assert box.box.bounds == expected
        dot = rasterise(drawn_prompt("scribble", geometry.to_patient(corners[:1]), normal), plan, model)
        assert [n for n, size in enumerate(dot.box.shape) if size == 1] == [axis]


def oblique_points(
    data: st.DataObject, geometry: VolumeGeometry, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Draw points inside the volume on a random plane through its middle: LPS mm, and the plane's normal."""
    tilt = [data.draw(st.integers(-8, 8)) for _ in range(3)]
    assume(any(tilt))
    normal = np.array(tilt) @ geometry.directions
    normal /= np.linalg.norm(normal)
    gradient = normal @ geometry.matrix[:3, :3]
    axis = int(np.argmax(np.abs(gradient)))
    u, v = (n for n in range(3) if n != axis)
    middle = (np.array(geometry.shape) - 1) / 2
    rows = []
    for _ in range(count):
        row = np.zeros(3)
        row[u], row[v] = (data.draw(fractions_of_a_voxel(geometry.shape[n])) for n in (u, v))
        row[axis] = (
            middle[axis] - (gradient[u] * (row[u] - middle[u]) + gradient[v] * (row[v] - middle[v])) / gradient[axis]
        )
        assume(-0.4 <= row[axis] <= geometry.shape[axis] - 0.6)
        rows.append(row)
    assume(len({tuple(row) for row in rows}) == count)
    spans = np.ptp(np.array(rows), axis=0)
    assume((spans > 1.1).all())  # never aligned
    return geometry.to_patient(rows), normal


def on_the_plane(
    full: npt.NDArray[np.bool_], axis: int, above: dict[tuple[int, int], float], columns: npt.NDArray[np.bool_]
) -> None:
    """Check that exactly these columns hold a voxel, one each, within half a voxel of the plane."""
    turned = np.moveaxis(full, axis, -1)
    assert (turned.sum(axis=-1) <= 1).all()
    for cell, height in above.items():
        for index in np.flatnonzero(turned[cell]):
            assert abs(float(height) - int(index)) <= 0.5 + 1e-3 + 1e-7
        if columns[cell]:
            assert turned[cell].any() or not -0.49 <= height <= turned.shape[-1] - 0.51


@settings(max_examples=40)
@given(geometry=any_geometry, kind=st.sampled_from(["lasso", "scribble"]), data=st.data())
def test_an_oblique_stroke_equals_the_definition(
    geometry: VolumeGeometry, kind: Literal["lasso", "scribble"], data: st.DataObject
) -> None:
    thickness = 2
    points, normal = oblique_points(data, geometry, data.draw(st.integers(3, 6)))
    axis, exact = heights(geometry, points.tolist(), normal.tolist())
    above = {cell: float(h) for cell, h in exact.items()}
    must, may = _oblique_columns(kind, geometry, points, axis, above, thickness)
    try:
        result = rasterise(drawn_prompt(kind, points, normal), plan_of(geometry), model_of(thickness))
    except PromptMalformed as error:
        if "holds no voxel centre" not in error.detail:
            raise
        assert not any(must[c] and 0 <= h <= geometry.shape[axis] - 1 for c, h in above.items())
        return
    assert isinstance(result, VoxelStroke)
    assert result.kind == kind
    full = painted(result, geometry.shape)
    columns = np.moveaxis(full, axis, -1).any(axis=-1)
    assert (columns <= may).all()
    on_the_plane(full, axis, above, must)


def _oblique_columns(
    kind: str,
    geometry: VolumeGeometry,
    points: npt.NDArray[np.float64],
    axis: int,
    above: dict[tuple[int, int], float],
    thickness: int,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    shape = columns_of(geometry, axis)
    flat = in_slice(geometry, points, axis)
    if kind == "lasso":
        return filled(flat, shape)
    must, may = stroked(flat, 0, shape)  # for the columns that the points round to
    line = [(*cell, index[axis]) for cell, index in zip(flat, exact_indices(geometry, points.tolist()), strict=True)]
    reach = thickness * ONE // 2 + SLACK
    for cell, height in above.items():
        centre = (cell[0] * ONE, cell[1] * ONE, int(height * ONE))
        must[cell] |= within(line, centre, reach - BAND)
        may[cell] |= within(line, centre, reach + BAND)
    return must, may


@settings(max_examples=30)
@given(geometry=geometries(8, 12), data=st.data())
def test_an_oblique_box_is_filled_in_its_plane(geometry: VolumeGeometry, data: st.DataObject) -> None:
    tilt = np.array([data.draw(st.integers(2, 8)) for _ in range(3)], dtype=np.float64)
    normal = (tilt / np.linalg.norm(tilt)) @ geometry.directions
    along = np.cross(normal, geometry.directions[data.draw(axes)])
    along /= np.linalg.norm(along)
    size = 0.3 * min(n * s for n, s in zip(geometry.shape, geometry.spacing_mm, strict=True))
    [middle] = geometry.to_patient([(np.array(geometry.shape) - 1) / 2])
    a, b = along * size, np.cross(normal, along) * size * 0.8
    points = np.array([middle - a - b, middle + a - b, middle + a + b, middle - a + b])
    assume((np.ptp(geometry.to_continuous(points), axis=0) > 1.1).all())
    axis, exact = heights(geometry, points.tolist(), normal.tolist())
    must, may = filled(in_slice(geometry, points, axis), columns_of(geometry, axis))
    assume(must.any())
    result = rasterise(drawn_prompt("box", points, normal), plan_of(geometry), model_of())
    assert isinstance(result, VoxelStroke)
    assert result.kind == "lasso"
    full = painted(result, geometry.shape)
    assert (np.moveaxis(full, axis, -1).any(axis=-1) <= may).all()
    on_the_plane(full, axis, {c: float(h) for c, h in exact.items()}, must)


@settings(max_examples=30)
@given(geometry=geometries(6, 12), axis=axes, data=st.data())
def test_float32_positions_give_the_same_voxels(geometry: VolumeGeometry, axis: int, data: st.DataObject) -> None:
    """Viewers send float32: a stroke through voxel centres, where every border case lies, does not notice."""
    shifted = geometry_of(geometry.shape, geometry.directions.T, geometry.spacing_mm, (-210.3, 95.7, 412.9))
    index = [[data.draw(st.integers(0, n - 1)) for n in shifted.shape] for _ in range(4)]
    continuous = np.array(index, dtype=np.float64)
    continuous[:, axis] = index[0][axis]
    assume(len({tuple(c) for c in continuous.tolist()}) >= 3)
    points, normal = shifted.to_patient(continuous), normal_of(shifted, axis)
    for kind in ("scribble", "lasso"):
        exact = rasterise(drawn_prompt(kind, points, normal), plan_of(shifted), model_of())
        rough = rasterise(
            drawn_prompt(kind, points.astype(np.float32), normal.astype(np.float32)), plan_of(shifted), model_of()
        )
        assert isinstance(exact, VoxelStroke)
        assert isinstance(rough, VoxelStroke)
        assert exact.box == rough.box
        assert np.array_equal(exact.region.voxels, rough.region.voxels)


def test_the_oracle_knows_textbook_outlines() -> None:
    def cell(y: float, x: float) -> tuple[int, int]:
        return int(y * ONE), int(x * ONE)

    square: Sequence[tuple[int, int]] = [cell(0, 0), cell(0, 4), cell(4, 4), cell(4, 0)]
    assert abs(winding_number(square, cell(2, 2))) == 1
    assert winding_number(square, cell(2, 5)) == 0
    twice = [*square, *square]
    assert abs(winding_number(twice, cell(2, 2))) == 2
    eight = [cell(0, 0), cell(4, 4), cell(4, 0), cell(0, 4)]
    assert winding_number(eight, cell(0.5, 2)) == -winding_number(eight, cell(3.5, 2)) != 0
