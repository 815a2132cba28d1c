"""Prompts that are refused: by which leaf, in which order, in which words. What they become: tests/corpus."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from tests.property.strategies import (
    ORIENTATIONS,
    OTHER_FRAME,
    drawn_prompt,
    geometry_of,
    model_of,
    normal_of,
    plan_of,
    point_prompt,
)

from delineate.domain.errors import (
    PromptKindUnsupported,
    PromptMalformed,
    PromptOutsideVolume,
    PromptPlaneMismatch,
    PromptPlaneUnsupported,
    PromptReferenceMismatch,
    WrongFrameOfReference,
)
from delineate.domain.geometry import VolumeGeometry
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelStroke
from delineate.domain.rasterise import rasterise

AXES = np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])
"""Columns: k along z, j along y, i along x."""


def axial(shape: tuple[int, int, int] = (20, 30, 40)) -> VolumeGeometry:
    return geometry_of(shape, AXES, (2.0, 0.5, 0.5), (-10.0, -20.0, 30.0))


def tilted(degrees: float, shape: tuple[int, int, int] = (40, 40, 40)) -> VolumeGeometry:
    """Return isotropic slices turned about the patient's x axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return geometry_of(shape, np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]]) @ AXES, (1.0, 1.0, 1.0))


def test_the_checks_come_in_order() -> None:
    """A prompt with every fault is refused for the first one; mended, for the next."""
    geometry = axial()
    plan = plan_of(geometry)
    far = geometry.to_patient([[3, 4, 5], [3, 4, 500], [9, 9, 9]])
    near = geometry.to_patient([[3, 4, 5], [3, 8, 9], [9, 9, 5]])
    prompt = drawn_prompt("lasso", far, (0, 0, 1), frame_of_reference_uid=OTHER_FRAME, sop_instance_uid="1.9")
    with pytest.raises(PromptKindUnsupported, match=r"does not take a lasso\. It takes: point"):
        rasterise(prompt, plan, model_of(prompts=["point"]))
    with pytest.raises(WrongFrameOfReference) as wrong:
        rasterise(prompt, plan, model_of())
    assert wrong.value.given == OTHER_FRAME
    with pytest.raises(PromptOutsideVolume) as outside:
        rasterise(drawn_prompt("lasso", far, (0, 0, 1), sop_instance_uid="1.9"), plan, model_of())
    assert outside.value.point == pytest.approx((240.0, -18.0, 36.0))
    assert outside.value.index == pytest.approx((3, 4, 500))
    with pytest.raises(PromptReferenceMismatch, match="not part of this volume"):
        rasterise(drawn_prompt("lasso", near, (0, 0, 1), sop_instance_uid="1.9"), plan, model_of())
    with pytest.raises(PromptPlaneMismatch, match="perpendicular to its plane_normal"):
        rasterise(drawn_prompt("lasso", near, (0, 0, 1)), plan, model_of())


@pytest.mark.parametrize("coordinate", [1e6, -1e30, 1e308])
def test_a_click_far_outside_is_refused(coordinate: float) -> None:
    with pytest.raises(PromptOutsideVolume) as caught:
        rasterise(point_prompt((coordinate, 0, 0)), plan_of(axial()), model_of())
    assert np.isfinite(caught.value.index).all()


def test_the_border_of_the_volume_belongs_to_it() -> None:
    geometry = axial()
    corners = geometry.to_patient([[-0.5, -0.5, -0.5], [19.49, 29.49, 39.49]])
    for corner, index in zip(corners, [(0, 0, 0), (19, 29, 39)], strict=True):
        result = rasterise(point_prompt(corner), plan_of(geometry), model_of())
        assert isinstance(result, VoxelPoint)
        assert result.index.as_tuple() == index


