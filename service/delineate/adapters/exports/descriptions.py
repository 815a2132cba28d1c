"""What exported segments are, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate.domain.ports import AcceptedSegment
from delineate.domain.records import Json, description_to_json


def said_of(segment: AcceptedSegment) -> Json:
    """Return a segment's name, codes and colour, as the HTTP API takes them."""
    said = description_to_json(segment.description)
    del said["locked"]
    return said


def tracking(number: int, segment: AcceptedSegment) -> Json:
    """Return a segment's number in the DICOM SEG, and its tracking identifiers."""
    return {"segment_number": number, "tracking_id": segment.tracking_id, "tracking_uid": segment.tracking_uid}


def write_descriptions(segments: Sequence[AcceptedSegment], beside: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write what each segment is and, ``beside`` it, where the export has it."""
    items = [
        {**tracking(number, segment), **said_of(segment), **where}
        for (number, segment), where in zip(enumerate(segments, 1), beside, strict=True)
    ]
    write_json({"segments": items}, file)


def write_json(data: Json, file: Path) -> None:
    """Write JSON for people and programs: UTF-8, indented."""
    file.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
