"""The report codec on highdicom and pydicom."""

from __future__ import annotations

from collections.abc import Mapping

from delineate.adapters.dicom_sr.authors import authors_of
from delineate.adapters.dicom_sr.compare import compare_documents
from delineate.adapters.dicom_sr.measurement_report import encode_report
from delineate.adapters.dicom_sr.prompt_record import encode_record
from delineate.domain.ports import StoredDifference
from delineate.domain.report import MeasurementReport, PromptRecord


class DicomSrCodec:
    """Writes DICOM SR documents of template TID 1500; a ``ReportCodec``.

    Both kinds are COMPLETE, UNVERIFIED and PRELIMINARY, and take patient, study, dates, creator and equipment from the
    segmentation that they belong to.

    References
    ----------
    PS3.3 A.35.3 (Comprehensive SR), A.35.13 (Comprehensive 3D SR); PS3.16 TID 1500, TID 1411, TID 1501.
    """

    def encode(self, report: MeasurementReport) -> bytes:
        """Return a Comprehensive SR: for each segment a volumetric ROI group (TID 1411), and its lines (TID 1501)."""
        return encode_report(report)

    def encode_prompts(self, record: PromptRecord) -> bytes:
        """Return a Comprehensive 3D SR with a measurement group (TID 1501) for each prompt."""
        return encode_record(record)

    def authors(self, document: bytes) -> Mapping[str, tuple[str, ...]]:
        """Return whom a report names for each segment, by Tracking UID: its groups' observers, else its own."""
        return authors_of(document)

    def compare(self, sent: bytes, received: bytes) -> StoredDifference:
        """Tell how the archive's document differs from the one sent.

        Raises
        ------
        StoredDifferently
            The archive's document cannot be read, or differs in an identifier, a state, a reference or its content.
        """
        return compare_documents(sent, received)
