"""Bring an accepted segmentation into the archive: encode, store, read back, compare; each stage durable.

Then its documents, each likewise: a document that fails takes nothing from the segmentation.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from delineate.domain.errors import ArchiveError, DelineateError, SeriesNotFound, said_of
from delineate.domain.ports import Acceptance, Archive, Outbox, ResultCodec, ResultStore, StoredDifference
from delineate.domain.result import Result, ResultDocument, ResultStage, retry_delay_s
from delineate.usecases.accept_segmentation import ACCEPTANCE_FILE, TEMPORARY
from delineate.usecases.frozen import Identity, thaw
from delineate.usecases.record_segments import RECORDING_FILE, Recorder
from delineate.usecases.segmentation_versions import SegmentationVersions

log = logging.getLogger(__name__)

SEGMENTATION_FILE = "segmentation.dcm"


class Reports(Protocol):
    """Brings the documents of results into the archive (usecases/report_result.py)."""

    def store(
        self, result: Result, document: ResultDocument, acceptance: Callable[[], Acceptance], segmentation: bytes
    ) -> StoredDifference:
        """Have the archive hold the document, read it back and compare; DelineateError if that fails."""


class ResultPipeline:
    """Advances results from stage to stage; safe to call again at any time, after any crash."""

    def __init__(
        self,
        archive: Archive,
        codec: ResultCodec,
        results: ResultStore,
        outbox: Outbox,
        *,
        reports: Reports,
        versions: SegmentationVersions,
        recorder: Recorder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._archive = archive
        self._codec = codec
        self._results = results
        self._outbox = outbox
        self._reports = reports
        self._versions = versions
        self._recorder = recorder
        self._clock = clock

    def resume(self) -> None:
        """After a restart: go on with every result that has not come to its end."""
        for result in self._results.unfinished():
            self._outbox.schedule(result.id, max(0.0, (result.next_try_at or 0.0) - self._clock()))

    def advance(self, result_id: str) -> Result:
        """Take a result as far as it goes now; a temporary fault leaves it waiting with a time for the next try."""
        result = self._results.load(result_id)
        if result.state in ("stored", "failed"):
            return result
        try:
            result = self._stages(result)
        except TEMPORARY as error:
            result = self._wait(self._results.load(result_id), error)
        except DelineateError as error:
            result = self._fail(self._results.load(result_id), error)
        except Exception as error:
            log.exception("result failed", extra={"result": result_id})
            result = self._fail(self._results.load(result_id), error)
        log.info("result", extra={"result": result_id, "state": result.state})
        return result

    def _stages(self, result: Result) -> Result:
        if result.stage == "encoding":
            result = self._enter(result, "encoding")
            self._encode(result)
            result = self._enter(result, "storing")
        if result.stage == "storing":
            result = self._enter(result, "storing")
            self._store(result)
            result = self._enter(result, "verifying")
        return self._verify(self._enter(result, "verifying"))

    def _encode(self, result: Result) -> None:
        acceptance = self._acceptance(result)
        plan = acceptance.plan
        headers = self._archive.headers(plan.study_instance_uid, plan.series_instance_uid)
        self._results.write_file(result.id, SEGMENTATION_FILE, self._codec.encode(acceptance, headers))
        self._recorder.keep(result, acceptance)

    def _store(self, result: Result) -> None:
        if self._archive.has_instance(result.study_instance_uid, result.series_instance_uid, result.sop_instance_uid):
            return
        if result.predecessor is not None and not result.version_checked:
            self._versions.check(
                result.study_instance_uid,
                result.predecessor,
                session=result.session,
                known=[result.sop_instance_uid, *result.known_versions],
            )
        self._archive.store(self._bytes(result), result.study_instance_uid)

    def _verify(self, result: Result) -> Result:
        try:
            if not result.segmentation_stored:
                result = self._read_back(result)
            result = self._report(result)
        except SeriesNotFound as error:
            return self._wait(self._results.load(result.id), error)
        stored = replace(result, state="stored", reason=None, problem=None, next_try_at=None, attempts=0)
        self._results.save(stored)
        if not stored.failed_documents:  # else they can be tried again
            self._results.purge_files(result.id, keep=(RECORDING_FILE,))
        return stored

    def _read_back(self, result: Result) -> Result:
        received = self._archive.instance(
            result.study_instance_uid, result.series_instance_uid, result.sop_instance_uid
        )
        difference = self._codec.compare(self._bytes(result), received)
        verified = replace(result, segmentation_stored=True, coerced=difference.coerced, attempts=0)
        self._results.save(verified)
        return verified

    def _report(self, result: Result) -> Result:
        for place, document in enumerate(result.documents):
            if document.state == "pending":
                documents = list(result.documents)
                documents[place] = self._reported(result, document)
                result = replace(result, documents=tuple(documents))
                self._results.save(result)
        return result

    def _reported(self, result: Result, document: ResultDocument) -> ResultDocument:
        try:
            difference = self._reports.store(result, document, lambda: self._acceptance(result), self._bytes(result))
        except (*TEMPORARY, SeriesNotFound):
            raise
        except Exception as error:
            if not isinstance(error, DelineateError):
                log.exception("document failed", extra={"result": result.id, "document": document.kind})
            return replace(document, state="failed", reason=said_of(error), problem=type(error).__name__)
        return replace(document, state="stored", coerced=difference.coerced)

    def _acceptance(self, result: Result) -> Acceptance:
        frozen = self._results.read_file(result.id, ACCEPTANCE_FILE) or b""
        identity = Identity(result.series_instance_uid, result.sop_instance_uid, result.user, result.created_at)
        return thaw(identity, frozen)

    def _bytes(self, result: Result) -> bytes:
        return self._results.read_file(result.id, SEGMENTATION_FILE) or b""

    def _enter(self, result: Result, stage: ResultStage) -> Result:
        if (result.state, result.stage) == (stage, stage):
            return result
        attempts = result.attempts if result.stage == stage else 0
        entered = replace(
            result, state=stage, stage=stage, attempts=attempts, reason=None, problem=None, next_try_at=None
        )
        self._results.save(entered)
        return entered

    def _wait(self, result: Result, error: ArchiveError) -> Result:
        delay = retry_delay_s(result.attempts + 1)
        waiting = replace(
            result,
            state="waiting",
            attempts=result.attempts + 1,
            next_try_at=self._clock() + delay,
            reason=error.detail,
            problem=type(error).__name__,
        )
        self._results.save(waiting)
        self._outbox.schedule(result.id, delay)
        return waiting

    def _fail(self, result: Result, error: Exception) -> Result:
        failed = replace(result, state="failed", reason=said_of(error), problem=type(error).__name__, next_try_at=None)
        self._results.save(failed)
        return failed
