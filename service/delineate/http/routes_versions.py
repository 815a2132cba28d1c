"""The segmentations of a series, with who made them and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from delineate.domain.versions import SegmentationVersion, newer_than, version_numbers
from delineate.http.dependencies import Parts, User
from delineate.http.schemas import Uid

router = APIRouter(tags=["segmentations"])


class VersionSegmentReply(BaseModel):
    """A segment of a stored segmentation."""

    number: int
    label: str
    tracking_uid: str | None


class VersionReply(BaseModel):
    """A stored segmentation of a series."""

    sop_instance_uid: str
    series_instance_uid: str
    """Of the segmentation."""
    version: int
    """1 if the archive holds none before it, else one more than that."""
    newest: bool
    """Whether the archive holds none that was made from it."""
    predecessors: list[str]
    """SOP Instance UIDs of the segmentations that it was made from."""
    creator: str
    created_at: str | None
    """ISO 8601; with an offset if the segmentation states one."""
    description: str
    made_by: str
    """Manufacturer and model of the software."""
    segments: list[VersionSegmentReply]

    @classmethod
    def of(cls, found: SegmentationVersion, number: int, *, newest: bool) -> VersionReply:
        """Make the reply of a version."""
        return cls(
            sop_instance_uid=found.reference.sop_instance_uid,
            series_instance_uid=found.reference.series_instance_uid,
            version=number,
            newest=newest,
            predecessors=list(found.predecessors),
            creator=found.creator,
            created_at=found.created_at.isoformat() if found.created_at else None,
            description=found.description,
            made_by=found.made_by,
            segments=[
                VersionSegmentReply(number=s.number, label=s.label, tracking_uid=s.tracking_uid) for s in found.segments
            ],
        )


@router.get("/series/{series_instance_uid}/segmentations")
def segmentations(
    series_instance_uid: Uid, study_instance_uid: Annotated[Uid, Query()], parts: Parts, _user: User
) -> list[VersionReply]:
    """List the DICOM Segmentations that the archive holds of a series, the oldest first."""
    found = parts.versions.of_series(study_instance_uid, series_instance_uid)
    numbers = version_numbers(found)
    return [
        VersionReply.of(
            one,
            numbers[one.reference.sop_instance_uid],
            newest=not newer_than(one.reference.sop_instance_uid, found),
        )
        for one in found
    ]
