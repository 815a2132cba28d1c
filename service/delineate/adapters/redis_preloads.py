"""How far the preloads of a machine are, for all of its processes: one small key in Redis for each series."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar, cast

from redis import Redis
from redis.exceptions import RedisError

from delineate.domain.errors import JournalUnavailable
from delineate.domain.preload import PreloadRecord

T = TypeVar("T")

KEPT_S = 7 * 86_400
"""After its last change a record is forgotten; its volume may stay longer in the cache."""
TIMEOUT_S = 5.0


class RedisPreloadRecords:
    """Port ``PreloadRecords`` of one machine.

    Parameters
    ----------
    url
        Of Redis.
    machine
        Whose processes share a volume cache.
    """

    def __init__(self, url: str, machine: str) -> None:
        self._prefix = f"delineate:preload:{machine}:"
        self._client = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def save(self, record: PreloadRecord) -> None:
        """Keep a record in place of the series' last one."""
        self._run(lambda: self._client.set(self._key(record), _encoded(record), ex=KEPT_S))

    def update(self, record: PreloadRecord) -> None:
        """Keep a record in place of the series' last one, if there is one."""
        self._run(lambda: self._client.set(self._key(record), _encoded(record), ex=KEPT_S, xx=True))

    def load(self, series_instance_uid: str) -> PreloadRecord | None:
        """Return the series' record, None if there is none."""
        data = self._run(lambda: cast(bytes | None, self._client.get(self._prefix + series_instance_uid)))
        return None if data is None else PreloadRecord.from_json(json.loads(data))

    def remove(self, series_instance_uid: str) -> None:
        """Forget the series' record."""
        self._run(lambda: self._client.delete(self._prefix + series_instance_uid))

    def all(self) -> list[PreloadRecord]:
        """Return the records that are kept."""
        names = self._run(lambda: list(self._client.scan_iter(match=self._prefix + "*", count=1000)))
        found = self._run(lambda: cast(list[bytes | None], self._client.mget(names))) if names else []
        return [PreloadRecord.from_json(json.loads(data)) for data in found if data is not None]

    def _key(self, record: PreloadRecord) -> str:
        return self._prefix + record.order.series_instance_uid

    @staticmethod
    def _run(action: Callable[[], T]) -> T:
        try:
            return action()
        except RedisError as error:
            raise JournalUnavailable(
                f"How far preloads are cannot be read or written (Redis: {error}). Try again shortly; the "
                "administrator should check DELINEATE_REDIS_URL and Redis."
            ) from error


def _encoded(record: PreloadRecord) -> str:
    return json.dumps(record.to_json())