@pytest.mark.parametrize(
    ("multiframe", "uid", "frame", "words"),
    [
        (False, "1.9", None, "not part of this volume"),
        (False, "1.5.4", 2, "Frame 2 of image 1.5.4 is not part"),
        (False, "1.5.5", None, "2.000 mm from the image"),
        (False, None, 4, "sop_instance_uid is missing"),
        (True, "1.5", None, "send frame_number"),
        (True, "1.5", 0, "Frame 0 of image 1.5 is not part"),
        (True, "1.5", 21, "Frame 21 of image 1.5 is not part"),
        (True, "1.5", 5, "2.000 mm from the image"),
    ],
)
def test_an_image_that_does_not_fit_the_points_is_refused(
    multiframe: bool, uid: str | None, frame: int | None, words: str
) -> None:
    geometry = axial()
    [position] = geometry.to_patient([[3, 4, 5]]).tolist()
    prompt = point_prompt(position, sop_instance_uid=uid, frame_number=frame)
    with pytest.raises(PromptReferenceMismatch, match=words):
        rasterise(prompt, plan_of(geometry, multiframe), model_of())


@pytest.mark.parametrize("k", [2.5, 2.51, 3.0, 3.49, 3.5])
def test_points_within_half_a_slice_of_their_image_are_taken(k: float) -> None:
    geometry = axial()
    [position] = geometry.to_patient([[k, 4, 5]]).tolist()
    rasterise(point_prompt(position, sop_instance_uid="1.5.4"), plan_of(geometry), model_of())
    rasterise(point_prompt(position, sop_instance_uid="1.5", frame_number=4), plan_of(geometry, True), model_of())


def test_points_just_beyond_half_a_slice_are_not() -> None:
    geometry = axial()
    [position] = geometry.to_patient([[3.502, 4, 5]]).tolist()
    with pytest.raises(PromptReferenceMismatch):
        rasterise(point_prompt(position, sop_instance_uid="1.5.4"), plan_of(geometry), model_of())


def test_points_off_the_plane_are_refused_beyond_a_quarter_of_the_smallest_voxel() -> None:
    geometry = axial()
    flat = geometry.to_patient([[3, 4, 5], [3, 4, 15], [3, 12, 15], [3, 12, 5]])
    noisy = flat + np.array([[0, 0, d] for d in (0.12, -0.12, 0.12, -0.12)])
    assert isinstance(rasterise(drawn_prompt("box", noisy, (0, 0, 1)), plan_of(geometry), model_of()), VoxelBox)
    with pytest.raises(PromptPlaneMismatch, match=r"up to 0\.150 mm .* 0\.125 mm are allowed"):
        rasterise(drawn_prompt("box", flat + 1.25 * (noisy - flat), (0, 0, 1)), plan_of(geometry), model_of())


@pytest.mark.parametrize(
    ("degrees", "normal", "words"),
    [
        (0.0, (0.0, -0.6, 0.8), "axial"),
        (0.0, (0.1, -0.9, 0.3), "coronal"),
        (0.0, (-0.9, 0.2, 0.2), "sagittal"),
        (5.0, (0.0, -0.6, 0.8), "axial"),
        (20.0, (0.0, 0.2, 0.9), "the acquired slices"),
        (20.0, (0.1, 0.9, 0.0), "the plane across the acquired slices, along their rows"),
        (20.0, (0.9, 0.2, 0.2), "sagittal"),
    ],
)
def test_an_oblique_plane_is_refused_with_the_nearest_one(
    degrees: float, normal: tuple[float, float, float], words: str
) -> None:
    geometry = tilted(degrees)
    n = np.array(normal) / np.linalg.norm(normal)
    along = np.cross(n, (0.3, 0.2, 0.5))
    points = geometry.to_patient([[20, 20, 20]]) + 12 * np.array([-along, along, np.cross(n, along)])
    with pytest.raises(PromptPlaneUnsupported) as caught:
        rasterise(drawn_prompt("lasso", points, n), plan_of(geometry), model_of(oblique=["scribble"]))
    assert caught.value.nearest_plane == words
    assert f"({words})" in caught.value.detail
    nearest = np.array(caught.value.nearest_normal)
    cosines = geometry.directions @ n
    assert float(nearest @ n) == pytest.approx(np.abs(cosines).max())
    [turned] = geometry.to_patient([[20, 20, 20]]) - points.mean(axis=0)
    aligned = points + turned - np.outer((points - points.mean(axis=0)) @ nearest, nearest)
    rasterise(drawn_prompt("lasso", aligned, nearest), plan_of(geometry), model_of(oblique=()))


