"""Keep how accepted segments came to be, beyond the life of their session."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from delineate.domain.errors import ResultNotFound
from delineate.domain.ports import Acceptance, Journal, ResultStore
from delineate.domain.recording import recording_json
from delineate.domain.result import Result
from delineate.domain.session import Entry

log = logging.getLogger(__name__)

RECORDING_FILE = "recording.json"
"""Kept as long as the result."""


class Recorder:
    """Writes recordings from the journal.

    Parameters
    ----------
    software
        Names and versions of what computes.
    """

    def __init__(self, journal: Journal, results: ResultStore, software: Mapping[str, str]) -> None:
        self._journal = journal
        self._results = results
        self._software = dict(software)

    def keep(self, result: Result, acceptance: Acceptance) -> None:
        """Write the recording of a result, once; a fault is logged, for a segmentation is not lost over it."""
        if self._results.read_file(result.id, RECORDING_FILE) is not None:
            return
        try:
            made = self.record(result.session, acceptance, result.created_at, result.id)
            self._results.write_file(result.id, RECORDING_FILE, made)
        except Exception:
            log.exception("no recording", extra={"result": result.id})

    def record(self, session_id: str, acceptance: Acceptance, frozen_at: float, result_id: str | None = None) -> bytes:
        """Return the recording of a session's segments, up to when they were frozen (seconds since the epoch)."""
        entries = _until(self._journal.read(session_id), frozen_at, result_id)
        return recording_json(acceptance, self._software, entries)

    def read(self, result_id: str) -> bytes:
        """Return what was kept; ResultNotFound if there is nothing."""
        kept = self._results.read_file(result_id, RECORDING_FILE)
        if kept is None:
            raise ResultNotFound(
                f"Result {result_id} has no recording: it is not encoded yet, or is of an earlier version of Delineate."
            )
        return kept


def _until(entries: list[Entry], frozen_at: float, result_id: str | None) -> list[Entry]:
    places = [n for n, e in enumerate(entries) if e.kind == "accepted" and e.data["result"] == result_id]
    return entries[: places[0]] if places else [e for e in entries if e.at <= frozen_at]
