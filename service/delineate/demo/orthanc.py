"""An Orthanc with DICOMweb of our own: for the demo and for contract tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from delineate.demo.layout import gateway_file, program
from delineate.demo.processes import Managed, Server, free_port

READY_TIMEOUT_S = 30.0
"""Orthanc starts in a fraction of a second; a loaded machine gets more time."""


@dataclass(slots=True)
class OrthancServer(Managed):
    """One Orthanc process with its own storage folder, port and credentials.

    Parameters
    ----------
    folder : Path
        Where it keeps its storage (``folder/storage``) and its log.
    http_port : int
        Port for DICOMweb and Orthanc's own REST API.
    username, password : str
        The only registered user.
    log : Path, optional
        Its log file, ``folder/orthanc.log`` if not given.
    environment : Mapping
        More variables of orthanc.json.
    """

    folder: Path
    http_port: int
    username: str
    password: str = field(repr=False)
    log: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    server: Server = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Describe the process; nothing is started yet."""
        self.server = Server(
            name="Orthanc",
            command=[program("Orthanc"), str(gateway_file("orthanc.json"))],
            log=self.log or self.folder / "orthanc.log",
            is_ready=self.is_ready,
            environment={
                "ORTHANC_STORAGE": str(self.folder / "storage"),
                "ORTHANC_HTTP_PORT": str(self.http_port),
                "ORTHANC_USERNAME": self.username,
                "ORTHANC_PASSWORD": self.password,
                **self.environment,
            },
            ready_timeout_s=READY_TIMEOUT_S,
        )

    @property
    def rest_url(self) -> str:
        """Root of Orthanc's own REST API, without a trailing slash."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Root of DICOMweb, without a trailing slash."""
        return f"{self.rest_url}/dicom-web"

    def is_ready(self) -> bool:
        """Say whether Orthanc answers with the plugin loaded and these credentials."""
        try:
            reply = httpx.get(
                f"{self.dicomweb_url}/studies?limit=1",
                auth=(self.username, self.password),
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        return reply.is_success


@contextmanager
def orthanc_server(folder: Path) -> Iterator[OrthancServer]:
    """Run an empty Orthanc on a free port with generated credentials.

    Parameters
    ----------
    folder : Path
        An empty folder for storage and log.

    Yields
    ------
    OrthancServer
        The running server.
    """
    server = OrthancServer(folder, free_port(), "delineate", secrets.token_urlsafe(24))
    with server:
        yield server
