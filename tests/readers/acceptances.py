"""Acceptances on phantom series, and what a reader has to find in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import generate_uid
from tests.phantoms import PhantomSeries

from delineate.domain.geometry import VolumeGeometry
from delineate.domain.labelmap import Labelmap
from delineate.domain.model import ModelInfo
from delineate.domain.ports import Acceptance, AcceptedSegment
from delineate.domain.segment import CodedConcept, SegmentDescription
from delineate.domain.volume import SliceSource, VolumePlan

Mask = npt.NDArray[np.bool_]

ANATOMY = CodedConcept("91723000", "SCT", "Anatomical Structure")
KIDNEY = CodedConcept("64033007", "SCT", "Kidney")
SPLEEN = CodedConcept("78961009", "SCT", "Spleen")
LEFT = CodedConcept("7771000", "SCT", "Left")
COLOURS = ((220, 40, 40), (40, 200, 60), (60, 80, 230), (230, 200, 30))

MODEL = ModelInfo(
    id="demo",
    name="Delineate demo model",
    demo=True,
    licence="Apache-2.0",
    version="nnInteractive 2.6.0",
    weights_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    prompts=("point", "box"),
    oblique_prompts=("point",),
    scribble_thickness_voxels=2,
    crop_shape=(96, 96, 96),
)


def plan_of(series: PhantomSeries) -> VolumePlan:
    """Return the plan that a volume reader would make of a phantom."""
    k, j, i = series.voxels.shape
    geometry = VolumeGeometry.from_matrix((k, j, i), series.affine, series.frame_of_reference_uid)
    slices = tuple(SliceSource(uid, frame) for uid, frame in series.slices)
    return VolumePlan(series.study_uid, series.series_uid, None, series.spec.modality, geometry, slices)


def segment_of(mask: Mask, number: int = 1, **changes: Any) -> AcceptedSegment:
    """Return an accepted segment with those voxels."""
    description = SegmentDescription(
        label=f"Niere {number} (腎)",
        category=ANATOMY,
        type=KIDNEY,
        laterality=LEFT if number == 1 else None,
        colour=COLOURS[(number - 1) % len(COLOURS)],
    )
    uid = generate_uid(entropy_srcs=["tracking", str(number)])
    given: dict[str, Any] = {
        "description": description,
        "tracking_id": f"finding {number}",
        "tracking_uid": uid,
        "manual": False,
    }
    return AcceptedSegment(number=number, labelmap=Labelmap.from_array(mask), **(given | changes))


def acceptance_of(series: PhantomSeries, masks: Sequence[Mask], **changes: Any) -> Acceptance:
    """Return the acceptance of those masks on a phantom."""
    given: dict[str, Any] = {
        "plan": plan_of(series),
        "segments": tuple(segment_of(mask, number) for number, mask in enumerate(masks, 1)),
        "encoding": "BINARY",
        "series_description": "AI-assisted: phantom",
        "creator": "Ada Müller",
        "model": MODEL,
        "series_instance_uid": generate_uid(),
        "sop_instance_uid": generate_uid(),
        "accepted_at": datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC),
    }
    return Acceptance(**(given | changes))


def blob(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> Mask:
    """Return a ball of fractions of the shape, bitten so that no flip or swap maps it onto itself."""
    k, j, i = np.meshgrid(*(np.linspace(0, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij")
    inside = (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 <= radius**2
    bite = (k > centre[0]) & (j > centre[1] + 0.05) & (i > centre[2] + 0.1)
    return np.asarray(inside & ~bite)


def noise(shape: tuple[int, int, int], seed: int) -> Mask:
    """Return random voxels: half of all, in every slice, row and column, touching every edge."""
    return np.asarray(np.random.default_rng(seed).random(shape) < 0.5)
