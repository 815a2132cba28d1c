"""Preloading within this process: the records in memory, the work in two threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from delineate.domain.preload import PreloadOrder, PreloadRecord

KEPT_RECORDS = 1000
"""Series whose state is remembered: a whole day's worklist."""


class LocalPreloadRecords:
    """Port ``PreloadRecords`` in memory; forgets the oldest beyond ``KEPT_RECORDS``."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, PreloadRecord] = OrderedDict()
        self._guard = threading.Lock()

    def save(self, record: PreloadRecord) -> None:
        """Keep a record in place of the series' last one."""
        with self._guard:
            self._records[record.order.series_instance_uid] = record
            self._records.move_to_end(record.order.series_instance_uid)
            while len(self._records) > KEPT_RECORDS:
                self._records.popitem(last=False)

    def update(self, record: PreloadRecord) -> None:
        """Keep a record in place of the series' last one, if there is one."""
        with self._guard:
            if record.order.series_instance_uid in self._records:
                self._records[record.order.series_instance_uid] = record

    def load(self, series_instance_uid: str) -> PreloadRecord | None:
        """Return the series' record, None if there is none."""
        return self._records.get(series_instance_uid)

    def remove(self, series_instance_uid: str) -> None:
        """Forget the series' record."""
        with self._guard:
            self._records.pop(series_instance_uid, None)

    def all(self) -> list[PreloadRecord]:
        """Return the records that are kept."""
        with self._guard:
            return list(self._records.values())


class LocalPreloadQueue:
    """Port ``PreloadQueue``: one thread takes every order, urgent ones first, a second takes urgent ones only.

    An order that waits already is not queued twice.

    Parameters
    ----------
    run
        Carries an order out.
    """

    def __init__(self, run: Callable[..., None]) -> None:
        self._run = run
        self._urgent: OrderedDict[PreloadOrder, None] = OrderedDict()
        self._others: OrderedDict[PreloadOrder, None] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = False
        self._at_work = 0
        self._threads = [
            threading.Thread(target=self._work, args=(only_urgent,), name="preload", daemon=True)
            for only_urgent in (False, True)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, order: PreloadOrder, *, urgent: bool = False) -> None:
        """Have the order carried out after those before it; an urgent one before all that are not."""
        with self._changed:
            if urgent:
                self._others.pop(order, None)
                self._urgent[order] = None
            elif order not in self._urgent:
                self._others[order] = None
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        with self._changed:
            return not (self._urgent or self._others or self._at_work)

    def close(self) -> None:
        """End the threads after what they are at; orders that wait are dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, only_urgent: bool) -> None:
        while (taken := self._next(only_urgent)) is not None:
            order, urgent = taken
            try:
                self._run(order, urgent=urgent)
            finally:
                with self._changed:
                    self._at_work -= 1

    def _next(self, only_urgent: bool) -> tuple[PreloadOrder, bool] | None:
        with self._changed:
            while not (self._closing or self._urgent or (self._others and not only_urgent)):
                self._changed.wait()
            if self._closing:
                return None
            self._at_work += 1
            orders, urgent = (self._urgent, True) if self._urgent else (self._others, False)
            return orders.popitem(last=False)[0], urgent
