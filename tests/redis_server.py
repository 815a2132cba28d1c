"""A real Redis for tests: with the configuration that we ship, on a free port, killed and started again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from delineate.demo.processes import Server, free_port

SHIPPED = Path(__file__).parents[1] / "orthanc" / "redis.conf"


class RedisServer:
    """One ``redis-server`` with its own folder; what it kept is there again after a restart.

    Parameters
    ----------
    lines
        Configuration in place of what is shipped.
    """

    def __init__(self, folder: Path, lines: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        password = secrets.token_hex(16)
        self.url = f"redis://:{password}@127.0.0.1:{self.port}/0"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "redis.conf"
        shipped = f"include {SHIPPED}" if lines is None else lines
        configuration.write_text(
            f"{shipped}\nbind 127.0.0.1\nport {self.port}\ndir {folder}\nrequirepass {password}\ndaemonize no\n"
        )
        command = ["redis-server", str(configuration)]
        self._server = Server("Redis", command, folder / "redis.log", self._answers)

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._server.kill()

    def stop(self) -> None:
        self._server.stop()

    def clear(self) -> None:
        """Forget everything."""
        with Redis.from_url(self.url) as client:
            client.flushall()

    @property
    def log(self) -> str:
        return self._server.log_tail()


@contextmanager
def redis_server(folder: Path, lines: str | None = None) -> Iterator[RedisServer]:
    server = RedisServer(folder, lines)
    server.start()
    try:
        yield server
    finally:
        server.stop()
