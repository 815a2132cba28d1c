"""A real Redis for tests: with the configuration that we ship, on a free port, killed and started again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from delineate.demo import redis
from delineate.demo.processes import free_port


class RedisServer(redis.RedisServer):
    """One ``redis-server``; what it kept is there again after a restart."""

    __slots__ = ()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.server.kill()

    def clear(self) -> None:
        """Forget everything."""
        with Redis.from_url(self.url) as client:
            client.flushall()


@contextmanager
def redis_server(folder: Path, lines: str | None = None) -> Iterator[RedisServer]:
    """Run an empty Redis; ``lines`` are its configuration in place of what is shipped."""
    with RedisServer(folder, free_port(), secrets.token_hex(16), lines=lines) as server:
        yield server
