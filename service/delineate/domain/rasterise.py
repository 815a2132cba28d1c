"""Prompts in the patient become prompts in voxels: every check, and the rules of drawing, in one place.

The rules (docs/adr/0002-coordinates-on-the-wire.md):

- A point is its nearest voxel.
- A prompt is *aligned* if all its points round to one index on one voxel axis; it is drawn in that slice, else on its
  oblique plane: one voxel per column along argmax |n_i| s_i. Nothing is projected or moved.
- An aligned box is half-open, min .. max + 1 of its corners' voxels; turned within its slice it is its filled outline.
- A scribble is every voxel whose centre lies within half the model's preferred thickness (voxels) of the polyline, and
  the voxels that its points round to.
- A lasso is filled by the non-zero rule, the voxel centres on the outline included.
"""

from __future__ import annotations

from typing import Never

import numpy as np
import numpy.typing as npt

from delineate.domain.errors import (
    PromptKindUnsupported,
    PromptMalformed,
    PromptOutsideVolume,
    PromptPlaneMismatch,
    PromptPlaneUnsupported,
    PromptReferenceMismatch,
    WrongFrameOfReference,
)
from delineate.domain.geometry import (
    FARTHEST_INDEX,
    ROUNDING_SLACK,
    Box,
    Points,
    VolumeGeometry,
    VoxelIndex,
    round_index,
)
from delineate.domain.labelmap import Region
from delineate.domain.model import ModelInfo
from delineate.domain.plane import (
    CENTRE_SLACK,
    Columns,
    VoxelPlane,
    Window,
    aligned_plane,
    cover_line,
    fill_outline,
    nearest_aligned,
)
from delineate.domain.prompts import (
    DrawnPrompt,
    PointPrompt,
    PromptOrigin,
    VoxelBox,
    VoxelPoint,
    VoxelPrompt,
    VoxelStroke,
)
from delineate.domain.volume import VolumePlan

PLANE_TOLERANCE = 0.25
"""How far a point may lie from the plane that its prompt names, as a fraction of the smallest voxel spacing.

Viewers send float32 positions (noise of 1e-4 mm) and sometimes normals of few digits (0.05 mm over a large image)."""
HALF_SLICE = 0.5 + ROUNDING_SLACK
"""Slices: how far a point may lie from the plane of the image that it was drawn on."""
BOX_CORNER_TOLERANCE = 1.0
"""How far four corners may be from a rectangle, as a fraction of the smallest voxel spacing."""
BOX_EDGE_TOLERANCE = 0.5
"""Voxels: a box whose edges deviate no more than this from a voxel axis is not turned within its slice."""


def rasterise(prompt: PointPrompt | DrawnPrompt, plan: VolumePlan, model: ModelInfo) -> VoxelPrompt:
    """Turn a prompt into voxels of the volume, or refuse it.

    Parameters
    ----------
    prompt
        In LPS mm.
    plan
        The volume that it is meant for.
    model
        Says which kinds it takes, which of them on oblique planes, and how thick it likes a scribble.

    Returns
    -------
    The same prompt in voxels, inside the volume and not empty.

    Raises
    ------
    PromptKindUnsupported
        If the model does not take this kind of prompt.
    WrongFrameOfReference
        If the prompt lies in another frame of reference than the volume.
    PromptOutsideVolume
        If the voxel of a point lies outside the volume.
    PromptReferenceMismatch
        If the image or frame named is no slice of the volume, or the points do not lie on it.
    PromptPlaneMismatch
        If the points do not lie in the plane named.
    PromptMalformed
        If the corners of a box are no rectangle, or an outline holds no voxel centre.
    PromptPlaneUnsupported
        If the plane is oblique and the model does not take this kind there.

    References
    ----------
    PS3.3 C.7.6.2.1.1 (image position and orientation), C.7.4.1 (frame of reference).
    """
    geometry = plan.geometry
    points = _positions(prompt)
    _check_kind(prompt.kind, model)
    _check_frame_of_reference(prompt.origin, geometry)
    continuous = _check_inside(points, geometry)
    _check_reference(prompt.origin, continuous, plan)
    if isinstance(prompt, PointPrompt):
        k, j, i = round_index(continuous)[0].tolist()
        return VoxelPoint(VoxelIndex(k, j, i), prompt.origin.include)
    normal = _check_plane(prompt, points, geometry)
    if prompt.kind == "box":
        _check_rectangle(points, geometry)
    return _draw(prompt, continuous, geometry, normal, model)


