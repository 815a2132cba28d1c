"""The journal's JSON form of prompts, segments and plans: what a session is rebuilt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from delineate.domain.geometry import Box, PatientPoint, VolumeGeometry
from delineate.domain.labelmap import PackedRegion
from delineate.domain.prompts import DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt, PromptOrigin
from delineate.domain.result import Result, ResultDocument
from delineate.domain.segment import CODES, CodedConcept, SegmentDescription
from delineate.domain.volume import SliceSource, VolumePlan

Json = dict[str, Any]


def prompt_to_json(prompt: Prompt) -> tuple[Json, bytes]:
    """Return a prompt as JSON and the packed voxels that go beside it (empty but for a labelmap)."""
    data: Json = {"kind": prompt.kind, **asdict(prompt.origin)}
    match prompt:
        case PointPrompt(point=point):
            data["points"] = [point.as_tuple()]
        case DrawnPrompt(points=points, plane_normal=normal):
            data["points"] = [p.as_tuple() for p in points]
            data["plane_normal"] = normal
        case LabelmapPrompt(packed=packed):
            data["box"] = packed.box.bounds
            return data, packed.data
    return data, b""


def prompt_from_json(data: Mapping[str, Any], blob: bytes) -> Prompt:
    """Turn a journal's JSON and packed voxels back into the prompt."""
    origin = PromptOrigin(
        id=data["id"],
        include=data["include"],
        frame_of_reference_uid=data["frame_of_reference_uid"],
        sop_instance_uid=data["sop_instance_uid"],
        frame_number=data["frame_number"],
    )
    kind = data["kind"]
    if kind == "labelmap":
        return LabelmapPrompt(origin, PackedRegion(Box.from_bounds(data["box"]), blob))
    points = tuple(PatientPoint(*p) for p in data["points"])
    if kind == "point":
        return PointPrompt(origin, points[0])
    x, y, z = data["plane_normal"]
    return DrawnPrompt(origin, kind, points, (x, y, z))


def description_to_json(description: SegmentDescription) -> Json:
    """Return a segment's description as JSON."""
    return asdict(description)


def description_from_json(data: Mapping[str, Any]) -> SegmentDescription:
    """Turn JSON back into a segment's description."""
    red, green, blue = data["colour"]
    codes = {name: CodedConcept(**data[name]) if data.get(name) else None for name in CODES}
    return SegmentDescription(label=data["label"], colour=(red, green, blue), locked=data["locked"], **codes)


def plan_to_json(plan: VolumePlan) -> Json:
    """Return a volume plan as JSON."""
    return {
        "study_instance_uid": plan.study_instance_uid,
        "series_instance_uid": plan.series_instance_uid,
        "volume": plan.volume,
        "modality": plan.modality,
        "shape": plan.geometry.shape,
        "affine": plan.geometry.affine,
        "frame_of_reference_uid": plan.geometry.frame_of_reference_uid,
        "slices": [[s.sop_instance_uid, s.frame_number] for s in plan.slices],
    }


def plan_from_json(data: Mapping[str, Any]) -> VolumePlan:
    """Turn JSON back into a volume plan; floats survive exactly."""
    k, j, i = data["shape"]
    return VolumePlan(
        study_instance_uid=data["study_instance_uid"],
        series_instance_uid=data["series_instance_uid"],
        volume=data["volume"],
        modality=data["modality"],
        geometry=VolumeGeometry.from_matrix((k, j, i), data["affine"], data["frame_of_reference_uid"]),
        slices=tuple(SliceSource(uid, frame) for uid, frame in data["slices"]),
    )


def result_to_json(result: Result) -> Json:
    """Return a result's state as JSON."""
    return asdict(result)


def result_from_json(data: Mapping[str, Any]) -> Result:
    """Turn JSON back into a result's state."""
    plain: Json = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    documents = tuple(ResultDocument(**{**d, "coerced": tuple(d["coerced"])}) for d in data.get("documents", ()))
    return Result(**{**plain, "documents": documents})
