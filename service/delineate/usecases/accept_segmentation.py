"""Accept a session's segments: freeze them, durably, and hand them to the outbox."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from delineate.domain.errors import ResultNotFailed, SegmentEmpty, SegmentsOverlap, SegmentUnnamed
from delineate.domain.geometry import Box
from delineate.domain.model import ModelInfo
from delineate.domain.ports import Acceptance, AcceptedSegment, Outbox, ResultStore, SegmentationEncoding
from delineate.domain.records import (
    PackedRegion,
    description_from_json,
    description_to_json,
    plan_from_json,
    plan_to_json,
)
from delineate.domain.result import Result
from delineate.domain.segmentation import InstanceReference, origin_from_json, origin_to_json
from delineate.domain.session import SegmentRecord
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession

ACCEPTANCE_FILE = "acceptance.json"
DEFAULT_DESCRIPTION = "Delineate AI-assisted segmentation (research use)"


def accept_segmentation(
    host: SessionHost,
    results: ResultStore,
    outbox: Outbox,
    live: LiveSession,
    *,
    numbers: list[int] | None,
    series_description: str | None,
    encoding: SegmentationEncoding,
    key: str,
    digest: str,
) -> Result:
    """Freeze the segments as they are now and have them stored.

    The result's id and the SEG's UIDs follow from session and key, so that a repeated request is the same result.

    Raises
    ------
    SegmentEmpty, SegmentUnnamed
        If one of the segments cannot be accepted.
    SegmentsOverlap
        If LABELMAP encoding is asked for and segments overlap.
    SessionReadOnly
        If the session shows a segmentation that cannot be refined.
    """
    with live.lock:
        _ = live.plan
        live.check_writable()
        if live.session.replied(key, digest):
            return results.load(live.session.made(key))
        chosen = [live.session.segment(n) for n in (numbers if numbers is not None else live.session.segments)]
        _check(live, chosen, encoding)
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{live.session.id}/{key}")
        result = Result(
            id=made.hex,
            session=live.session.id,
            user=live.session.user,
            state="encoding",
            stage="encoding",
            study_instance_uid=live.session.study_instance_uid,
            series_instance_uid=f"2.25.{uuid.uuid5(made, 'series').int}",
            sop_instance_uid=f"2.25.{uuid.uuid5(made, 'instance').int}",
            created_at=host.clock(),
        )
        frozen = _freeze(live, chosen, result, host.segmenter.info, series_description, encoding)
        results.write_file(result.id, ACCEPTANCE_FILE, json.dumps(frozen).encode())
        results.save(result)
        host.record(live, host.entry("accepted", result=result.id, key=key, digest=digest))
    outbox.schedule(result.id)
    return result


def retry_result(results: ResultStore, outbox: Outbox, result: Result) -> Result:
    """Try a failed or waiting result again now.

    Raises
    ------
    ResultNotFailed
        If it is stored, or under way.
    """
    if result.state not in ("failed", "waiting"):
        raise ResultNotFailed(f"The result is {result.state}; only a failed or waiting one can be tried again.")
    again = replace(result, state=result.stage, reason=None, problem=None, next_try_at=None)
    results.save(again)
    outbox.schedule(again.id)
    return again


def acceptance_of(result: Result, data: bytes) -> Acceptance:
    """Read a frozen acceptance back."""
    frozen = json.loads(data)
    plan = plan_from_json(frozen["plan"])
    segments = tuple(
        AcceptedSegment(
            number=item["number"],
            description=description_from_json(item["description"]),
            labelmap=PackedRegion(Box.from_bounds(item["box"]), base64.b64decode(item["voxels"])).labelmap(
                plan.geometry.shape
            ),
            tracking_id=item["tracking_id"],
            tracking_uid=item["tracking_uid"],
            manual=item["manual"],
            predicted=item.get("predicted", True),
            untouched=item.get("untouched", False),
            origin=origin_from_json(item.get("origin")),
        )
        for item in frozen["segments"]
    )
    predecessor = frozen.get("predecessor")
    model: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in frozen["model"].items()}
    return Acceptance(
        plan=plan,
        segments=segments,
        encoding=frozen["encoding"],
        series_description=frozen["series_description"],
        creator=result.user,
        model=ModelInfo(**model),
        series_instance_uid=result.series_instance_uid,
        sop_instance_uid=result.sop_instance_uid,
        accepted_at=datetime.fromtimestamp(result.created_at, UTC),
        predecessor=InstanceReference(**predecessor) if predecessor else None,
    )


def _check(live: LiveSession, chosen: list[SegmentRecord], encoding: SegmentationEncoding) -> None:
    if not chosen:
        raise SegmentEmpty("The session has no segment to accept. Add one and draw in it.")
    empty = [s.number for s in chosen if s.packed.box.is_empty]
    if empty:
        raise SegmentEmpty(f"Segments {empty} are empty. Draw in them, delete them, or accept the others only.")
    unnamed = [s.number for s in chosen if not s.description.is_named]
    if unnamed:
        raise SegmentUnnamed(f"Segments {unnamed} lack a label, category or type. Name them before accepting.")
    if encoding == "LABELMAP":
        _check_overlap(live, chosen)


def _check_overlap(live: LiveSession, chosen: list[SegmentRecord]) -> None:
    maps = [(s.number, s.packed.labelmap(live.session.shape)) for s in chosen]
    for n, (a, first) in enumerate(maps):
        for b, second in maps[n + 1 :]:
            if (first.crop(second.region.box) & second.region.voxels).any():
                raise SegmentsOverlap(f"Segments {a} and {b} overlap, which LABELMAP cannot hold. Use BINARY.")


def _freeze(
    live: LiveSession,
    chosen: list[SegmentRecord],
    result: Result,
    model: ModelInfo,
    series_description: str | None,
    encoding: SegmentationEncoding,
) -> dict[str, object]:
    return {
        "result": result.id,
        "plan": plan_to_json(live.plan),
        "encoding": encoding,
        "series_description": series_description or DEFAULT_DESCRIPTION,
        "model": asdict(model),
        "predecessor": asdict(opened.reference) if (opened := live.session.opened_from) else None,
        "segments": [
            {
                "number": s.number,
                "description": description_to_json(s.description),
                "box": s.packed.box.bounds,
                "voxels": base64.b64encode(s.packed.data).decode("ascii"),
                "tracking_id": s.tracking_id,
                "tracking_uid": s.tracking_uid,
                "manual": s.is_manual,
                "predicted": s.is_predicted,
                "untouched": s.is_untouched,
                "origin": origin_to_json(s.origin),
            }
            for s in chosen
        ],
    }