def _positions(prompt: PointPrompt | DrawnPrompt) -> Points:
    """Return the prompt's points, shape (n, 3), LPS mm."""
    points = (prompt.point,) if isinstance(prompt, PointPrompt) else prompt.points
    return np.array([(p.x, p.y, p.z) for p in points], dtype=np.float64)


# --- checks ---------------------------------------------------------------------------------------


def _check_kind(kind: str, model: ModelInfo) -> None:
    if kind not in model.prompts:
        raise PromptKindUnsupported(
            f"The model {model.name} does not take a {kind}. It takes: {', '.join(model.prompts) or 'no prompt'}."
        )


def _check_frame_of_reference(origin: PromptOrigin, geometry: VolumeGeometry) -> None:
    if origin.frame_of_reference_uid != geometry.frame_of_reference_uid:
        raise WrongFrameOfReference(origin.frame_of_reference_uid, geometry.frame_of_reference_uid)


def _check_inside(points: Points, geometry: VolumeGeometry) -> Points:
    """Return the points as continuous voxel indices (n, 3); PromptOutsideVolume names the first one outside."""
    continuous = geometry.to_continuous(points)
    outside = np.flatnonzero(~geometry.holds(round_index(continuous)))
    if outside.size:
        x, y, z = points[outside[0]].tolist()
        index = np.nan_to_num(continuous[outside[0]], nan=-FARTHEST_INDEX)
        k, j, i = np.clip(index, -FARTHEST_INDEX, FARTHEST_INDEX).tolist()
        raise PromptOutsideVolume((x, y, z), geometry.shape, (k, j, i))
    return continuous


def _check_reference(origin: PromptOrigin, continuous: Points, plan: VolumePlan) -> None:
    """Check that the image named, if any, is a slice of the volume and that the points lie on it."""
    uid, number = origin.sop_instance_uid, origin.frame_number
    if uid is None:
        if number is not None:
            raise PromptReferenceMismatch(
                f"frame_number {number} counts the frames of an image, but sop_instance_uid is missing. "
                "Send both, or none to have the prompt taken by its position."
            )
        return
    frames = {s.frame_number: k for k, s in enumerate(plan.slices) if s.sop_instance_uid == uid}
    if not frames:
        raise PromptReferenceMismatch(
            f"The prompt was drawn on an image that is not part of this volume ({uid}). Draw on its images, or leave "
            "sop_instance_uid out to have the prompt taken by its position."
        )
    if number is None and len(frames) > 1:
        raise PromptReferenceMismatch(
            f"Image {uid} has several frames in this volume: send frame_number (from {min(frames)} to {max(frames)}) "
            "with sop_instance_uid."
        )
    frame = 1 if number is None else number
    k = frames.get(frame)
    if k is None:
        raise PromptReferenceMismatch(
            f"Frame {frame} of image {uid} is not part of this volume, which has its frames {min(frames)} to "
            f"{max(frames)}. Draw on the images of this volume."
        )
    away = float(np.abs(continuous[:, 0] - k).max())
    if away > HALF_SLICE:
        spacing = plan.geometry.spacing_mm[0]
        raise PromptReferenceMismatch(
            f"The prompt lies up to {away * spacing:.3f} mm from the image that it names ({uid}, frame {frame}), "
            f"more than half the slice spacing of {spacing:.3f} mm. Send the image that it was drawn on, or none."
        )


