"""A Redis of our own as journal and broker: for the demo and for tests, with the configuration that we ship."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from delineate.demo.layout import gateway_file, program
from delineate.demo.processes import Managed, Server, write_private

READY_TIMEOUT_S = 30.0
"""How long Redis may take to read what it kept."""


@dataclass(slots=True)
class RedisServer(Managed):
    """One Redis process on the loopback interface, with a folder of its own for what it keeps.

    Parameters
    ----------
    folder : Path
        Where it keeps its append-only file, and its configuration with the password.
    port : int
        Its port.
    password : str
        What clients have to say.
    log : Path, optional
        Its log file, ``folder/redis.log`` if not given.
    lines : str, optional
        Configuration in place of what is shipped.
    """

    folder: Path
    port: int
    password: str = field(repr=False)
    log: Path | None = None
    lines: str | None = None
    server: Server = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Describe the process; nothing is started or written yet."""
        self.folder = self.folder.resolve()
        self.server = Server(
            name="Redis",
            command=[program("redis-server"), str(self.configuration_file)],
            log=self.log or self.folder / "redis.log",
            is_ready=self.is_ready,
            ready_timeout_s=READY_TIMEOUT_S,
        )

    @property
    def url(self) -> str:
        """Its address, the password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def configuration_file(self) -> Path:
        """The configuration; it holds the password."""
        return self.folder / "redis.conf"

    def configuration(self) -> str:
        """Return the configuration: what is shipped, and what is this server's own."""
        shipped = f'include "{gateway_file("redis.conf")}"' if self.lines is None else self.lines
        own = f'bind 127.0.0.1\nport {self.port}\ndir "{self.folder}"\nrequirepass {self.password}\ndaemonize no\n'
        return f"{shipped}\n{own}"

    def is_ready(self) -> bool:
        """Say whether Redis answers, with this password, and has read what it kept."""
        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def prepare(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.configuration_file, self.configuration())
