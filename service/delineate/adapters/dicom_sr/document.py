"""What both kinds of documents have in common: what they take over from the segmentation, and who observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from highdicom import SOPClass
from highdicom.sr import (
    DeviceObserverIdentifyingAttributes,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset, FileDataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from pydicom.valuerep import DT

from delineate.domain.people import person_name
from delineate.domain.segmentation import PATIENT_AND_STUDY, InstanceReference

CHARACTER_SET = "ISO_IR 192"
MANUFACTURER = "Delineate"
MAX_LONG_STRING = 64
"""Characters of a Long String (PS3.5 6.2)."""
EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
KEPT = (*EQUIPMENT, "TimezoneOffsetFromUTC")
"""Attributes beyond patient and study that hold for the document as for the segmentation."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A DICOM SEG, without its pixels, as what a document belongs to."""

    dataset: FileDataset

    @classmethod
    def parse(cls, part10: bytes) -> Segmentation:
        """Read a Part 10 file."""
        return cls(dcmread(BytesIO(part10), stop_before_pixels=True))

    def segment(self, number: int) -> Dataset:
        """Return the Segment Sequence's item of that Segment Number."""
        item: Dataset = next(i for i in self.dataset.SegmentSequence if int(i.SegmentNumber) == number)
        return item

    @cached_property
    def source_classes(self) -> dict[str, str]:
        """SOP Class UID of each source image, by SOP Instance UID."""
        series = self.dataset.ReferencedSeriesSequence[0]
        return {
            str(item.ReferencedSOPInstanceUID): str(item.ReferencedSOPClassUID)
            for item in series.ReferencedInstanceSequence
        }

    def source_image(self, sop_instance_uid: str, frame_number: int) -> tuple[str, str, list[int] | None]:
        """Return how highdicom references a source image: SOP Class UID, SOP Instance UID, frames if multi-frame."""
        sop_class = self.source_classes[sop_instance_uid]
        return sop_class, sop_instance_uid, [frame_number] if sop_class in self._multi_frame_classes else None

    @cached_property
    def _multi_frame_classes(self) -> frozenset[str]:
        """SOP Class UIDs of the source images that are multi-frame."""
        return frozenset(
            str(source.ReferencedSOPClassUID)
            for frame in self.dataset.PerFrameFunctionalGroupsSequence
            for derivation in frame.get("DerivationImageSequence") or []
            for source in derivation.SourceImageSequence
            if "ReferencedFrameNumber" in source
        )

    def evidence(self, source_series_instance_uid: str) -> list[Dataset]:
        """Return stand-ins of the segmentation and its source images, for highdicom to reference."""
        own = InstanceReference(self.dataset.SeriesInstanceUID, self.dataset.SOPInstanceUID, self.dataset.SOPClassUID)
        sources = [InstanceReference(source_series_instance_uid, *item) for item in self.source_classes.items()]
        return [self.stand_in(reference) for reference in (own, *sources)]

    def stand_in(self, reference: InstanceReference) -> Dataset:
        """Return an instance of the study of which only the identifiers are known."""
        instance = Dataset()
        instance.StudyInstanceUID = self.dataset.StudyInstanceUID
        instance.SeriesInstanceUID = reference.series_instance_uid
        instance.SOPInstanceUID = reference.sop_instance_uid
        instance.SOPClassUID = reference.sop_class_uid
        for keyword in PATIENT_AND_STUDY:
            setattr(instance, keyword, None)
        return instance

    def predecessors(self, references: Sequence[InstanceReference]) -> list[Dataset] | None:
        """Return stand-ins of earlier versions of the document; None if there are none."""
        return [self.stand_in(reference) for reference in references] or None


def observation_context(segmentation: Segmentation) -> ObservationContext:
    """Return who and what observed: the segmentation's creator, if it names one, and the software.

    References
    ----------
    PS3.16 TID 1001, TID 1002, TID 1003, TID 1004.
    """
    dataset = segmentation.dataset
    name = str(dataset.get("ContentCreatorName") or "")
    said = [str(dataset.get(keyword) or "") for keyword in EQUIPMENT]
    device = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[MANUFACTURER, "device", *said]),
            name=MANUFACTURER,
            manufacturer_name=said[0] or None,
            model_name=said[1] or None,
            serial_number=said[2] or None,
        ),
    )
    return ObservationContext(observer_person_context=person(name) if name else None, observer_device_context=device)


def person(user: str) -> ObserverContext:
    """Return a person who observed; highdicom takes names of one part for a mistake, unless a caret follows."""
    name = person_name(user)
    return ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name if "^" in name else f"{name}^"),
    )


def finished(document: SOPClass, segmentation: Segmentation) -> bytes:
    """Give a document the segmentation's patient, study, equipment and dates, and return it as a Part 10 file."""
    source = segmentation.dataset
    document.copy_patient_and_study_information(source)
    for keyword in PATIENT_AND_STUDY:
        if keyword not in document:
            setattr(document, keyword, None)
    for keyword in KEPT:
        if keyword in source:
            document[keyword] = source[keyword]
    for what in ("InstanceCreation", "Series", "Content"):
        setattr(document, f"{what}Date", source.ContentDate)
        setattr(document, f"{what}Time", source.ContentTime)
    for equipment in document.ContributingEquipmentSequence:
        equipment.ContributionDateTime = DT(f"{source.ContentDate}{source.ContentTime}")
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()


def comment(text: str) -> TextContentItem:
    """Return a remark."""
    return TextContentItem(codes.DCM.Comment, text, RelationshipTypeValues.CONTAINS)


def notice(segmentation: Segmentation) -> TextContentItem:
    """Return how the segmentation was made and that it is not for clinical use, as it says itself."""
    return comment(str(segmentation.dataset.ContentDescription))


def series_description(segmentation: Segmentation, what: str) -> str:
    """Return the segmentation's Series Description with ``what`` in front, in 64 characters."""
    return f"{what}: {segmentation.dataset.get('SeriesDescription') or ''}".strip(": ")[:MAX_LONG_STRING]
