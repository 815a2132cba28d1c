"""Write, store and verify the documents that follow a stored segmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from delineate.domain.errors import SeriesChanged, SeriesNotFound
from delineate.domain.ports import Acceptance, AcceptedSegment, Archive, ResultStore, StoredDifference, VersionReader
from delineate.domain.report import MeasurementReport, PromptRecord, ReportCodec, ReportedSegment
from delineate.domain.result import DocumentKind, Result, ResultDocument, document_of
from delineate.domain.segmentation import InstanceReference
from delineate.usecases.measure_segments import AcceptedMeasuring


class ResultReports:
    """Brings the documents of results into the archive; safe to call again at any time, after any crash."""

    def __init__(
        self,
        archive: Archive,
        measuring: AcceptedMeasuring,
        codec: ReportCodec,
        results: ResultStore,
        versions: VersionReader,
    ) -> None:
        self._archive = archive
        self._measuring = measuring
        self._codec = codec
        self._results = results
        self._versions = versions

    def store(
        self, result: Result, document: ResultDocument, acceptance: Callable[[], Acceptance], segmentation: bytes
    ) -> StoredDifference:
        """Have the archive hold the document, read it back and compare.

        Parameters
        ----------
        acceptance
            Returns what was accepted; called only if the document has to be written.
        segmentation
            The stored SEG.

        Raises
        ------
        DelineateError
            If it could not be written, stored or read back equal.
        """
        name = f"{document.kind}.dcm"
        sent = self._results.read_file(result.id, name)
        if sent is None:
            sent = self._written(document, acceptance(), segmentation)
            self._results.write_file(result.id, name, sent)
        where = (result.study_instance_uid, document.series_instance_uid, document.sop_instance_uid)
        if not self._archive.has_instance(*where):
            self._archive.store(sent, result.study_instance_uid)
        return self._codec.compare(sent, self._archive.instance(*where))

    def _written(self, document: ResultDocument, acceptance: Acceptance, segmentation: bytes) -> bytes:
        try:
            return self._encode(document, acceptance, segmentation)
        except SeriesNotFound as error:  # of the images, not of the document: waiting would not help
            raise SeriesChanged(acceptance.plan.series_instance_uid) from error

    def _encode(self, document: ResultDocument, acceptance: Acceptance, segmentation: bytes) -> bytes:
        before = self._predecessors(acceptance, document.kind)
        if document.kind == "prompts":
            return self._codec.encode_prompts(
                PromptRecord(
                    segmentation=segmentation,
                    plan=acceptance.plan,
                    model=acceptance.model,
                    prompts={n: segment.prompts for n, segment in enumerate(acceptance.segments, 1)},
                    series_instance_uid=document.series_instance_uid,
                    sop_instance_uid=document.sop_instance_uid,
                    predecessors=before,
                )
            )
        measured = self._measuring.measure(acceptance)
        known = self._authors_before(acceptance, before)
        both = zip(acceptance.segments, measured.segments, strict=True)
        return self._codec.encode(
            MeasurementReport(
                segmentation=segmentation,
                plan=acceptance.plan,
                scale=measured.scale,
                segments=tuple(
                    ReportedSegment(n, found.measurements, _authors(accepted, acceptance.creator, known))
                    for n, (accepted, found) in enumerate(both, 1)
                    if found.measurements is not None
                ),
                series_instance_uid=document.series_instance_uid,
                sop_instance_uid=document.sop_instance_uid,
                predecessors=before,
            )
        )

    def _authors_before(
        self, acceptance: Acceptance, reports: tuple[InstanceReference, ...]
    ) -> Mapping[str, tuple[str, ...]]:
        """Return who worked on the segments of the version before, by Tracking UID: its report, else it, says so."""
        study, predecessor = acceptance.plan.study_instance_uid, acceptance.predecessor
        if predecessor is None:
            return {}
        if reports:
            (report,) = reports
            document = self._archive.instance(study, report.series_instance_uid, report.sop_instance_uid)
            return self._codec.authors(document)
        headers = self._archive.headers(study, predecessor.series_instance_uid)
        versions = [self._versions.version(header) for header in headers]
        said = [v.creator for v in versions if v.reference.sop_instance_uid == predecessor.sop_instance_uid]
        return dict.fromkeys((s.tracking_uid for s in acceptance.segments if s.origin), tuple(filter(None, said)))

    def _predecessors(self, acceptance: Acceptance, kind: DocumentKind) -> tuple[InstanceReference, ...]:
        """Return the same document of the version before, if the archive has it."""
        if acceptance.predecessor is None:
            return ()
        document = document_of(acceptance.predecessor.sop_instance_uid, kind)
        found = self._archive.find_instance(acceptance.plan.study_instance_uid, document.sop_instance_uid)
        return () if found is None else (found,)


def _authors(segment: AcceptedSegment, user: str, before: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return who worked on a finding: those of the version before, and the user unless it was left untouched."""
    earlier = before.get(segment.tracking_uid, ())
    return earlier if segment.untouched else (*earlier, user)
