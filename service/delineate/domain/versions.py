"""The segmentations of a series as versions of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from delineate.domain.segmentation import InstanceReference


@dataclass(frozen=True, slots=True)
class VersionSegment:
    """What a list of versions says of a segment."""

    number: int
    label: str
    tracking_uid: str | None


@dataclass(frozen=True, slots=True)
class SegmentationVersion:
    """A segmentation that the archive holds, or is about to."""

    reference: InstanceReference
    source_series: tuple[str, ...]
    """Series Instance UIDs of the images that it was made on; empty if it does not say."""
    predecessors: tuple[str, ...]
    """SOP Instance UIDs of the segmentations of which it is the next version; mostly one or none."""
    creator: str
    """Content Creator's Name as it was written; empty if it does not say."""
    created_at: datetime | None
    """Timezone-aware if it states an offset."""
    description: str
    """Series Description."""
    made_by: str
    """Manufacturer and model of the software; empty if it does not say."""
    segments: tuple[VersionSegment, ...] = ()

    @property
    def by_whom_and_when(self) -> str:
        """Who made it, and when, in words."""
        who = self.creator.replace("^", " ").strip() or self.made_by or "an unnamed maker"
        return who if self.created_at is None else f"{who} ({self.created_at:%Y-%m-%d %H:%M})"


def newer_than(base: str, versions: Iterable[SegmentationVersion]) -> list[SegmentationVersion]:
    """Return all that was made from the segmentation of that SOP Instance UID, and what was made from that."""
    waiting = list(versions)
    known = {base}
    newer: list[SegmentationVersion] = []
    while found := [v for v in waiting if known.intersection(v.predecessors)]:
        newer += found
        known |= {v.reference.sop_instance_uid for v in found}
        waiting = [v for v in waiting if v not in found]
    return newer


def version_numbers(versions: Sequence[SegmentationVersion]) -> dict[str, int]:
    """Return each segmentation's number, by SOP Instance UID: 1 if none before it is there, else one more than that."""
    by_uid = {v.reference.sop_instance_uid: v for v in versions}
    numbers: dict[str, int] = {}

    def number(uid: str, visited: frozenset[str]) -> int:
        if uid not in numbers:
            before = [p for p in by_uid[uid].predecessors if p in by_uid and p not in visited]
            numbers[uid] = 1 + max((number(p, visited | {uid}) for p in before), default=0)
        return numbers[uid]

    for uid in by_uid:
        number(uid, frozenset())
    return numbers
