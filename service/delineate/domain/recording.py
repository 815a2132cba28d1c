"""How segments came to be, as one JSON document: what `delineate replay` makes them again from.

It holds the session's journal as far as it concerns the segments: every prompt, step, undo and cancellation. Of what
the model answered it holds a digest for each step, and the voxels at the end.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from delineate.domain.errors import RecordingUnreadable
from delineate.domain.geometry import Box
from delineate.domain.labelmap import Labelmap, PackedRegion
from delineate.domain.model import ModelInfo
from delineate.domain.ports import Acceptance, AcceptedSegment
from delineate.domain.records import Json, plan_from_json, plan_to_json
from delineate.domain.session import Entry
from delineate.domain.volume import VolumePlan

FORMAT = "delineate-recording-1"

KEPT_BLOBS = frozenset({"prompt", "opened"})
"""Entries and steps whose voxels nothing else says."""
PRIVATE = ("key", "digest")
"""Of requests: they mean nothing elsewhere."""


@dataclass(frozen=True, slots=True)
class RecordedSegment:
    """A segment as it was at the end."""

    number: int
    label: str
    tracking_uid: str
    packed: PackedRegion


@dataclass(frozen=True, slots=True)
class Recording:
    """All that it takes to make segments again."""

    plan: VolumePlan
    model: ModelInfo
    software: Mapping[str, str]
    """Names and versions of what computed."""
    entries: tuple[Entry, ...]
    """Without the voxels that a model made."""
    digests: Mapping[int, str]
    """Of the labelmap after a step, by the entry's place."""
    segments: tuple[RecordedSegment, ...]


def labelmap_digest(packed: PackedRegion) -> str:
    """Return a hash of a labelmap's voxels, whatever box they are kept in."""
    region = packed.region().tight()
    return hashlib.sha256(repr(region.box.bounds).encode() + np.packbits(region.voxels).tobytes()).hexdigest()


def recording_json(acceptance: Acceptance, software: Mapping[str, str], entries: Sequence[Entry]) -> bytes:
    """Return the recording of a session's accepted segments as JSON; ``entries`` are its journal until then."""
    numbers = {segment.number for segment in acceptance.segments}
    document = {
        "format": FORMAT,
        "segmentation_sop_instance_uid": acceptance.sop_instance_uid,
        "accepted_at": acceptance.accepted_at.isoformat(),
        "plan": plan_to_json(acceptance.plan),
        "model": asdict(acceptance.model),
        "software": dict(software),
        "entries": [_entry_to_json(entry) for entry in entries if entry.data.get("segment") in numbers],
        "segments": [_segment_to_json(segment) for segment in acceptance.segments],
    }
    return json.dumps(document, ensure_ascii=False).encode()


def recording_of(data: bytes | str) -> Recording:
    """Read a recording back.

    Raises
    ------
    RecordingUnreadable
        If it is none, or damaged.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise RecordingUnreadable(f"The file's format is {document['format']!r}; this version reads {FORMAT!r}.")
        model: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in document["model"].items()}
        entries = document["entries"]
        return Recording(
            plan=plan_from_json(document["plan"]),
            model=ModelInfo(**model),
            software=document["software"],
            entries=tuple(Entry(e["kind"], e["at"], e["data"], _bytes(e.get("voxels", ""))) for e in entries),
            digests={place: e["sha256"] for place, e in enumerate(entries) if "sha256" in e},
            segments=tuple(_segment_from_json(item) for item in document["segments"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordingUnreadable(
            f"The file is not a recording of segments ({type(error).__name__}: {error}). Export it again."
        ) from error


def _entry_to_json(entry: Entry) -> Json:
    kept: Json = {name: value for name, value in entry.data.items() if name not in PRIVATE}
    out: Json = {"kind": entry.kind, "at": entry.at, "data": kept}
    if entry.kind == "step":
        out["sha256"] = labelmap_digest(PackedRegion(Box.from_bounds(entry.data["box"]), entry.blob))
    if entry.blob and (entry.kind in KEPT_BLOBS or entry.data.get("step") in KEPT_BLOBS):
        out["voxels"] = base64.b64encode(entry.blob).decode("ascii")
    return out


def _segment_to_json(segment: AcceptedSegment) -> Json:
    packed = PackedRegion.of(segment.labelmap.region)
    return {
        "number": segment.number,
        "label": segment.description.label,
        "tracking_uid": segment.tracking_uid,
        "box": packed.box.bounds,
        "voxels": base64.b64encode(packed.data).decode("ascii"),
    }


def _segment_from_json(item: Json) -> RecordedSegment:
    packed = PackedRegion(Box.from_bounds(item["box"]), _bytes(item["voxels"]))
    return RecordedSegment(item["number"], item["label"], item["tracking_uid"], packed)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def differences(
    recorded: ModelInfo, model: ModelInfo, then: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[str]:
    """Yield, in words, what is another one now than when the recording was made."""
    if recorded.weights_sha256 != model.weights_sha256:
        yield (
            f"The model is {model.id} with weights {model.weights_sha256[:12]}; recorded was {recorded.id} with "
            f"weights {recorded.weights_sha256[:12]}."
        )
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield f"{name} is {now.get(name, 'absent')}; recorded was {then.get(name, 'absent')}."


def differing_voxels(one: Labelmap, other: Labelmap) -> int:
    """Return in how many voxels two labelmaps of one volume differ."""
    change = one.change_to(other)
    return int((one.crop(change.box) != change.voxels).sum())
