"""Celery as the outbox: a message only wakes the worker, the result store is the truth.

Without a broker Celery's memory transport is used, for a worker in the same process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from celery import Celery

ADVANCE_RESULT = "delineate.advance_result"


def make_celery(broker_url: str | None = None) -> Celery:
    """Return the Celery application; ``None`` means the in-process memory transport."""
    app = Celery("delineate", broker=broker_url or "memory://")
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        broker_transport_options={"polling_interval": 0.02},
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )
    return app


class CeleryOutbox:
    """Outbox (ports.Outbox) that sends a task by its name."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def schedule(self, result_id: str, delay_s: float = 0.0) -> None:
        """Have the result advanced after ``delay_s`` seconds."""
        self._app.send_task(ADVANCE_RESULT, args=[result_id], countdown=delay_s or None)


class InProcessWorker:
    """A Celery worker in a thread of this process."""

    def __init__(self, app: Celery, advance: Callable[[str], object]) -> None:
        @app.task(name=ADVANCE_RESULT)  # type: ignore[untyped-decorator]
        def advance_result(result_id: str) -> None:
            advance(result_id)

        self._worker = app.Worker(
            pool="solo",
            loglevel="WARNING",
            without_heartbeat=True,
            without_gossip=True,
            without_mingle=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._worker.start, name="celery-worker", daemon=True)

    def start(self) -> None:
        """Begin to take tasks."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the task under way and end."""
        self._worker.stop()
        self._thread.join(timeout=10)
