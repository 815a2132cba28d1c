"""The result codec on highdicom and pydicom."""

from __future__ import annotations

from collections.abc import Sequence

from delineate.adapters.dicom_seg.compare import compare_instances
from delineate.adapters.dicom_seg.decode import decode_segmentation, segmentation_sources
from delineate.adapters.dicom_seg.encode import encode_segmentation
from delineate.domain.ports import Acceptance, DicomJson, StoredDifference
from delineate.domain.segmentation import InstanceReference, StoredSegmentation
from delineate.domain.volume import VolumePlan


class DicomSegCodec:
    """Writes acceptances as DICOM SEG, and reads stored ones; a ``ResultCodec`` and a ``SegmentationReader``.

    References
    ----------
    PS3.3 A.51 (Segmentation IOD), A.51.5 (Label Map Segmentation IOD), C.8.20.2 (Segmentation Image module).
    """

    def encode(self, acceptance: Acceptance, headers: Sequence[DicomJson]) -> bytes:
        """Return the acceptance as a Part 10 file; the same acceptance and headers give the same bytes.

        Parameters
        ----------
        acceptance
            What was accepted.
        headers
            Attributes of the source series' instances, fresh from the archive; others than the plan's are ignored.

        Raises
        ------
        SeriesChanged
            The headers no longer hold the plan's images where the plan has them.
        SegmentEmpty, SegmentUnnamed
            A segment without voxels, or without label and codes.
        SegmentsOverlap
            LABELMAP was asked for and two segments share a voxel.
        """
        return encode_segmentation(acceptance, headers)

    def compare(self, sent: bytes, received: bytes) -> StoredDifference:
        """Tell how the archive's instance differs from the one sent; voxels are compared decoded.

        Raises
        ------
        StoredDifferently
            The archive's instance cannot be read, or differs in an identifier, a segment, a position, a reference or
            a voxel.
        """
        return compare_instances(sent, received)

    def read(self, part10: bytes, reference: InstanceReference, plan: VolumePlan) -> StoredSegmentation:
        """Return a stored segmentation, BINARY or LABELMAP, with its voxels placed by their positions in the patient.

        One that does not lie on the plan's grid, or is FRACTIONAL, is read-only: its segments are described, and empty.

        Raises
        ------
        NotASegmentation
            The instance is something else.
        SegmentationOfOtherSeries
            It references images, none of which is the plan's.
        SegmentationUnreadable
            It is damaged, or contradicts itself.
        """
        return decode_segmentation(part10, reference, plan)

    def sources(self, part10: bytes) -> frozenset[str]:
        """Return the SOP Instance UIDs of the images that its frames say they were made from; empty if they do not."""
        return segmentation_sources(part10)
