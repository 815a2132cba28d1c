"""Where sessions and results are kept, and who may write them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from delineate.adapters.process_leases import ProcessLeases
from delineate.adapters.redis_journal import Connection, RedisJournal, RedisLeases, ResultNews, durability_faults
from delineate.adapters.sqlite_journal import SqliteJournal
from delineate.domain.errors import JournalUnavailable
from delineate.domain.ports import Journal, Leases, ResultStore
from delineate.domain.result import Result
from delineate.settings import Settings
from delineate.usecases.watched_results import WatchedResults

log = logging.getLogger(__name__)


class Store(Journal, ResultStore, Protocol):
    """Sessions and results in one place, as both adapters have them."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What outlives the process."""

    store: Store
    leases: Leases
    broker_url: str | None
    """Of Celery; None: a worker in this process is all there is."""
    watched: Callable[[Callable[[Result], None]], ResultStore]
    """Return the results, having what it is given called with each state that is durable, whoever saved it."""
    under_way: Callable[[], list[str]]
    """Returns the sessions with which a start goes on by itself; none of those that other processes may serve."""
    check: Callable[[], None]
    """Returns when the store answers; raises JournalUnavailable if not."""
    close: Callable[[], None]
    """Gives back what is held; for the end, when nothing writes any more."""

    @property
    def shared(self) -> bool:
        """Whether other processes may serve sessions from the same store."""
        return self.broker_url is not None


def open_stores(settings: Settings) -> Stores:
    """Open the store that the settings name: Redis, or SQLite in the data folder.

    Raises
    ------
    DataDirInUse
        If another process works in the data folder, and there is no Redis to share.
    """
    if settings.redis_url is None:
        journal = SqliteJournal(settings.data_dir)
        return Stores(
            journal,
            ProcessLeases(),
            None,
            watched=lambda saved: WatchedResults(journal, saved),
            under_way=journal.sessions_under_way,
            check=lambda: None,
            close=journal.close,
        )
    url = settings.redis_url.get_secret_value()
    connection = Connection(url)
    leases = RedisLeases(connection, lease_s=settings.lease_s)
    store = RedisJournal(connection)
    news: list[ResultNews] = []
    threading.Thread(target=_warn_of_durability, args=(connection,), name="journal-check", daemon=True).start()

    def watched(saved: Callable[[Result], None]) -> ResultStore:
        news.append(ResultNews(connection, saved))
        return store

    def close() -> None:
        for one in news:
            one.close()
        leases.close()
        connection.close()

    def check() -> None:
        connection.run(lambda client: client.ping(), patience_s=0.0)

    return Stores(store, leases, url, watched=watched, under_way=list, check=check, close=close)


def _warn_of_durability(connection: Connection) -> None:
    """Log what keeps this Redis from holding the journal safely."""
    try:
        for fault in durability_faults(connection):
            log.warning("the journal is not safe", extra={"reason": fault})
    except JournalUnavailable as error:
        log.warning("the journal does not answer", extra={"reason": error.detail})