def test_a_point_needs_no_plane() -> None:
    geometry = tilted(20.0)
    [position] = geometry.to_patient([[7.2, 8.4, 9.6]]).tolist()
    result = rasterise(point_prompt(position, include=False), plan_of(geometry), model_of(oblique=()))
    assert isinstance(result, VoxelPoint)
    assert result.index.as_tuple() == (7, 8, 10)
    assert not result.include


@pytest.mark.parametrize("order", [(0, 1, 3, 2), (0, 2, 1, 3)])
def test_corners_that_do_not_go_round_the_box_are_refused(order: tuple[int, ...]) -> None:
    """As a viewer's rectangle tool may list them."""
    geometry = axial()
    corners = geometry.to_patient([[3, 4, 5], [3, 4, 15], [3, 12, 15], [3, 12, 5]])[list(order)]
    with pytest.raises(PromptMalformed, match="in order"):
        rasterise(drawn_prompt("box", corners, (0, 0, 1)), plan_of(geometry), model_of())


def test_four_corners_of_no_rectangle_are_refused() -> None:
    geometry = axial()
    corners = geometry.to_patient([[3, 4, 5], [3, 4, 15], [3, 12, 25], [3, 12, 15]])
    with pytest.raises(PromptMalformed, match="rectangle"):
        rasterise(drawn_prompt("box", corners, (0, 0, 1)), plan_of(geometry), model_of())


def test_an_outline_around_no_voxel_centre_is_refused_with_a_remedy() -> None:
    geometry = axial()
    small = geometry.to_patient([[3, 4.2, 5.2], [3, 4.2, 5.8], [3, 4.8, 5.5]])
    with pytest.raises(PromptMalformed, match=r"The lasso holds no voxel centre.*Draw it larger"):
        rasterise(drawn_prompt("lasso", small, (0, 0, 1)), plan_of(geometry), model_of())


def test_a_scribble_is_never_empty() -> None:
    geometry = axial()
    dot = geometry.to_patient([[3, 4.49, 5.49]])
    for thickness in (1, 2, 3):
        result = rasterise(drawn_prompt("scribble", dot, (0, 0, 1)), plan_of(geometry), model_of(thickness))
        assert isinstance(result, VoxelStroke)
        assert result.region.voxels[0, 4 - result.box.start[1], 5 - result.box.start[2]]


@pytest.mark.parametrize("number", [0, 13, 30, 47])
def test_a_plane_half_way_between_slices_is_one_slice_whatever_the_noise(number: int) -> None:
    geometry = geometry_of((10, 10, 10), ORIENTATIONS[number], (1.0, 0.7, 0.7), (-3.3, 7.7, 1.1))
    for axis in range(3):
        u, v = (n for n in range(3) if n != axis)
        continuous = np.full((4, 3), 4.5)
        continuous[:, u], continuous[:, v] = (2, 2, 7, 7), (3, 8, 8, 3)
        continuous[:, axis] += (0.01, -0.01, 0.02, -0.015)
        prompt = drawn_prompt("box", geometry.to_patient(continuous), normal_of(geometry, axis))
        result = rasterise(prompt, plan_of(geometry), model_of(oblique=()))
        assert isinstance(result, VoxelBox)
        assert result.box.bounds[axis] == [5, 6]
        assert result.box.bounds[u] == [2, 8]
        assert result.box.bounds[v] == [3, 9]


@pytest.mark.parametrize("kind", ["scribble", "lasso"])
def test_hostile_strokes_take_bounded_memory(kind: str) -> None:
    """Thousands of lines across the whole slice: 30 million voxels to look at, some at a time."""
    geometry = geometry_of((4, 512, 512), AXES, (1.0, 0.5, 0.5))
    zigzag = np.random.default_rng(0).uniform(0, 511, (8_000, 2))
    points = geometry.to_patient(np.insert(zigzag, 0, 2.0, axis=1))
    prompt = drawn_prompt(kind, points, (0, 0, 1))
    tracemalloc.start()
    try:
        rasterise(prompt, plan_of(geometry), model_of())
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
