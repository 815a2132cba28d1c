"""The command line: ``delineate serve | worker | preload | segment | export | replay | demo``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from delineate.client import Client, ServiceError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from delineate.settings import Settings


app = typer.Typer(
    name="delineate",
    help="Interactive 3D segmentation for PACS. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve() -> None:
    """Run the service; settings come from DELINEATE_* environment variables (docs/settings.md)."""
    from delineate.adapters.sqlite_journal import DataDirInUse
    from delineate.domain.errors import DelineateError, LicenceNotAccepted, ModelNotFound
    from delineate.http.app import create_app
    from delineate.http.refusal import create_refusal
    from delineate.observability import configure_logging
    from delineate.settings import SettingsError, load_settings
    from delineate.wiring.services import build_services
    from delineate.wiring.worker import worker_of

    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        services = build_services(settings)
    except (ModelNotFound, LicenceNotAccepted) as error:
        typer.echo(f"delineate: {error} Until then every request is answered with that.", err=True)
        _run(create_refusal(settings, error), settings)
        return
    except (SettingsError, DelineateError, DataDirInUse, OSError) as error:
        _end(error)
    worker = worker_of(services)
    worker.start()
    try:
        _run(create_app(services), settings)
    finally:
        worker.stop()


@app.command()
def worker() -> None:
    """Preload, store and export for services, over Redis; settings as for serve (docs/settings.md)."""
    from delineate.domain.errors import DelineateError
    from delineate.observability import configure_logging
    from delineate.settings import SettingsError, load_settings
    from delineate.wiring.worker import run_worker

    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        run_worker(settings)
    except (SettingsError, DelineateError, OSError) as error:
        _end(error)


@app.command()
def preload(
    study: Annotated[str | None, typer.Argument(help="Study Instance UID.")] = None,
    series: Annotated[list[str] | None, typer.Argument(help="Series Instance UIDs; none: all of the study.")] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(help="KEYWORD=VALUE of a QIDO-RS search for series, as StudyDate=20260102; several are joined."),
    ] = None,
    worklist: Annotated[
        Path | None,
        typer.Option(
            help="File with a study, or a study and its series, on each line; # begins a comment.", exists=True
        ),
    ] = None,
    modality: Annotated[list[str] | None, typer.Option(help="Of the series that were not named; several: any.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until all are ready or have failed.")] = False,
    url: Annotated[str, typer.Option(help="Root of the service.")] = "http://127.0.0.1:8100",
    token: Annotated[str | None, typer.Option(help="Bearer token.", envvar="DELINEATE_TOKEN_FOR_CLIENT")] = None,
) -> None:
    """Have series read before they are opened; prints each and how far it is as JSON lines.

    Series that are not named are searched for in the archive that the DELINEATE_ARCHIVE_* settings describe.
    """
    from delineate.cli.worklist import Named, preload_all, read_worklist

    try:
        named = [Named(study, tuple(series or ()))] if study else []
        named += read_worklist(worklist) if worklist else []
        with _connected(url, token) as client:
            failed = preload_all(client, named, query or [], modality or [], wait=wait, say=typer.echo)
    except (ServiceError, OSError, ValueError) as error:
        _end(error)
    raise typer.Exit(1 if failed else 0)


@contextmanager
def _connected(url: str, token: str | None) -> Iterator[Client]:
    """Connect to a running service; OSError with the remedy if it cannot be reached, or goes away."""
    import httpx

    try:
        with Client(url, token=token) as client:
            yield client
    except httpx.TransportError as error:
        raise OSError(f"No connection to {url} ({error}). Check that the service runs, and --url.") from error


@app.command()
def segment(
    study: Annotated[str, typer.Option(help="Study Instance UID.")],
    series: Annotated[str, typer.Option(help="Series Instance UID.")],
    prompts: Annotated[Path, typer.Option(help="JSON file with segments and their prompts.", dir_okay=False)],
    volume: Annotated[str | None, typer.Option(help="Which volume, when the series holds several.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Store the segments in the archive.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the labelmaps to this .npz file.")] = None,
    url: Annotated[str, typer.Option(help="Root of the service.")] = "http://127.0.0.1:8100",
    token: Annotated[str | None, typer.Option(help="Bearer token.", envvar="DELINEATE_TOKEN_FOR_CLIENT")] = None,
) -> None:
    """Segment a series by the prompts of a file, without a browser; prints what was made as JSON."""
    try:
        with _connected(url, token) as client:
            made = client.segment_file(study, series, _read_prompts(prompts), volume=volume, accept=accept, out=out)
    except (ServiceError, OSError, ValueError) as error:
        _end(error)
    typer.echo(json.dumps(made, indent=2))


@app.command("export")
def export_(
    out: Annotated[Path, typer.Option(help="Folder for the ZIP files.", file_okay=False)],
    formats: Annotated[
        list[str],
        typer.Option("--format", help="seg, seg-labelmap, nifti, nrrd, stl, obj, rtstruct, csv, prompts, recording."),
    ],
    session: Annotated[str | None, typer.Option(help="Id of an open session.")] = None,
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    series: Annotated[list[str] | None, typer.Option(help="Series Instance UIDs of the images.")] = None,
    worklist: Annotated[
        Path | None,
        typer.Option(help="File with a study and its series on each line; # begins a comment.", exists=True),
    ] = None,
    url: Annotated[str, typer.Option(help="Root of the service.")] = "http://127.0.0.1:8100",
    token: Annotated[str | None, typer.Option(help="Bearer token.", envvar="DELINEATE_TOKEN_FOR_CLIENT")] = None,
) -> None:
    """Export a session's segments, or the newest stored segmentations of series; prints each file as a JSON line.

    Of series, files that hold the formats already are left alone, so that the same command goes on where it was broken
    off; others are replaced by files that hold what they did, and these. 1: something, or one format of it, failed.
    """
    from delineate.cli.cohort import export_all

    try:
        with _connected(url, token) as client:
            failed = export_all(client, formats, out, session, study, series or [], worklist, say=typer.echo)
    except (ServiceError, OSError, ValueError, TimeoutError) as error:
        _end(error)
    raise typer.Exit(1 if failed else 0)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Recording of accepted segments.", exists=True, dir_okay=False)],
) -> None:
    """Make recorded segments again with this model, on the archive's images; 0: the same voxels, 1: not.

    Settings are those of serve: DELINEATE_ARCHIVE_*, DELINEATE_MODEL and so on.
    """
    from delineate.domain.errors import DelineateError
    from delineate.observability import configure_logging
    from delineate.settings import SettingsError, load_settings
    from delineate.wiring.replaying import replay_file

    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        done = replay_file(settings, file)
    except (SettingsError, DelineateError, OSError) as error:
        _end(error)
    typer.echo(json.dumps(done, indent=2))
    raise typer.Exit(0 if done["equal"] else 1)


@app.command()
def demo() -> None:
    """Run the whole product on this machine with a sample study (needs the 'demo' extra and Debian's packages)."""
    from delineate.demo import run_demo

    raise typer.Exit(run_demo())


def _run(application: FastAPI, settings: Settings) -> None:
    import uvicorn

    uvicorn.run(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


def main() -> None:
    """Run the command line."""
    app()


def _read_prompts(path: Path) -> list[dict[str, object]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    segments = content.get("segments") if isinstance(content, dict) else None
    if not isinstance(segments, list) or not segments:
        raise ValueError(
            f'{path} should hold {{"segments": [{{"label": ..., "prompts": [...]}}]}}, and has no segments.'
        )
    return segments


def _end(error: Exception) -> None:
    typer.echo(f"delineate: {error}", err=True)
    raise typer.Exit(2)
