"""The gateway: nginx as a foreground process that serves viewer, archive and service."""

from __future__ import annotations

import base64
import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import httpx

from delineate.demo.layout import EXTENSION, gateway_file, program
from delineate.demo.processes import Managed, Server, write_private

NGINX_MODULES = Path("/usr/lib/nginx/modules")
"""Where Debian's packages put nginx's dynamic modules."""

READY_TIMEOUT_S = 10.0
"""How long nginx may take to answer."""


@dataclass(slots=True)
class Gateway(Managed):
    """One nginx on the loopback interface, with a folder of its own for what it writes.

    Parameters
    ----------
    folder : Path
        nginx's prefix: configuration, process id, access log, temporary files.
    port : int
        Port of the one origin.
    archive_port : int
        Orthanc's port on this machine.
    archive_username, archive_password : str
        Orthanc's credentials, which the gateway adds to each DICOMweb request.
    service_port : int
        Delineate's port on this machine.
    viewer : Path
        OHIF's ``dist`` folder.
    extension : Path
        ``dist`` folder of Delineate's extension for OHIF; where it is missing, the viewer works without.
    log : Path, optional
        Error log, ``folder/gateway.log`` if not given.
    more_service_ports : tuple of int
        Ports of further processes of the service, which share a Redis with the first.
    """

    folder: Path
    port: int
    archive_port: int
    archive_username: str
    archive_password: str = field(repr=False)
    service_port: int
    viewer: Path
    extension: Path = EXTENSION
    log: Path | None = None
    more_service_ports: tuple[int, ...] = ()
    server: Server = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Describe the process; nothing is started or written yet."""
        self.folder = self.folder.resolve()
        self.server = Server(
            name="The gateway",
            command=[
                program("nginx"),
                *("-p", str(self.folder)),
                *("-c", str(self.configuration_file)),
                *("-e", "stderr"),
            ],
            log=self.log or self.folder / "gateway.log",
            is_ready=self.is_ready,
            ready_timeout_s=READY_TIMEOUT_S,
        )

    @property
    def url(self) -> str:
        """The one origin, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def configuration_file(self) -> Path:
        """The rendered configuration; it holds Orthanc's password."""
        return self.folder / "nginx.conf"

    def configuration(self) -> str:
        """Fill in the configuration's variables.

        Returns
        -------
        str
            nginx's configuration.
        """
        credentials = f"{self.archive_username}:{self.archive_password}".encode()
        template = gateway_file("nginx.conf.template")
        return Template(template.read_text()).safe_substitute(
            NGINX_MODULES=NGINX_MODULES,
            NGINX_USER=_user_directive(),
            GATEWAY_FILES=template.parent,
            GATEWAY_LISTEN=f"127.0.0.1:{self.port}",
            GATEWAY_NAMES="localhost 127.0.0.1",
            ARCHIVE_ADDRESS=f"127.0.0.1:{self.archive_port}",
            ARCHIVE_BASIC_AUTH=base64.b64encode(credentials).decode(),
            SERVICE_SERVERS=" ".join(
                f"server 127.0.0.1:{port} max_fails=0;" for port in (self.service_port, *self.more_service_ports)
            ),
            SERVICE_AUTHORIZATION="",
            OHIF_ROOT=self.viewer.resolve(),
            EXTENSION_ROOT=self.extension.resolve(),
        )

    def is_ready(self) -> bool:
        """Say whether the gateway serves the viewer's configuration."""
        try:
            reply = httpx.get(f"{self.url}/app-config.js", trust_env=False)
        except httpx.TransportError:
            return False
        return reply.is_success

    def prepare(self) -> None:
        """Write the configuration."""
        (self.folder / "temp").mkdir(parents=True, exist_ok=True)
        write_private(self.configuration_file, self.configuration())


def _user_directive() -> str:
    """Keep root's workers root: a checkout may lie where only root can read."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
