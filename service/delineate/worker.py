"""The Celery side: which tasks there are and what they do."""

from __future__ import annotations

from delineate.adapters.celery_outbox import InProcessWorker
from delineate.wiring import Services


def worker_of(services: Services) -> InProcessWorker:
    """Return a worker for this process that advances accepted results."""
    return InProcessWorker(services.celery, services.pipeline.advance)
