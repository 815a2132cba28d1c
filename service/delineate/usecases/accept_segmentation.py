"""Accept a session's segments: freeze them, durably, and hand them to the outbox."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from delineate.domain.errors import ArchiveDenied, ArchiveTimeout, ArchiveUnreachable, ResultNotFailed, ResultNotFound
from delineate.domain.ports import Outbox, ResultStore, SegmentationEncoding
from delineate.domain.result import DocumentKind, Result, document_of
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference
from delineate.domain.session import SegmentRecord
from delineate.usecases.frozen import check_overlap, chosen_segments, freeze
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.segmentation_versions import SegmentationVersions

ACCEPTANCE_FILE = "acceptance.json"
TEMPORARY = (ArchiveUnreachable, ArchiveTimeout, ArchiveDenied)
"""Faults of the archive that may pass."""


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """What is to be accepted, and how."""

    numbers: Sequence[int] | None = None
    """Segment Numbers; None: all."""
    series_description: str | None = None
    encoding: SegmentationEncoding = "BINARY"
    known_versions: Sequence[str] = ()
    """SOP Instance UIDs of newer versions that the user knows of, and wants to store beside."""


@dataclass(frozen=True, slots=True, eq=False)
class Accepting:
    """The parts that accepting takes."""

    host: SessionHost
    results: ResultStore
    outbox: Outbox
    versions: SegmentationVersions

    def accept(self, live: LiveSession, request: AcceptRequest, *, key: str, digest: str) -> Result:
        """Freeze the segments as they are now and have them stored.

        The result's id and the SEG's UIDs follow from session and key, so that a repeated request is the same result.

        Raises
        ------
        SegmentEmpty, SegmentUnnamed
            If one of the segments cannot be accepted.
        SegmentsOverlap
            If LABELMAP encoding is asked for and segments overlap.
        SessionReadOnly
            If the session shows a segmentation that cannot be refined.
        NewerVersions
            If somebody else has made another next version of the same segmentation.
        """
        with live.lock:
            if (known := self._replied(live, key, digest)) is not None:
                return known
            base = self._base(live, self._chosen(live, request))
        with self._alone(live, base, request) as checked, live.lock:
            if (known := self._replied(live, key, digest)) is not None:
                return known
            result = self._accepted(live, request, base, key, checked=checked)
            self.host.record(live, self.host.entry("accepted", result=result.id, key=key, digest=digest))
        self.outbox.schedule(result.id)
        return result

    def _replied(self, live: LiveSession, key: str, digest: str) -> Result | None:
        _ = live.plan
        live.check_writable()
        return self.results.load(live.session.made(key)) if live.session.replied(key, digest) else None

    def _chosen(self, live: LiveSession, request: AcceptRequest) -> list[SegmentRecord]:
        chosen = chosen_segments(live, request.numbers)
        if request.encoding == "LABELMAP":
            check_overlap(live, chosen)
        return chosen

    def _base(self, live: LiveSession, chosen: Sequence[SegmentRecord]) -> InstanceReference | None:
        """Return the segmentation of which this will be the next version.

        That is what the session itself stored last of the same findings, else what it was opened from.
        """
        findings = {segment.tracking_uid for segment in chosen}
        for name in reversed(live.session.results):
            result = self.results.load(name)
            if result.segmentation_stored and findings.intersection(result.findings):
                return InstanceReference(result.series_instance_uid, result.sop_instance_uid, result.sop_class_uid)
        return live.session.opened_from.reference if live.session.opened_from else None

    @contextmanager
    def _alone(self, live: LiveSession, base: InstanceReference | None, request: AcceptRequest) -> Iterator[bool]:
        """Keep others from accepting a next version of ``base``; yield whether it is known that nobody has."""
        if base is None:
            yield True
            return
        with self.versions.turn(base.sop_instance_uid):
            checked = False
            with contextlib.suppress(*TEMPORARY):  # then it is asked before storing
                self.versions.check(
                    live.session.study_instance_uid,
                    base.sop_instance_uid,
                    session=live.session.id,
                    known=self._known(live, request),
                )
                checked = True
            yield checked

    def _known(self, live: LiveSession, request: AcceptRequest) -> tuple[str, ...]:
        """Return the newer versions that are no surprise: the session's own, and those that the user has chosen."""
        own = [self.results.load(name).sop_instance_uid for name in live.session.results]
        return (*own, *request.known_versions)

    def _accepted(
        self, live: LiveSession, request: AcceptRequest, base: InstanceReference | None, key: str, *, checked: bool
    ) -> Result:
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{live.session.id}/{key}")
        with contextlib.suppress(ResultNotFound):  # unless the process that saved it died before the journal had it
            return self.results.load(made.hex)
        chosen = self._chosen(live, request)
        sop_instance_uid = f"2.25.{uuid.uuid5(made, 'instance').int}"
        kinds: list[DocumentKind] = ["measurements"]
        if any(segment.applied for segment in chosen):
            kinds.append("prompts")
        result = Result(
            id=made.hex,
            session=live.session.id,
            user=live.session.user,
            state="encoding",
            stage="encoding",
            study_instance_uid=live.session.study_instance_uid,
            series_instance_uid=f"2.25.{uuid.uuid5(made, 'series').int}",
            sop_instance_uid=sop_instance_uid,
            created_at=self.host.clock(),
            sop_class_uid=SEGMENTATION_CLASSES[request.encoding == "LABELMAP"],
            findings=tuple(segment.tracking_uid for segment in chosen),
            documents=tuple(document_of(sop_instance_uid, kind) for kind in kinds),
            predecessor=base.sop_instance_uid if base else None,
            version_checked=checked,
            known_versions=self._known(live, request),
        )
        frozen = freeze(
            live,
            chosen,
            model=self.host.segmenter.info,
            series_description=request.series_description,
            encoding=request.encoding,
            predecessor=base,
        )
        self.results.write_file(result.id, ACCEPTANCE_FILE, frozen)
        self.results.save(result)
        return result


def retry_result(results: ResultStore, outbox: Outbox, result: Result) -> Result:
    """Try a failed or waiting result, or the documents that it lacks, again now.

    One that failed because of newer versions is then stored beside them.

    Raises
    ------
    ResultNotFailed
        If all of it is stored, or under way.
    """
    if result.state not in ("failed", "waiting") and not (result.state == "stored" and result.failed_documents):
        raise ResultNotFailed(f"The result is {result.state}; only a failed or waiting one can be tried again.")
    documents = tuple(
        replace(d, state="pending", reason=None, problem=None) if d.state == "failed" else d for d in result.documents
    )
    again = replace(
        result,
        state=result.stage,
        reason=None,
        problem=None,
        next_try_at=None,
        documents=documents,
        version_checked=result.problem == "NewerVersions",
    )
    results.save(again)
    outbox.schedule(again.id)
    return again
