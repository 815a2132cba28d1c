"""The language-neutral cases of tests/corpus, which the viewer's TypeScript runs as well."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from delineate.domain.errors import PromptError
from delineate.domain.geometry import Box, PatientPoint, Points, VolumeGeometry, round_index
from delineate.domain.labelmap import unpack_text
from delineate.domain.model import ModelInfo
from delineate.domain.plane import VoxelPlane, aligned_plane, nearest_aligned
from delineate.domain.prompts import DrawnPrompt, PointPrompt, PromptOrigin, VoxelBox, VoxelPoint
from delineate.domain.rasterise import rasterise
from delineate.domain.volume import SliceSource, VolumePlan

CORPUS = Path(__file__).parent.parent / "corpus"
Case = dict[str, Any]


def load(name: str) -> Any:
    return json.loads((CORPUS / f"{name}.json").read_text())


PROMPTS = load("prompts")


def named(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", named(load("mapping")["cases"]))
def test_mapping(case: Case) -> None:
    geometry = VolumeGeometry.from_matrix(tuple(case["shape"]), case["affine"], "1.2")
    continuous = geometry.to_continuous(case["points"])
    np.testing.assert_allclose(continuous, case["continuous"], atol=1e-6)
    indices = round_index(continuous)
    assert indices.tolist() == case["indices"]
    assert geometry.holds(indices).tolist() == case["inside"]
    np.testing.assert_allclose(geometry.to_patient(case["continuous"]), case["points"], atol=1e-5)


@pytest.mark.parametrize("case", named(PROMPTS["cases"]))
def test_prompts(case: Case) -> None:
    expected = case["expected"]
    if "error" in expected:
        with pytest.raises(PromptError) as caught:
            outcome(case)
        assert kebab(type(caught.value).__name__) == expected["error"]
        return
    assert outcome(case) == expected


@pytest.mark.parametrize("case", named(load("planes")["cases"]))
def test_planes(case: Case) -> None:
    grid = PROMPTS["geometries"][case["geometry"]]
    geometry = VolumeGeometry.from_matrix(tuple(grid["shape"]), grid["affine"], "1.2")
    normal = np.array(case["normal"])
    nearest, _ = nearest_aligned(geometry, normal)
    np.testing.assert_allclose(nearest, case["nearest_normal"], atol=1e-9)
    np.testing.assert_allclose(geometry.directions[case["nearest_axis"]] @ normal, np.dot(nearest, normal) * sign(case))
    aligned = aligned_plane(corners(geometry, normal), geometry, normal)
    assert (aligned is not None) == (case["plane"] == "aligned")


def sign(case: Case) -> float:
    """Whether the nearest normal runs along its voxel axis or against it."""
    grid = PROMPTS["geometries"][case["geometry"]]
    axis = np.array(grid["affine"])[:3, case["nearest_axis"]]
    return float(np.sign(axis @ np.array(case["nearest_normal"])))


def corners(geometry: VolumeGeometry, normal: npt.NDArray[np.float64]) -> Points:
    """Return where the plane through the middle of the volume meets its corners, continuous (k, j, i)."""
    last = np.array(geometry.shape) - 1.0
    plane = VoxelPlane.oblique(geometry, (last / 2)[None], normal)
    u, v = plane.columns
    points = np.zeros((4, 3))
    points[:, u] = [0, 0, last[u], last[u]]
    points[:, v] = [0, last[v], last[v], 0]
    points[:, plane.axis] = plane.level + points[:, u] * plane.slope[0] + points[:, v] * plane.slope[1]
    return points


def outcome(case: Case) -> Case:
    """Run a case and word what came out as the corpus does."""
    result = rasterise(prompt_of(case["prompt"]), plan_of(case), model_of(case["model"]))
    assert result.include == case["prompt"]["include"]
    if isinstance(result, VoxelPoint):
        return {"kind": "point", "index": list(result.index.as_tuple())}
    if isinstance(result, VoxelBox):
        return {"kind": "box", "box": result.box.bounds}
    voxels = (np.argwhere(result.region.voxels) + np.array(result.box.start)).tolist()
    return {"kind": result.kind, "box": result.box.bounds, "voxels": voxels}


def prompt_of(body: Case) -> PointPrompt | DrawnPrompt:
    origin = PromptOrigin(
        body["id"],
        body["include"],
        body["frame_of_reference_uid"],
        body.get("sop_instance_uid"),
        body.get("frame_number"),
    )
    points = tuple(PatientPoint(*p) for p in body["points"])
    if body["kind"] == "point":
        return PointPrompt(origin, points[0])
    return DrawnPrompt(origin, body["kind"], points, tuple(body["plane_normal"]))


def plan_of(case: Case) -> VolumePlan:
    grid = PROMPTS["geometries"][case["geometry"]]
    frame = PROMPTS["frame_of_reference_uid"]
    geometry = VolumeGeometry.from_matrix(tuple(grid["shape"]), grid["affine"], frame)
    multi = case["slices"] == "multi-frame"
    slices = [SliceSource("1.5", k + 1) if multi else SliceSource(f"1.5.{k + 1}", 1) for k in range(grid["shape"][0])]
    return VolumePlan("1.3", "1.4", None, "MR", geometry, tuple(slices))


def model_of(given: Case) -> ModelInfo:
    prompts, oblique = tuple(given["prompts"]), tuple(given["oblique_prompts"])
    thickness = given["scribble_thickness_voxels"]
    return ModelInfo("m", "Model", True, "licence", "1", "0", prompts, oblique, thickness, (96, 96, 96))


def kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@pytest.mark.parametrize("case", named(load("patches")["cases"]))
def test_patches(case: Case) -> None:
    assert case["encoding"] == "bits-deflate-base64"
    box = Box.from_bounds(case["box"])
    if case.get("invalid"):
        with pytest.raises(ValueError):
            unpack_text(case["voxels"], box.shape)
        return
    voxels = unpack_text(case["voxels"], box.shape)
    assert (np.argwhere(voxels) + np.array(box.start)).tolist() == case["set"]
