"""A result store that tells when a result is in another state."""

from __future__ import annotations

from collections.abc import Callable

from delineate.domain.ports import ResultStore
from delineate.domain.result import Result


class WatchedResults:
    """Result store (ports.ResultStore) over another one; ``saved`` is called after each state that is durable."""

    def __init__(self, store: ResultStore, saved: Callable[[Result], None]) -> None:
        self._store = store
        self._saved = saved
        self.load = store.load
        self.unfinished = store.unfinished
        self.write_file = store.write_file
        self.read_file = store.read_file
        self.purge_files = store.purge_files
        self.purge_result = store.purge_result

    def save(self, result: Result) -> None:
        """Write a result's state, then tell it."""
        self._store.save(result)
        self._saved(result)
