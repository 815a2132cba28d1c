"""Exporting many series by the command line: what is there is not exported twice, what lacks is not overlooked."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from delineate.cli.cohort import export_all
from delineate.client import Client, ServiceError


class FakeService(Client):
    """A service with one stored segmentation of each series, and a session s that is open."""

    def __init__(self) -> None:
        super().__init__("http://nowhere")
        self.asked: list[list[str]] = []
        """Formats of each export."""
        self.failing: set[str] = set()
        self.fault: ServiceError | None = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **options: Any) -> Any:  # noqa: ARG002
        match method, path.split("/")[1:]:
            case "GET", ["series", _, "segmentations"]:
                return [{"newest": True, "sop_instance_uid": "9"}]
            case ("POST", ["sessions"]) | ("GET", ["sessions", _]):
                return {"id": "s", "opened_from": {"read_only": None}}
            case "POST", ["sessions", "s", "exports"]:
                assert body is not None
                if self.fault is not None:
                    raise self.fault
                self.asked.append(body["formats"])
                return {"id": "e"}
            case "GET", ["exports", "e"]:
                return {"id": "e", "state": "done", "formats": self._formats()}
            case "DELETE", _:
                return None
        raise AssertionError(path)

    def _formats(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "state": "failed", "reason": "cannot be", "files": []}
            if name in self.failing
            else {"name": name, "state": "done", "reason": None, "files": [f"{name}/a"]}
            for name in self.asked[-1]
        ]

    def fetch_export(self, export_id: str, file: Path) -> None:  # noqa: ARG002
        with zipfile.ZipFile(file, "w") as archive:
            for one in self._formats():
                for name in one["files"]:
                    archive.writestr(name, b"a")
            formats = [{name: one[name] for name in ("name", "files", "reason")} for one in self._formats()]
            archive.writestr("export.json", json.dumps({"formats": formats}))


@pytest.fixture
def service() -> FakeService:
    return FakeService()


def export(service: FakeService, folder: Path, *formats: str, session: str | None = None) -> tuple[int, dict[str, Any]]:
    """Return how many of the one export failed, and what is said of it."""
    said: list[str] = []
    study, series = (None, []) if session else ("1", ["1.2"])
    failed = export_all(service, formats, folder, session, study, series, None, say=said.append)
    (line,) = map(json.loads, said)
    return failed, line


def test_what_is_there_is_not_exported_again(service: FakeService, tmp_path: Path) -> None:
    assert export(service, tmp_path, "csv", "nifti")[0] == 0
    file = str(tmp_path / "1.2-9.zip")
    assert export(service, tmp_path, "nifti") == (
        0,
        {"study_instance_uid": "1", "series_instance_uid": "1.2", "sop_instance_uid": "9", "file": file}
        | {"skipped": True},
    )
    assert service.asked == [["csv", "nifti"]]


def test_a_format_that_the_file_lacks_is_added_to_what_it_holds(service: FakeService, tmp_path: Path) -> None:
    export(service, tmp_path, "csv")
    failed, line = export(service, tmp_path, "nifti")
    assert (failed, "skipped" in line) == (0, False)
    assert service.asked == [["csv"], ["csv", "nifti"]]
    with zipfile.ZipFile(line["file"]) as archive:
        assert set(archive.namelist()) == {"csv/a", "nifti/a", "export.json"}
    assert export(service, tmp_path, "csv", "nifti")[1]["skipped"]


def test_a_format_that_failed_counts_as_failed_and_is_tried_again(service: FakeService, tmp_path: Path) -> None:
    service.failing = {"stl"}
    for session in (None, "s"):
        failed, line = export(service, tmp_path, "csv", "stl", session=session)
        assert (failed, line["failed_formats"]) == (1, {"stl": "cannot be"})
    assert export(service, tmp_path, "csv", "stl")[0] == 1
    service.failing = set()
    failed, line = export(service, tmp_path, "csv", "stl")
    assert (failed, "skipped" in line) == (0, False)
    assert export(service, tmp_path, "csv", "stl")[1]["skipped"]


@pytest.mark.parametrize("content", ["no zip", "no manifest", "other manifest", "file lacks"])
def test_a_damaged_file_is_replaced(service: FakeService, tmp_path: Path, content: str) -> None:
    file = tmp_path / "1.2-9.zip"
    if content == "no zip":
        file.write_bytes(b"PK")
    else:
        formats = [{"name": "csv", "reason": None, "files": ["csv/a"]}]
        listed: Any = {"formats": formats} if content == "file lacks" else ["formats"]
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other.json" if content == "no manifest" else "export.json", json.dumps(listed))
    failed, line = export(service, tmp_path, "csv")
    assert (failed, "skipped" in line) == (0, False)
    assert export(service, tmp_path, "csv")[1]["skipped"]


def test_a_file_stays_as_it_is_if_the_next_export_fails(service: FakeService, tmp_path: Path) -> None:
    _, line = export(service, tmp_path, "csv")
    before = Path(line["file"]).read_bytes()
    service.fault = ServiceError({"title": "No."})
    failed, line = export(service, tmp_path, "nifti")
    assert (failed, line["error"]) == (1, "No.")
    assert (tmp_path / "1.2-9.zip").read_bytes() == before
