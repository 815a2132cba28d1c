"""One way to Redis: calls are repeated while it is away, and its errors become ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from tenacity import Retrying, retry_if_exception, sleep_using_event, stop_after_delay, wait_exponential_jitter

from delineate.domain.errors import JournalUnavailable

T = TypeVar("T")

PREFIX = "delineate:"
"""Of every key."""
PATIENCE_S = 15.0
"""A Redis restarts or fails over in less."""
TIMEOUT_S = 5.0
"""A disk that syncs slowly takes less."""


class Connection:
    """Connections to one Redis, for any number of threads.

    Parameters
    ----------
    url
        ``redis://[:password@]host:port/number``, or ``rediss://`` for TLS.
    patience_s
        How long a call is repeated while Redis is away.
    timeout_s
        Longest silence of Redis before a call is repeated.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S, timeout_s: float = TIMEOUT_S) -> None:
        self._patience_s = patience_s
        self._closing = threading.Event()
        self.client = Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
        )

    def close(self) -> None:
        """Give up what is being repeated, and close the connections."""
        self._closing.set()
        self.client.close()

    def run(self, action: Callable[[Redis], T], *, patience_s: float | None = None) -> T:
        """Return what ``action`` returns; it may run several times, and one that failed may have had its effect.

        Raises
        ------
        JournalUnavailable
            If Redis is away for longer than the patience, or refuses.
        """
        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_delay(self._patience_s if patience_s is None else patience_s),
            wait=wait_exponential_jitter(multiplier=0.02, max=0.5, jitter=0.02),
            sleep=sleep_using_event(self._closing),
            reraise=True,
        )
        try:
            result: T = attempts(self._once, action)
        except RedisError as error:
            raise JournalUnavailable(
                f"The journal (Redis) does not do its part: {error}. Try again shortly; the administrator should check "
                "that Redis runs, has memory and disk left, and takes DELINEATE_REDIS_URL's password."
            ) from error
        return result

    def _once(self, action: Callable[[Redis], T]) -> T:
        if self._closing.is_set():
            raise JournalUnavailable("The journal was closed, because the service is stopping. Try again shortly.")
        return action(self.client)


def key(*parts: str) -> str:
    """Return the name of a key."""
    return PREFIX + ":".join(parts)


def durability_faults(connection: Connection) -> list[str]:
    """Return what keeps this Redis from holding a journal safely, each with its remedy; empty if nothing is known."""

    def ask(client: Redis) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            config: dict[str, Any] = client.config_get("appendfsync")  # type: ignore[assignment]
        except RedisError as error:
            if _may_pass(error):
                raise
            config = {}  # hosted Redis does not show it
        info: dict[str, Any] = client.info("everything")
        return config, info

    config, info = connection.run(ask)
    faults = []
    if not info.get("aof_enabled"):
        faults.append("Redis keeps no append-only file: sessions are lost with it. Set `appendonly yes`.")
    if config.get("appendfsync", "always") != "always":
        faults.append("Redis may lose the last second of work. Set `appendfsync always`.")
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        faults.append("Redis deletes sessions when memory runs short. Set `maxmemory-policy noeviction`.")
    if not info.get("maxmemory", 1):
        faults.append("Redis takes memory until the kernel ends it. Set `maxmemory` below what its machine has.")
    return faults


def _may_pass(error: BaseException) -> bool:
    lasting = isinstance(error, AuthenticationError | AuthorizationError)
    return isinstance(error, RedisConnectionError | RedisTimeoutError | ReadOnlyError) and not lasting
