"""Who worked on the segments of a report, as it names them and as it is read again for the next version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

from highdicom.sr import CodedConcept
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from delineate.adapters.dicom_sr.document import Segmentation, person
from delineate.domain.people import person_name

TRACKING_UID = codes.DCM.TrackingUniqueIdentifier


def observers(authors: Sequence[str], segmentation: Segmentation) -> list[Dataset]:
    """Return the observers of a segment's groups: none where its only author is the document's own observer."""
    names = list(dict.fromkeys(filter(None, map(_alphabetic, authors))))
    if names == [_alphabetic(str(segmentation.dataset.get("ContentCreatorName") or ""))]:
        return []
    return [item for name in names for item in person(name)]


def _alphabetic(name: str) -> str:
    """Return the alphabetic group of a Person Name (PS3.5 6.2.1)."""
    return person_name(name.partition("=")[0]).rstrip("^")


def authors_of(document: bytes) -> dict[str, tuple[str, ...]]:
    """Return whom a report names for each segment, by Tracking UID: its groups' observers, else its own.

    References
    ----------
    PS3.16 TID 1500, TID 1411, TID 1003 (Person Observer Identifying Attributes).
    """
    dataset = dcmread(BytesIO(document), stop_before_pixels=True)
    own = _people(dataset)
    groups = [g for m in _parts(dataset, codes.DCM.ImagingMeasurements) for g in _parts(m, codes.DCM.MeasurementGroup)]
    return {str(part.UID): _people(group) or own for group in groups for part in _parts(group, TRACKING_UID)}


def _parts(item: Dataset, name: CodedConcept) -> Iterator[Dataset]:
    for part in item.get("ContentSequence") or []:
        (said,) = part.get("ConceptNameCodeSequence") or [Dataset()]
        if (said.get("CodeValue"), said.get("CodingSchemeDesignator")) == (name.value, name.scheme_designator):
            yield part


def _people(item: Dataset) -> tuple[str, ...]:
    return tuple(_alphabetic(str(part.PersonName)) for part in _parts(item, codes.DCM.PersonObserverName))
