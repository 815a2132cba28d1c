"""Results that any process has saved, told to the processes that listen while they are saved."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable

from redis.exceptions import RedisError

from delineate.adapters.redis_journal.connection import Connection, key
from delineate.domain.records import result_from_json
from delineate.domain.result import Result

log = logging.getLogger(__name__)

CHANNEL = key("results")
"""Each message is a result's state, as it is kept."""
LOOK_S = 1.0
"""Longest time until the thread sees that it is to end."""


class ResultNews:
    """Calls ``saved`` with each result that is saved from now on, in a thread of its own.

    What is saved while Redis is away, or before a lost connection is noticed, is not told: who must not miss a state
    reads the store.
    """

    def __init__(self, connection: Connection, saved: Callable[[Result], None]) -> None:
        self._connection = connection
        self._saved = saved
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="result-news", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except (RedisError, OSError) as error:
                log.info("results are not heard of", extra={"reason": str(error)})
                self._closing.wait(LOOK_S)

    def _listen(self) -> None:
        with self._connection.client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(CHANNEL)
            while not self._closing.is_set():
                message = channel.get_message(timeout=LOOK_S)
                if message is not None:
                    self._tell(message["data"])

    def _tell(self, data: bytes) -> None:
        try:
            self._saved(result_from_json(json.loads(data)))
        except Exception:  # one that cannot be told must not keep the others from being heard
            log.exception("result not told")
