"""Export the segmentations of many series through a running service, each into a file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from delineate.cli.worklist import Named, read_worklist
from delineate.client import Client, ClientSession, ServiceError

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
    """Export what is named, say what became of each as a JSON line, and return how many failed.

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
    if session_id is not None:
        file = folder / f"{session_id}.zip"
        say(json.dumps({"session": session_id, **export_session(client, client.session(session_id), formats, file)}))
    for said in export_series(
        client, [(one.study_instance_uid, uid) for one in named for uid in one.series_instance_uids], formats, folder
    ):
        failed += "error" in said
        say(json.dumps(said))
    return failed


def export_session(client: Client, session: ClientSession, formats: Sequence[str], file: Path) -> Json:
    """Export a session's segments into a ZIP file, which is there whole or not at all."""
    export = client.wait_for_export(session.export(formats)["id"])
    client.fetch_export(export["id"], file)
    client.delete_export(export["id"])
    failed = {one["name"]: one["reason"] for one in export["formats"] if one["state"] == "failed"}
    return {"file": str(file), **({"failed_formats": failed} if failed else {})}


def export_series(client: Client, series: Sequence[Series], formats: Sequence[str], folder: Path) -> Iterator[Json]:
    """Yield what became of the newest segmentations of each series; one that fails does not end the others.

    A file that is there already is left alone, so that an export which was broken off goes on where it was.
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
    if file.exists():
        return {"file": str(file), "skipped": True}
    try:
        with _opened(client, study, series, uid) as session:
            read_only = session.info["opened_from"]["read_only"]
            return {"error": read_only} if read_only else export_session(client, session, formats, file)
    except (ServiceError, TimeoutError) as error:
        return {"error": str(error)}


@contextmanager
def _opened(client: Client, study: str, series: str, uid: str) -> Iterator[ClientSession]:
    session = client.open_session(study, series, segmentation_sop_instance_uid=uid)
    try:
        yield session
    finally:
        session.close()
