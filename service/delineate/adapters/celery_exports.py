"""Celery as the queue of exports: a message only wakes the worker, the export store is the truth."""

from __future__ import annotations

import logging

from celery import Celery
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

WRITE_EXPORT = "delineate.write_export"
EXPORTS_QUEUE = "delineate.exports"


class CeleryExportQueue:
    """ExportQueue (usecases.export_segments) that sends a task by its name."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, export_id: str) -> None:
        """Have an export written after those before it."""
        try:
            self._app.send_task(WRITE_EXPORT, args=[export_id], queue=EXPORTS_QUEUE)
        except OperationalError as error:  # who goes round sends it again (usecases/export_rounds.py)
            log.warning("export not announced", extra={"export": export_id, "reason": str(error)})
