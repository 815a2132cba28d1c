"""Open a stored segmentation, so that a session goes on where it ended."""

from __future__ import annotations

from delineate.domain.records import description_to_json
from delineate.domain.segmentation import StoredSegment, StoredSegmentation, opened_from_to_json, origin_to_json
from delineate.domain.session import Entry
from delineate.usecases.host import SessionHost
from delineate.usecases.segments import new_tracking


def opening_entries(host: SessionHost, stored: StoredSegmentation) -> list[Entry]:
    """Return what the journal needs to know of an opened segmentation: all of it, so that it is never fetched again."""
    entries = [host.entry("segmentation_opened", **opened_from_to_json(stored))]
    for segment in stored.segments:
        entries.append(_added(host, segment))
        if stored.read_only is None:
            entries.append(_ground(host, segment))
    return entries


def _added(host: SessionHost, segment: StoredSegment) -> Entry:
    tracking = new_tracking()
    if segment.tracking_id and segment.tracking_uid:
        tracking = {"tracking_id": segment.tracking_id, "tracking_uid": segment.tracking_uid}
    return host.entry(
        "segment_added",
        segment=segment.origin.number,
        description=description_to_json(segment.description),
        origin=origin_to_json(segment.origin),
        **tracking,
    )


def _ground(host: SessionHost, segment: StoredSegment) -> Entry:
    return host.entry(
        "step",
        segment.labelmap.data,
        segment=segment.origin.number,
        step="opened",
        prompt_ids=[],
        box=segment.labelmap.box.bounds,
        timing={},
    )
