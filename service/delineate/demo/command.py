"""The command ``delineate demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.demo.errors import DemoError
from delineate.demo.layout import REPOSITORY
from delineate.demo.run import run_demo
from delineate.demo.stack import DemoSettings


def demo(
    port: Annotated[int, typer.Option(envvar="DEMO_PORT", help="Port that the browser opens.")] = 8080,
    archive_port: Annotated[int, typer.Option(envvar="DEMO_ARCHIVE_PORT", help="Port of Orthanc.")] = 8142,
    service_port: Annotated[int, typer.Option(envvar="DEMO_SERVICE_PORT", help="Port of the service.")] = 8188,
    state: Annotated[Path, typer.Option(envvar="DEMO_STATE", help="Folder for what the demo keeps.")] = REPOSITORY
    / ".demo",
    viewer: Annotated[Path, typer.Option(envvar="DEMO_VIEWER", help="OHIF's dist folder.")] = REPOSITORY
    / ".cache"
    / "ohif"
    / "dist",
) -> None:
    """Run Orthanc, the service and stock OHIF with a head MRI, until Ctrl-C."""
    settings = DemoSettings(state.resolve(), viewer.resolve(), port, archive_port, service_port)
    try:
        run_demo(settings, typer.echo)
    except DemoError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
