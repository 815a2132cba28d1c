"""Bring an accepted segmentation into the archive: encode, store, read back, compare; each stage durable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from delineate.domain.errors import (
    ArchiveDenied,
    ArchiveError,
    ArchiveTimeout,
    ArchiveUnreachable,
    DelineateError,
    SeriesNotFound,
)
from delineate.domain.ports import Archive, Outbox, ResultCodec, ResultStore
from delineate.domain.result import Result, ResultStage, retry_delay_s
from delineate.usecases.accept_segmentation import ACCEPTANCE_FILE, acceptance_of

log = logging.getLogger(__name__)

SEGMENTATION_FILE = "segmentation.dcm"


class ResultPipeline:
    """Advances results from stage to stage; safe to call again at any time, after any crash."""

    def __init__(
        self,
        archive: Archive,
        codec: ResultCodec,
        results: ResultStore,
        outbox: Outbox,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._archive = archive
        self._codec = codec
        self._results = results
        self._outbox = outbox
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
        except (ArchiveUnreachable, ArchiveTimeout, ArchiveDenied) as error:
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
        frozen = self._results.read_file(result.id, ACCEPTANCE_FILE) or b""
        acceptance = acceptance_of(result, frozen)
        plan = acceptance.plan
        headers = self._archive.headers(plan.study_instance_uid, plan.series_instance_uid)
        self._results.write_file(result.id, SEGMENTATION_FILE, self._codec.encode(acceptance, headers))

    def _store(self, result: Result) -> None:
        if not self._archive.has_instance(
            result.study_instance_uid, result.series_instance_uid, result.sop_instance_uid
        ):
            self._archive.store(self._bytes(result), result.study_instance_uid)

    def _verify(self, result: Result) -> Result:
        try:
            received = self._archive.instance(
                result.study_instance_uid, result.series_instance_uid, result.sop_instance_uid
            )
        except SeriesNotFound as error:
            return self._wait(result, error)
        difference = self._codec.compare(self._bytes(result), received)
        stored = replace(
            result, state="stored", coerced=difference.coerced, reason=None, problem=None, next_try_at=None, attempts=0
        )
        self._results.save(stored)
        self._results.purge_files(result.id)
        return stored

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
        detail = error.detail if isinstance(error, DelineateError) else "An internal fault; see the service's log."
        failed = replace(result, state="failed", reason=detail, problem=type(error).__name__, next_try_at=None)
        self._results.save(failed)
        return failed
