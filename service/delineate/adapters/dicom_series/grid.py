"""The regular grid that sorted images form, or the reason why they form none.

References
----------
PS3.3 C.7.6.2.1.1 (Image Position and Image Orientation), C.7.6.2.1.2 (Slice Thickness).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from delineate.adapters.dicom_series.images import Image, unique_instances
from delineate.adapters.dicom_series.placement import POSITION_ROUNDING_MM, Floats, Placement
from delineate.domain.errors import (
    DuplicatePositions,
    GantryTilt,
    MissingGeometry,
    MissingSlice,
    NonUniformSpacing,
    Position,
)
from delineate.domain.geometry import ORTHOGONALITY_TOLERANCE, VolumeGeometry

STEP_TOLERANCE = 1e-2
"""Part of the slice distance by which a single step may differ from the usual one."""

DRIFT_TOLERANCE = 5e-2
"""Part of the slice distance by which any slice may lie off the regular grid."""

IN_PLANE_TOLERANCE = 0.1
"""Pixels by which a slice may lie off the straight line that the other slices form."""


def geometry_of(placement: Placement) -> VolumeGeometry:
    """Return the grid on which the placed images lie.

    The origin is the first slice's position, the step from slice to slice the mean between the first and the last one.

    Parameters
    ----------
    placement
        Images that agree in everything but their position.

    Raises
    ------
    DuplicatePositions, GantryTilt, MissingSlice, NonUniformSpacing
        If the positions form no regular grid.
    MissingGeometry
        If there is only one slice and its Slice Thickness is not known.
    """
    _check_no_duplicates(placement)
    step = _single_step(placement) if len(placement.images) == 1 else _regular_step(placement)
    first = placement.images[0]
    between_rows, between_columns = first.pixel_spacing or (0.0, 0.0)
    matrix = np.eye(4)
    matrix[:3, 0] = step
    matrix[:3, 1] = placement.column * between_rows
    matrix[:3, 2] = placement.row * between_columns
    matrix[:3, 3] = placement.positions[0]
    shape = (len(placement.images), first.rows, first.columns)
    return VolumeGeometry.from_matrix(shape, matrix, first.frame_of_reference_uid or "")


def _position(values: Floats) -> Position:
    x, y, z = values.tolist()
    return (x, y, z)


def _check_no_duplicates(placement: Placement) -> None:
    crowded = [level for level in placement.levels if len(level) > 1]
    if crowded:
        instances = unique_instances(placement.images[n] for level in crowded for n in level)
        raise DuplicatePositions(instances, tuple(_position(placement.positions[level[0]]) for level in crowded))


def _single_step(placement: Placement) -> Floats:
    """Return the extent of a lone slice; nothing but Slice Thickness tells it."""
    thickness = placement.images[0].slice_thickness
    if thickness is None:
        raise MissingGeometry(unique_instances(placement.images), ("SliceThickness",))
    return placement.normal * thickness


def _regular_step(placement: Placement) -> Floats:
    """Return the vector (LPS mm) from one slice to the next."""
    steps = np.diff(placement.positions, axis=0)
    advances = steps @ placement.normal
    shear = _common_shear(placement, steps, advances)
    tolerance_mm = _in_plane_tolerance_mm(placement)
    tangent = float(np.linalg.norm(shear))
    if tangent > ORTHOGONALITY_TOLERANCE and tangent * advances.sum() > tolerance_mm:
        raise GantryTilt(unique_instances(placement.images), math.degrees(math.atan(tangent)))
    _check_spacing(placement, advances)
    mean = (placement.positions[-1] - placement.positions[0]) / len(steps)
    # A shear of a few rounded positions is dropped; a smaller one is kept, so that no position is changed.
    return np.asarray(placement.normal * (mean @ placement.normal) if tangent > ORTHOGONALITY_TOLERANCE else mean)


def _in_plane_tolerance_mm(placement: Placement) -> float:
    return max(POSITION_ROUNDING_MM, IN_PLANE_TOLERANCE * min(placement.images[0].pixel_spacing or (0.0,)))


def _common_shear(placement: Placement, steps: Floats, advances: Floats) -> Floats:
    """Return by how many mm in the plane, (3,), all slices shift per mm along the normal.

    Raises
    ------
    NonUniformSpacing
        If a slice is shifted more, or less, than the others.
    """
    in_plane = steps - np.outer(advances, placement.normal)
    usual = np.median(in_plane / advances[:, np.newaxis], axis=0)
    odd = np.linalg.norm(in_plane - np.outer(advances, usual), axis=1) > _in_plane_tolerance_mm(placement)
    if odd.any():
        distances = np.linalg.norm(steps, axis=1)
        raise NonUniformSpacing(_beside(placement.images, odd), tuple(distances.tolist()))
    return np.asarray(in_plane.sum(axis=0) / advances.sum())  # over the whole length, rounding counts least


def _check_spacing(placement: Placement, advances: Floats) -> None:
    usual = float(np.quantile(advances, 0.5, method="lower"))
    slack = max(STEP_TOLERANCE * usual, POSITION_ROUNDING_MM)
    odd = np.abs(advances - usual) > slack
    if not odd.any():
        _check_drift(placement, advances)
        return
    multiples = np.rint(advances / usual)
    if (np.abs(advances - multiples * usual) <= slack * np.maximum(multiples, 1)).all() and (multiples >= 1).all():
        raise _missing_slices(placement, multiples)
    raise NonUniformSpacing(_beside(placement.images, odd), tuple(advances.tolist()))


def _check_drift(placement: Placement, advances: Floats) -> None:
    """Refuse steps that are all nearly equal and yet add up to slices off the grid."""
    mean = float(advances.mean())
    regular = placement.depths[0] + mean * np.arange(len(placement.images))
    off = np.abs(placement.depths - regular)
    worst = off > max(DRIFT_TOLERANCE * mean, POSITION_ROUNDING_MM)
    if worst.any():
        at_fault = unique_instances(image for image, bad in zip(placement.images, worst, strict=True) if bad)
        raise NonUniformSpacing(at_fault, tuple(advances.tolist()))


def _missing_slices(placement: Placement, multiples: Floats) -> MissingSlice:
    """Name the positions at which the gaps' slices should be."""
    positions: list[Position] = []
    neighbours: list[Image] = []
    for n in np.flatnonzero(multiples > 1).tolist():
        before, after = placement.positions[n], placement.positions[n + 1]
        parts = int(multiples[n])
        positions += [_position(before + (after - before) * (part / parts)) for part in range(1, parts)]
        neighbours += placement.images[n : n + 2]
    return MissingSlice(tuple(positions), unique_instances(neighbours))


def _beside(images: Sequence[Image], odd_steps: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the instances on both sides of the odd steps."""
    near = np.zeros(len(images), dtype=bool)
    near[:-1] |= odd_steps
    near[1:] |= odd_steps
    return unique_instances(image for image, is_near in zip(images, near, strict=True) if is_near)
