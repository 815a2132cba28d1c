"""Add, describe and delete the segments of a session."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from delineate.domain.errors import PromptCancelled, SegmentInvalid
from delineate.domain.records import description_to_json
from delineate.domain.segment import SegmentDescription
from delineate.domain.session import SegmentRecord
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.run_prompts import end_jobs


def add_segment(
    host: SessionHost, live: LiveSession, description: SegmentDescription, key: str, digest: str
) -> SegmentRecord:
    """Add a segment; its number is new for the session, also after deletions.

    Raises
    ------
    SegmentInvalid
        If it is given a laterality and its region, or else its type, has one in its own meaning.
    """
    with live.lock:
        _ = live.plan
        live.check_writable()
        if not live.session.replied(key, digest):
            _check_side(description)
            host.record(
                live,
                host.entry(
                    "segment_added",
                    segment=live.session.next_segment,
                    description=description_to_json(description),
                    key=key,
                    digest=digest,
                    **new_tracking(),
                ),
            )
        return live.session.segment(live.session.made(key))


def change_segment(
    host: SessionHost, live: LiveSession, number: int, changes: dict[str, object], key: str, digest: str
) -> SegmentRecord:
    """Change parts of a segment's description.

    The tracking identifiers stay, unless type, region or laterality change: then it is another finding (DESIGN section
    7). A new type is not where the old one was, unless the change says so: region and side of the region go.

    Raises
    ------
    SegmentLocked
        If it is locked and the change does not unlock it.
    SegmentInvalid
        If it is given a laterality and its region, or else its type, has one in its own meaning.
    """
    with live.lock:
        _ = live.plan
        live.check_writable()
        if live.session.replied(key, digest):
            return live.session.segment(number)
        segment = live.session.segment(number)
        if changes.get("locked") is not False:
            segment = live.unlocked_segment(number)
        before = segment.description
        if before.region is not None and changes.get("type", before.type) != before.type:
            changes = {"region": None, "laterality": None} | changes
        after = replace(before, **changes)  # type: ignore[arg-type]
        if {"type", "region", "laterality"} & set(changes):
            _check_side(after)
        same = before.type is None or before.codes[1:] == after.codes[1:]
        kept: dict[str, Any] = {"tracking_id": segment.tracking_id, "tracking_uid": segment.tracking_uid}
        host.record(
            live,
            host.entry(
                "segment_changed",
                segment=number,
                description=description_to_json(after),
                key=key,
                digest=digest,
                **(kept if same else new_tracking()),
            ),
        )
        return segment


def delete_segment(host: SessionHost, live: LiveSession, number: int, key: str, digest: str) -> None:
    """Delete a segment with its steps; its number is not used again."""
    while True:
        with live.lock:
            _ = live.plan
            if live.session.replied(key, digest):
                return
            segment = live.unlocked_segment(number)
            if not segment.pending:
                host.record(live, host.entry("segment_deleted", segment=number, key=key, digest=digest))
                return
        end_jobs(host, live, number, PromptCancelled("The segment was deleted."))


def _check_side(description: SegmentDescription) -> None:
    if description.states_side_twice and description.sided is not None:
        raise SegmentInvalid(
            f"{description.sided.meaning} says which side it is on, and takes no laterality. Take the laterality away."
        )


def new_tracking() -> dict[str, Any]:
    """Return tracking identifiers for another finding."""
    made = uuid.uuid4()
    return {"tracking_id": f"delineate-{made.hex[:12]}", "tracking_uid": f"2.25.{made.int}"}
