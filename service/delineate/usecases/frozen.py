"""Segments as they were at one moment, durable: what is accepted or exported is made from this alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from delineate.domain.errors import SegmentEmpty, SegmentsOverlap, SegmentUnnamed
from delineate.domain.geometry import Box
from delineate.domain.labelmap import PackedRegion
from delineate.domain.model import ModelInfo
from delineate.domain.ports import Acceptance, AcceptedSegment, SegmentationEncoding
from delineate.domain.prompts import Prompt
from delineate.domain.records import (
    Json,
    description_from_json,
    description_to_json,
    plan_from_json,
    plan_to_json,
    prompt_from_json,
    prompt_to_json,
)
from delineate.domain.segmentation import InstanceReference, origin_from_json, origin_to_json
from delineate.domain.session import SegmentRecord
from delineate.usecases.live import LiveSession

DEFAULT_DESCRIPTION = "Delineate AI-assisted segmentation (research use)"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a frozen segmentation is called and whose it is; kept beside the frozen content."""

    series_instance_uid: str
    sop_instance_uid: str
    creator: str
    created_at: float
    """Seconds since the epoch."""


def chosen_segments(live: LiveSession, numbers: Sequence[int] | None) -> list[SegmentRecord]:
    """Return the segments of those numbers, or all.

    Raises
    ------
    SegmentEmpty, SegmentUnnamed
        If there is none, or one of them could not be stored.
    """
    chosen = [live.session.segment(n) for n in (numbers if numbers is not None else live.session.segments)]
    if not chosen:
        raise SegmentEmpty("The session has no segment to accept. Add one and draw in it.")
    empty = [s.number for s in chosen if s.packed.box.is_empty]
    if empty:
        raise SegmentEmpty(f"Segments {empty} are empty. Draw in them, delete them, or accept the others only.")
    unnamed = [s.number for s in chosen if not s.description.is_named]
    if unnamed:
        raise SegmentUnnamed(f"Segments {unnamed} lack a label, category or type. Name them before accepting.")
    return chosen


def check_overlap(live: LiveSession, chosen: Sequence[SegmentRecord]) -> None:
    """Raise SegmentsOverlap if two segments share a voxel, which LABELMAP encoding cannot hold."""
    maps = [(s.number, s.packed.labelmap(live.session.shape)) for s in chosen]
    for n, (a, first) in enumerate(maps):
        for b, second in maps[n + 1 :]:
            if (first.crop(second.region.box) & second.region.voxels).any():
                raise SegmentsOverlap(f"Segments {a} and {b} overlap, which LABELMAP cannot hold. Use BINARY.")


def freeze(
    live: LiveSession,
    chosen: Sequence[SegmentRecord],
    *,
    model: ModelInfo,
    series_description: str | None,
    encoding: SegmentationEncoding,
    predecessor: InstanceReference | None,
) -> bytes:
    """Return the segments as they are now, as JSON; the caller holds the session's lock."""
    frozen = {
        "plan": plan_to_json(live.plan),
        "encoding": encoding,
        "series_description": series_description or DEFAULT_DESCRIPTION,
        "model": asdict(model),
        "predecessor": asdict(predecessor) if predecessor else None,
        "segments": [_segment_to_json(live, segment) for segment in chosen],
    }
    return json.dumps(frozen).encode()


def thaw(identity: Identity, data: bytes) -> Acceptance:
    """Read a frozen segmentation back."""
    frozen = json.loads(data)
    plan = plan_from_json(frozen["plan"])
    predecessor = frozen.get("predecessor")
    model: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in frozen["model"].items()}
    return Acceptance(
        plan=plan,
        segments=tuple(_segment_from_json(item, plan.geometry.shape) for item in frozen["segments"]),
        encoding=frozen["encoding"],
        series_description=frozen["series_description"],
        creator=identity.creator,
        model=ModelInfo(**model),
        series_instance_uid=identity.series_instance_uid,
        sop_instance_uid=identity.sop_instance_uid,
        accepted_at=datetime.fromtimestamp(identity.created_at, UTC),
        predecessor=InstanceReference(**predecessor) if predecessor else None,
    )


def _segment_to_json(live: LiveSession, segment: SegmentRecord) -> Json:
    return {
        "number": segment.number,
        "description": description_to_json(segment.description),
        "box": segment.packed.box.bounds,
        "voxels": _text(segment.packed.data),
        "tracking_id": segment.tracking_id,
        "tracking_uid": segment.tracking_uid,
        "manual": segment.is_manual,
        "predicted": segment.is_predicted,
        "untouched": segment.is_untouched,
        "origin": origin_to_json(segment.origin),
        "revision": segment.revision,
        "prompts": [_prompt_to_json(live.session.prompts[name]) for name in segment.applied],
    }


def _segment_from_json(item: Json, shape: tuple[int, int, int]) -> AcceptedSegment:
    return AcceptedSegment(
        number=item["number"],
        description=description_from_json(item["description"]),
        labelmap=PackedRegion(Box.from_bounds(item["box"]), base64.b64decode(item["voxels"])).labelmap(shape),
        tracking_id=item["tracking_id"],
        tracking_uid=item["tracking_uid"],
        manual=item["manual"],
        predicted=item.get("predicted", True),
        untouched=item.get("untouched", False),
        origin=origin_from_json(item.get("origin")),
        revision=item.get("revision", 0),
        prompts=tuple(
            prompt_from_json(prompt["prompt"], base64.b64decode(prompt["voxels"])) for prompt in item.get("prompts", ())
        ),
    )


def _prompt_to_json(prompt: Prompt) -> Json:
    data, voxels = prompt_to_json(prompt)
    return {"prompt": data, "voxels": _text(voxels)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
