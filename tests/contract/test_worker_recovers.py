"""A worker inside a process of ours, on a real Redis that is killed and started again."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.redis_server import redis_server

from delineate.adapters.celery_app import ADVANCE_RESULT, ENDED_AFTER_S, CeleryOutbox, InProcessWorker, make_celery

WAIT_S = 60.0
pytestmark = pytest.mark.filterwarnings("ignore")  # Celery's, about root and its own future


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_workers_go_on_when_redis_is_back_however_often_it_dies(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as redis:
        app = make_celery(redis.url)
        outbox = CeleryOutbox(app)
        done: set[str] = set()
        beside = threading.Event()
        worker = InProcessWorker(app, {ADVANCE_RESULT: done.add})
        other = InProcessWorker(make_celery(redis.url), {"other": beside.set}, queue="other")
        worker.start()
        other.start()

        def advanced() -> bool:
            name = uuid.uuid4().hex
            outbox.schedule(name)
            end = time.monotonic() + 2.0
            while time.monotonic() < end and name not in done:
                time.sleep(0.01)
            return name in done

        eventually(advanced)
        for _ in range(3):
            redis.kill()
            outbox.schedule("while it is away")  # is not an error: who goes round finds the result
            redis.start()
            eventually(advanced)
        make_celery(redis.url).send_task("other", queue="other")
        assert beside.wait(WAIT_S)
        worker.stop()
        other.stop()
        heir = InProcessWorker(app, {ADVANCE_RESULT: done.add})
        heir.start()
        assert advanced(), "a worker that was stopped took the message"
        began = time.monotonic()
        heir.stop()
        assert time.monotonic() - began < ENDED_AFTER_S
