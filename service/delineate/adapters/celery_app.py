"""Celery as the outbox and as the queue of preloads.

A message only wakes a worker: the result store and the records of preloads are the truth. Messages carry ids, never
voxels. Without a broker Celery's memory transport is used, for a worker in the same process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from celery import Celery
from celery.bootsteps import CLOSE, RUN
from celery.signals import setup_logging
from celery.worker import WorkController
from kombu.exceptions import OperationalError

from delineate.domain.preload import PreloadOrder

log = logging.getLogger(__name__)

ADVANCE_RESULT = "delineate.advance_result"
PRELOAD = "delineate.preload"
RESULTS_QUEUE = "delineate.results"
"""Any worker takes from it."""
URGENT, BACKGROUND = 0, 9
"""Priorities of Celery's Redis transport: the lowest number first."""
ENDED_AFTER_S = 10.0
"""A worker that has not ended by then waits for a broker that is away; it ends with the process."""
REPLACED_AFTER_S = 1.0
"""After so long, a worker that ended by itself is replaced."""
UNACKNOWLEDGED_S = 600
"""After so long, a message that a killed worker had taken goes to another; what it asks for is done once anyhow."""


def _leave_logging_alone(**_: object) -> None:
    """Keep Celery from setting levels and handlers of the process; only its own lines are made fewer."""
    logging.getLogger("celery").setLevel(logging.WARNING)


setup_logging.connect(_leave_logging_alone)


def make_celery(broker_url: str | None = None) -> Celery:
    """Return the Celery application; ``None`` means the in-process memory transport."""
    app = Celery("delineate", broker=broker_url or "memory://")
    options: dict[str, object] = {"polling_interval": 0.02}
    if broker_url:
        options = {
            "queue_order_strategy": "priority",
            "priority_steps": [URGENT, BACKGROUND],
            "visibility_timeout": UNACKNOWLEDGED_S,
        }
    app.conf.update(
        task_default_queue=RESULTS_QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        broker_transport_options=options,
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
        try:
            self._app.send_task(ADVANCE_RESULT, args=[result_id], countdown=delay_s or None)
        except OperationalError as error:  # who goes round finds the result (usecases/caretaker.py)
            log.warning("result not announced", extra={"result": result_id, "reason": str(error)})


def preload_queue(machine: str, *, urgent: bool = False) -> str:
    """Return the name of a machine's queue of preloads, or of urgent ones: its volumes are on its own disk."""
    return f"{PRELOAD}.{machine}.urgent" if urgent else f"{PRELOAD}.{machine}"


class CeleryPreloadQueue:
    """PreloadQueue (ports.PreloadQueue) of one machine, for its ``delineate worker``."""

    def __init__(self, app: Celery, machine: str) -> None:
        self._app = app
        self._machine = machine

    def send(self, order: PreloadOrder, *, urgent: bool = False) -> None:
        """Have the order carried out after those before it; an urgent one before all that are not."""
        self._app.send_task(
            PRELOAD,
            args=[order.study_instance_uid, order.series_instance_uid, order.volume, urgent],
            queue=preload_queue(self._machine, urgent=urgent),
            priority=URGENT if urgent else BACKGROUND,
        )


class InProcessWorker:
    """A Celery worker in a thread of this process, which takes one task after another.

    Parameters
    ----------
    tasks
        What to do, by the tasks' names.
    queue, *others
        Where to take tasks from.
    """

    def __init__(
        self, app: Celery, tasks: Mapping[str, Callable[..., object]], queue: str = RESULTS_QUEUE, *others: str
    ) -> None:
        for name, action in tasks.items():
            app.task(_without_result(action), name=name)
        self._app = app
        self._queues = [queue, *others]
        self._worker = self._make()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"celery {queue}", daemon=True)

    def start(self) -> None:
        """Begin to take tasks."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the task under way and end."""
        self._stopping.set()
        end = time.monotonic() + ENDED_AFTER_S
        while self._thread.is_alive() and time.monotonic() < end:
            consumer = getattr(self._worker, "consumer", None)
            if consumer is not None:  # its own thread sees it; to close its connection from here would break it
                consumer.blueprint.state = CLOSE
            self._thread.join(timeout=0.05)

    def _work(self) -> None:
        """Take tasks until it is stopped; a worker that ends by itself, as on faults of the broker, is replaced."""
        self._run()
        while not self._stopping.wait(REPLACED_AFTER_S):
            log.warning("worker ended", extra={"queues": self._queues})
            self._worker = self._make()
            self._run()

    def _run(self) -> None:
        self._worker.start()
        consumer = getattr(self._worker, "consumer", None)
        if consumer is not None and consumer.blueprint.state == CLOSE:
            consumer.blueprint.state = RUN  # so that it is closed in order now: a connection left open takes messages
        try:
            self._worker.stop()
        except Exception as error:  # its connection is broken already
            log.info("worker not closed", extra={"queues": self._queues, "reason": str(error)})

    def _make(self) -> WorkController:
        return self._app.Worker(
            pool="solo",
            queues=self._queues,
            loglevel="WARNING",
            use_eventloop=False,  # there is one for all threads of a process, and it breaks when Redis comes and goes
            without_heartbeat=True,
            without_gossip=True,
            without_mingle=True,
            quiet=True,
        )


def _without_result(action: Callable[..., object]) -> Callable[..., None]:
    def task(*arguments: object) -> None:
        action(*arguments)

    return task
