"""What the header of a stored Segmentation says of it as a version."""

from __future__ import annotations

from datetime import datetime

from pydicom import Dataset

from delineate.domain.ports import DicomJson
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference
from delineate.domain.versions import SegmentationVersion, VersionSegment

BACKGROUND = 0
"""Segment Number of the item that describes a LABELMAP's pixels of no segment."""


class DicomVersionReader:
    """Reads headers of Segmentations, whoever made them (ports.VersionReader); what they lack is empty."""

    def version(self, header: DicomJson) -> SegmentationVersion:
        """Return what a segmentation is a version of, by whom and when.

        References
        ----------
        PS3.3 C.12.4 (General Reference module), C.12.2 (Common Instance Reference module), C.8.20.2.
        """
        kept = {tag: element for tag, element in header.items() if tag in WANTED}
        dataset = Dataset.from_json(kept)
        return SegmentationVersion(
            reference=InstanceReference(
                str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID), str(dataset.SOPClassUID)
            ),
            source_series=tuple(str(item.SeriesInstanceUID) for item in dataset.get("ReferencedSeriesSequence") or []),
            predecessors=_predecessors(dataset),
            creator=str(dataset.get("ContentCreatorName") or ""),
            created_at=_moment(dataset),
            description=str(dataset.get("SeriesDescription") or ""),
            made_by=_maker(dataset),
            segments=tuple(
                VersionSegment(int(i.SegmentNumber), str(i.get("SegmentLabel") or ""), i.get("TrackingUID"))
                for i in dataset.get("SegmentSequence") or []
                if int(i.SegmentNumber) != BACKGROUND
            ),
        )


WANTED = frozenset(
    {
        "00080005",  # SpecificCharacterSet
        "00080016",  # SOPClassUID
        "00080018",  # SOPInstanceUID
        "00080023",  # ContentDate
        "00080033",  # ContentTime
        "00080070",  # Manufacturer
        "00080201",  # TimezoneOffsetFromUTC
        "0008103E",  # SeriesDescription
        "00081090",  # ManufacturerModelName
        "00081115",  # ReferencedSeriesSequence
        "0008114A",  # ReferencedInstanceSequence
        "0020000E",  # SeriesInstanceUID
        "00620002",  # SegmentSequence
        "00700084",  # ContentCreatorName
    }
)
"""What is looked at: the functional groups, which are most of a header, are not parsed."""


def _predecessors(dataset: Dataset) -> tuple[str, ...]:
    return tuple(
        str(item.ReferencedSOPInstanceUID)
        for item in dataset.get("ReferencedInstanceSequence") or []
        if item.get("ReferencedSOPClassUID") in SEGMENTATION_CLASSES
    )


def _maker(dataset: Dataset) -> str:
    names = [str(dataset.get(keyword) or "") for keyword in ("Manufacturer", "ManufacturerModelName")]
    return " ".join(dict.fromkeys(name for name in names if name))


def _moment(dataset: Dataset) -> datetime | None:
    """Return content date and time; None where they cannot be read."""
    date, time = str(dataset.get("ContentDate") or ""), str(dataset.get("ContentTime") or "000000")
    offset = str(dataset.get("TimezoneOffsetFromUTC") or "")
    form = "%Y%m%d%H%M%S" + (".%f" if "." in time else "") + ("%z" if offset else "")
    try:
        return datetime.strptime(f"{date}{time}{offset}", form)
    except ValueError:
        return None
