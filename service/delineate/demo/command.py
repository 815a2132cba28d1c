"""The command ``delineate demo``: settings from the environment, errors in one line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import typer

from delineate.demo.errors import DemoError, PortInvalidError
from delineate.demo.layout import REPOSITORY
from delineate.demo.run import run_demo
from delineate.demo.stack import DemoSettings

HIGHEST_PORT = 65535
"""TCP has no port above."""


def main() -> int:
    """Run the demo until Ctrl-C.

    Returns
    -------
    int
        Exit status: 0 after Ctrl-C, 1 if a part did not start or ended by itself.
    """
    try:
        run_demo(settings_from_environment(os.environ), typer.echo)
    except DemoError as error:
        typer.echo(str(error), err=True)
        return 1
    return 0


def settings_from_environment(environment: Mapping[str, str]) -> DemoSettings:
    """Read the demo's variables.

    Parameters
    ----------
    environment : mapping of str to str
        ``DEMO_PORT``, ``DEMO_ARCHIVE_PORT``, ``DEMO_SERVICE_PORT`` (8080, 8142, 8100),
        ``DEMO_STATE``, the folder for storage, credentials and logs (``.demo`` in the checkout), and
        ``DEMO_REDIS``: not empty, the service keeps its sessions in a Redis on ``DEMO_REDIS_PORT`` (8179).

    Returns
    -------
    DemoSettings
        The settings.

    Raises
    ------
    PortInvalidError
        If a port is not a number from 1 to 65535.
    """
    return DemoSettings(
        state=Path(environment.get("DEMO_STATE", REPOSITORY / ".demo")).resolve(),
        viewer=REPOSITORY / ".cache" / "ohif" / "dist",
        port=_port(environment, "DEMO_PORT", 8080),
        archive_port=_port(environment, "DEMO_ARCHIVE_PORT", 8142),
        service_port=_port(environment, "DEMO_SERVICE_PORT", 8100),
        redis_port=_port(environment, "DEMO_REDIS_PORT", 8179) if environment.get("DEMO_REDIS") else None,
    )


def _port(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT):
        raise PortInvalidError(variable, text)
    return int(text)
