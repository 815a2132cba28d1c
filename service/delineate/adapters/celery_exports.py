"""Celery as the queue of exports: a message only wakes the worker, the export store is the truth.

An export's files lie on the disk of the process that was asked for it. So its queue is in memory, for a worker of the
same process, whatever the broker of results is.
"""

from __future__ import annotations

from celery import Celery

WRITE_EXPORT = "delineate.write_export"
EXPORTS_QUEUE = "delineate.exports"


class CeleryExportQueue:
    """ExportQueue (usecases.export_segments) that sends a task by its name."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, export_id: str) -> None:
        """Have an export written after those before it."""
        self._app.send_task(WRITE_EXPORT, args=[export_id], queue=EXPORTS_QUEUE)
