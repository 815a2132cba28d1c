"""The Celery side: which tasks there are and what they do."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import ExitStack

from delineate.adapters.celery_app import ADVANCE_RESULT, InProcessWorker
from delineate.settings import Settings, SettingsError
from delineate.wiring.services import Services, WorkerServices, build_worker

log = logging.getLogger(__name__)


def worker_of(services: Services | WorkerServices) -> InProcessWorker:
    """Return a worker for this process that advances accepted results."""
    return InProcessWorker(services.celery, {ADVANCE_RESULT: services.turns.advance})


def run_worker(settings: Settings) -> None:
    """Preload series of this machine, store accepted results of any, and write exports, until SIGTERM or SIGINT.

    Raises
    ------
    SettingsError
        If there is no Redis: then ``delineate serve`` does all of that.
    OSError
        If the address of the metrics cannot be taken.
    """
    if settings.redis_url is None:
        raise SettingsError(
            "A worker takes its work from Redis: set DELINEATE_REDIS_URL, here and for delineate serve. Without it, "
            "delineate serve is the whole service."
        )
    ended = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: ended.set())
    services = build_worker(settings)
    with ExitStack() as stack:
        if settings.worker_metrics is not None:
            host, _, port = settings.worker_metrics.rpartition(":")
            stack.callback(services.meter.serve(host, int(port)))
        stack.callback(services.close)
        results = worker_of(services)
        stack.callback(results.stop)
        results.start()
        services.start()
        log.info("worker started")
        ended.wait()
