"""Fetch the segmentations that an archive holds."""

from __future__ import annotations

from delineate.domain.errors import NotASegmentation, SegmentationNotFound
from delineate.domain.ports import Archive, SegmentationReader
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference, StoredSegmentation
from delineate.domain.volume import VolumePlan


class StoredSegmentations:
    """The segmentations of an archive."""

    def __init__(self, archive: Archive, reader: SegmentationReader) -> None:
        self._archive = archive
        self._reader = reader

    def read(self, sop_instance_uid: str, plan: VolumePlan) -> StoredSegmentation:
        """Fetch a segmentation of the plan's study and place it on the plan's volume.

        Raises
        ------
        SegmentationNotFound
            If the study has no such instance.
        NotASegmentation, SegmentationOfOtherSeries, SegmentationUnreadable
            If it is no segmentation of the plan's volume.
        ArchiveError
            If the archive does not do its part.
        """
        part10, reference = self._fetched(plan.study_instance_uid, sop_instance_uid)
        return self._reader.read(part10, reference, plan)

    def sources(self, study_instance_uid: str, sop_instance_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of the images that a segmentation was made from; empty if it does not say.

        Raises
        ------
        SegmentationNotFound, NotASegmentation
            If the study has no such segmentation.
        ArchiveError
            If the archive does not do its part.
        """
        part10, _ = self._fetched(study_instance_uid, sop_instance_uid)
        return self._reader.sources(part10)

    def _fetched(self, study_instance_uid: str, sop_instance_uid: str) -> tuple[bytes, InstanceReference]:
        reference = self._archive.find_instance(study_instance_uid, sop_instance_uid)
        if reference is None:
            raise SegmentationNotFound(
                f"The study has no instance {sop_instance_uid}. Choose a segmentation that the archive holds."
            )
        if reference.sop_class_uid not in SEGMENTATION_CLASSES:
            raise NotASegmentation(
                f"Instance {sop_instance_uid} is not a DICOM Segmentation, but of SOP class {reference.sop_class_uid}. "
                "Choose a segmentation of the series."
            )
        part10 = self._archive.instance(study_instance_uid, reference.series_instance_uid, reference.sop_instance_uid)
        return part10, reference
