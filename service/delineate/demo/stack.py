"""The demo stack: Orthanc, the service and the gateway with stock OHIF."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
from filelock import FileLock, Timeout

from delineate.demo import sample
from delineate.demo.errors import (
    DemoRunningError,
    PortTakenError,
    ServerEndedError,
)
from delineate.demo.gateway import Gateway
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import Server, is_port_free
from delineate.demo.redis import RedisServer
from delineate.demo.upload import archive_client, store_sample

SERVICE_READY_TIMEOUT_S = 180.0
"""How long the service may take to load its libraries and the model on a busy machine."""

STABLE_AGE_S = 3
"""Seconds after its last instance that Orthanc takes a series for complete."""

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Where the demo listens and keeps its state.

    Parameters
    ----------
    state : Path
        Folder for storage, credentials and logs; kept between runs.
    viewer : Path
        OHIF's ``dist`` folder.
    port : int
        Port of the gateway, the one that a browser opens.
    archive_port, service_port : int
        Ports of Orthanc and of the service.
    redis_port : int, optional
        Port of a Redis that the service keeps its sessions in; without it they are in its own folder.
    """

    state: Path
    viewer: Path
    port: int
    archive_port: int
    service_port: int
    redis_port: int | None = None

    def require_free_ports(self) -> None:
        """Check all ports before anything is started.

        Raises
        ------
        PortTakenError
            If another program listens on one of them.
        """
        for server, variable, port in (
            ("the gateway", "DEMO_PORT", self.port),
            ("Orthanc", "DEMO_ARCHIVE_PORT", self.archive_port),
            ("the service", "DEMO_SERVICE_PORT", self.service_port),
            ("Redis", "DEMO_REDIS_PORT", self.redis_port),
        ):
            if port is not None and not is_port_free(port):
                raise PortTakenError(port, server, variable)


@dataclass(frozen=True, slots=True)
class DemoStack:
    """The running parts of the demo.

    Parameters
    ----------
    archive : OrthancServer
        Orthanc.
    service : Server
        ``delineate serve``.
    gateway : Gateway
        The one origin.
    service_url : str
        Root of the service, without a trailing slash.
    redis : RedisServer, optional
        Redis, if the demo has one.
    """

    archive: OrthancServer
    service: Server
    gateway: Gateway
    service_url: str
    redis: RedisServer | None = None

    @property
    def viewer_url(self) -> str:
        """The viewer with the sample study in Delineate's mode, in three planes."""
        query = {"StudyInstanceUIDs": sample.STUDY_INSTANCE_UID, "hangingProtocolId": "mpr"}
        return f"{self.gateway.url}/delineate?{urlencode(query)}"

    def require_running(self) -> None:
        """Check that nothing has ended.

        Raises
        ------
        ServerEndedError
            If a part has ended by itself.
        """
        more = (self.redis.server,) if self.redis else ()
        for server in (self.archive.server, self.service, self.gateway.server, *more):
            if server.returncode is not None:
                raise ServerEndedError(server.name, server.returncode, server.log_tail())


@contextmanager
def demo_stack(settings: DemoSettings, say: Say) -> Iterator[DemoStack]:
    """Start all parts and put the sample series into the archive.

    Parameters
    ----------
    settings : DemoSettings
        Ports and folders.
    say : callable
        Takes each line of progress.

    Yields
    ------
    DemoStack
        The running stack; it is stopped at the end.

    Raises
    ------
    DemoError
        If a part does not start.
    """
    logs = settings.state / "logs"
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_demo(settings.state))
        settings.require_free_ports()
        password = _password(settings.state / "archive-password")
        say("Starting Orthanc ...")
        archive = OrthancServer(
            settings.state / "orthanc",
            settings.archive_port,
            "delineate",
            password,
            logs / "orthanc.log",
            preload_hook(settings.service_port),
        )
        stack.enter_context(archive)
        redis = _redis(settings)
        if redis is not None:
            say("Starting Redis ...")
            stack.enter_context(redis)
        say("Starting the service and the gateway ...")
        service = _service(settings, archive, redis)
        stack.callback(service.stop)
        service.launch()
        if store_sample(archive_client(archive.dicomweb_url, archive.username, archive.password)):
            say("The head MRI was made and stored in Orthanc.")
        gateway = stack.enter_context(_gateway(settings, archive))
        service.await_ready()
        yield DemoStack(archive, service, gateway, f"http://127.0.0.1:{settings.service_port}", redis)


def _redis(settings: DemoSettings) -> RedisServer | None:
    if settings.redis_port is None:
        return None
    password = _password(settings.state / "redis-password")
    return RedisServer(settings.state / "redis", settings.redis_port, password, settings.state / "logs" / "redis.log")


def preload_hook(service_port: int) -> dict[str, str]:
    """Return what has Orthanc announce each complete series to the service.

    Parameters
    ----------
    service_port : int
        Of the service on this machine, which asks for no token.

    Returns
    -------
    dict of str
        Environment variables of Orthanc.
    """
    return {
        "ORTHANC_DELINEATE_URL": f"http://127.0.0.1:{service_port}/delineate",
        "ORTHANC_STABLE_AGE": str(STABLE_AGE_S),
    }


def _service(settings: DemoSettings, archive: OrthancServer, redis: RedisServer | None) -> Server:
    url = f"http://127.0.0.1:{settings.service_port}/delineate/health/ready"

    def is_ready() -> bool:
        try:
            return httpx.get(url, trust_env=False).is_success
        except httpx.TransportError:
            return False

    return Server(
        name="The service",
        command=delineate_command("serve"),
        log=settings.state / "logs" / "service.log",
        is_ready=is_ready,
        environment={
            "DELINEATE_MODEL": os.environ.get("DELINEATE_MODEL", "demo"),
            "DELINEATE_ARCHIVE_URL": archive.dicomweb_url,
            "DELINEATE_ARCHIVE_USERNAME": archive.username,
            "DELINEATE_ARCHIVE_PASSWORD": archive.password,
            "DELINEATE_HOST": "127.0.0.1",
            "DELINEATE_PORT": str(settings.service_port),
            "DELINEATE_DATA_DIR": str(settings.state / "service"),
            **({"DELINEATE_REDIS_URL": redis.url} if redis else {}),
        },
        ready_timeout_s=SERVICE_READY_TIMEOUT_S,
    )


def _gateway(settings: DemoSettings, archive: OrthancServer) -> Gateway:
    return Gateway(
        folder=settings.state / "gateway",
        port=settings.port,
        archive_port=archive.http_port,
        archive_username=archive.username,
        archive_password=archive.password,
        service_port=settings.service_port,
        viewer=settings.viewer,
        log=settings.state / "logs" / "gateway.log",
    )


def delineate_command(verb: str) -> list[str]:
    """Return the command line of this very installation.

    Parameters
    ----------
    verb : str
        ``serve``, ``segment`` ...

    Returns
    -------
    list of str
        Program and first argument.
    """
    return [str(Path(sys.executable).with_name("delineate")), verb]


def _password(file: Path) -> str:
    """Read a password, or make one that only this user can read."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(24))
    except FileExistsError:
        pass
    return file.read_text()


@contextmanager
def _only_demo(state: Path) -> Iterator[None]:
    """Refuse a second demo on the same state."""
    lock = FileLock(state / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise DemoRunningError(state) from error
    try:
        yield
    finally:
        lock.release()