def _check_plane(prompt: DrawnPrompt, points: Points, geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Return the plane's unit normal (LPS) after checking that all points lie in one such plane."""
    normal = np.array(prompt.plane_normal, dtype=np.float64)
    normal /= np.linalg.norm(normal)
    away = float(np.abs((points - points.mean(axis=0)) @ normal).max())
    tolerance = PLANE_TOLERANCE * min(geometry.spacing_mm)
    if away > tolerance:
        raise PromptPlaneMismatch(
            f"The points of the {prompt.kind} lie up to {away:.3f} mm from a plane perpendicular to its plane_normal; "
            f"{tolerance:.3f} mm are allowed. Send the normal of the plane that it was drawn on."
        )
    return normal


def _check_rectangle(points: Points, geometry: VolumeGeometry) -> None:
    """Check that four corners (4, 3) go round a rectangle."""
    a, b, c, d = points
    skew = float(np.linalg.norm(a - b + c - d))
    uneven = abs(float(np.linalg.norm(a - c) - np.linalg.norm(b - d)))
    if max(skew, uneven) > BOX_CORNER_TOLERANCE * min(geometry.spacing_mm):
        raise PromptMalformed(
            "The four points of the box are not the corners of a rectangle in order. Send them going round the "
            "rectangle, neighbours next to each other; draw any other outline as a lasso."
        )


# --- drawing --------------------------------------------------------------------------------------


def _draw(
    prompt: DrawnPrompt,
    continuous: Points,
    geometry: VolumeGeometry,
    normal: npt.NDArray[np.float64],
    model: ModelInfo,
) -> VoxelBox | VoxelStroke:
    """Draw a prompt in the slice or on the oblique plane that its points lie in."""
    include = prompt.origin.include
    plane = aligned_plane(continuous, geometry, normal)
    if prompt.kind == "box" and plane is not None and not _is_turned(continuous[:, plane.columns]):
        return VoxelBox(_corner_box(continuous, plane), include)
    if plane is None:
        if prompt.kind not in model.oblique_prompts:
            raise PromptPlaneUnsupported(prompt.kind, *nearest_aligned(geometry, normal))
        plane = VoxelPlane.oblique(geometry, continuous, normal)
    if prompt.kind == "scribble":
        return VoxelStroke("scribble", _stroke(continuous, plane, geometry, model.scribble_thickness_voxels), include)
    return VoxelStroke("lasso", _filled(prompt.kind, continuous, plane, geometry), include)


def _is_turned(corners: Columns) -> bool:
    """Tell whether a rectangle (4, 2) has an edge that follows neither axis of its slice."""
    edges = np.abs(corners - np.roll(corners, 1, axis=0))
    return bool((edges.min(axis=1) > BOX_EDGE_TOLERANCE).any())


def _corner_box(continuous: Points, plane: VoxelPlane) -> Box:
    """Return min .. max + 1 of the corners' voxels, one voxel thick along the slice's axis."""
    indices = round_index(continuous)
    indices[:, plane.axis] = int(plane.level)
    return Box.from_bounds(np.stack([indices.min(axis=0), indices.max(axis=0) + 1], axis=1))


def _stroke(continuous: Points, plane: VoxelPlane, geometry: VolumeGeometry, thickness: int) -> Region:
    """Draw a polyline with a thickness in voxels.

    nnInteractive's clients give ``preferred_scribble_thickness`` to their brush as its diameter in voxels. A stroke of
    2 is then 2 voxels wide in the mean, and 3 where it runs along a row of voxel centres; napari's brush rounds to 3
    throughout, 3D Slicer's draws 2 to 3.
    """
    line = continuous[:, plane.columns]
    extent = plane.extent(geometry.shape)
    reach = thickness / 2.0 + CENTRE_SLACK
    window = Window.around(line, max(reach, 0.5 + ROUNDING_SLACK), extent)
    cover = cover_line(line, reach, window, plane.slope)
    u, v = (round_index(line) - np.array(window.start)).T
    cover[u, v] = True
    region = plane.lift(cover, window, geometry.shape)
    if region.box.is_empty:
        _refuse_empty("scribble")
    return region


def _filled(kind: str, continuous: Points, plane: VoxelPlane, geometry: VolumeGeometry) -> Region:
    """Fill a closed outline."""
    outline = continuous[:, plane.columns]
    window = Window.around(outline, CENTRE_SLACK, plane.extent(geometry.shape))
    region = plane.lift(fill_outline(outline, window), window, geometry.shape)
    if region.box.is_empty:
        _refuse_empty(kind)
    return region


def _refuse_empty(kind: str) -> Never:
    raise PromptMalformed(
        f"The {kind} holds no voxel centre, so that there is nothing to give to the model. "
        "Draw it larger, or use a point."
    )
