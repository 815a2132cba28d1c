"""Export the segmentations of many series through a running service, each into a file of its own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from delineate.cli.worklist import Named, read_worklist
from delineate.client import Client, ClientSession, ServiceError
from delineate.domain.export import MANIFEST

Json = dict[str, Any]
Series = tuple[str, str]
"""Study Instance UID, Series Instance UID."""


def export_all(
    client: Client,
    formats: Sequence[str],
    folder: Path,
    session_id: str | None,
    study: str | None,
    series: Sequence[str],
    worklist: Path | None,
    *,
    say: Callable[[str], object],
) -> int:
    """Export what is named, say what became of each as a JSON line, and return how many failed, all of it or a format.

    Raises
    ------
    ValueError
        If nothing is named, or a study without series.
    """
    named = [Named(study, tuple(series))] if study else []
    named += read_worklist(worklist) if worklist else []
    if any(not one.series_instance_uids for one in named) or (series and not study):
        raise ValueError("Name the series of each study: --study UID --series UID, or both on each line of the list.")
    if not named and session_id is None:
        raise ValueError("Name what to export: --session ID, --study UID --series UID, or --worklist FILE.")
    failed = 0
    folder.mkdir(parents=True, exist_ok=True)
    for said in _all(client, formats, folder, session_id, named):
        failed += "error" in said or "failed_formats" in said
        say(json.dumps(said))
    return failed


def _all(
    client: Client, formats: Sequence[str], folder: Path, session_id: str | None, named: Sequence[Named]
) -> Iterator[Json]:
    if session_id is not None:
        file = folder / f"{session_id}.zip"
        yield {"session": session_id, **export_session(client, client.session(session_id), formats, file)}
    series = [(one.study_instance_uid, uid) for one in named for uid in one.series_instance_uids]
    yield from export_series(client, series, formats, folder)


def export_session(client: Client, session: ClientSession, formats: Sequence[str], file: Path) -> Json:
    """Export a session's segments into a ZIP file, which is there whole or not at all."""
    export = client.wait_for_export(session.export(formats)["id"])
    client.fetch_export(export["id"], file)
    client.delete_export(export["id"])
    failed = {one["name"]: one["reason"] for one in export["formats"] if one["state"] == "failed"}
    return {"file": str(file), **({"failed_formats": failed} if failed else {})}


def export_series(client: Client, series: Sequence[Series], formats: Sequence[str], folder: Path) -> Iterator[Json]:
    """Yield what became of the newest segmentations of each series; one that fails does not end the others.

    A file that holds all the formats already is left alone, so that an export which was broken off goes on where it
    was; any other is replaced by one that holds what it did, and them.
    """
    for study_uid, series_uid in series:
        said: Json = {"study_instance_uid": study_uid, "series_instance_uid": series_uid}
        try:
            newest = [v for v in client.segmentations(study_uid, series_uid) if v["newest"]]
        except ServiceError as error:
            yield {**said, "error": str(error)}
            continue
        if not newest:
            yield {**said, "error": "The archive holds no segmentation of this series."}
        for version in newest:
            uid = version["sop_instance_uid"]
            yield {
                **said,
                "sop_instance_uid": uid,
                **_version(client, study_uid, series_uid, uid, formats, folder / f"{series_uid}-{uid}.zip"),
            }


def _version(client: Client, study: str, series: str, uid: str, formats: Sequence[str], file: Path) -> Json:
    held = _held(file)
    if held.issuperset(formats):
        return {"file": str(file), "skipped": True}
    try:
        with _opened(client, study, series, uid) as session:
            read_only = session.info["opened_from"]["read_only"]
            wanted = sorted(held.union(formats))
            return {"error": read_only} if read_only else export_session(client, session, wanted, file)
    except (ServiceError, TimeoutError) as error:
        return {"error": str(error)}


def _held(file: Path) -> set[str]:
    """Return the formats that an export's ZIP file holds; none if it is not there, or cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            inside = set(archive.namelist())
            formats = json.loads(archive.read(MANIFEST))["formats"]
        return {one["name"] for one in formats if one["reason"] is None and inside.issuperset(one["files"])}
    except (OSError, zipfile.BadZipFile, ValueError, TypeError, KeyError):
        return set()


@contextmanager
def _opened(client: Client, study: str, series: str, uid: str) -> Iterator[ClientSession]:
    session = client.open_session(study, series, segmentation_sop_instance_uid=uid)
    try:
        yield session
    finally:
        session.close()
