"""Exports through HTTP and the command line: what is in the file, and what a kill leaves behind."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.archive_tools import store_series
from tests.conftest import tiny_service_in
from tests.phantoms import PhantomSeries, make_series
from tests.readers.acceptances import Mask, blob
from tests.readers.by_position import position_masks
from tests.readers.exports import contour_masks, itk_masks
from tests.redis_server import RedisServer
from tests.service import ServiceProcess
from tests.worker import WorkerProcess

from delineate.client import Client, ClientSession, ServiceError
from delineate.demo.orthanc import OrthancServer

SHAPE = (12, 20, 24)
LARGE = (60, 160, 160)
ORGAN = blob(LARGE, (0.5, 0.5, 0.5), 0.4)
ANATOMY = {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"}
KIDNEY = {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"}
ALL = ["seg", "seg-labelmap", "nifti", "nrrd", "stl", "obj", "rtstruct", "csv", "prompts", "recording"]


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", shuffled=True)
    store_series(orthanc, series)
    return series


@pytest.fixture
def large(orthanc: OrthancServer) -> PhantomSeries:
    """Return a series whose export takes a while."""
    series = make_series(shape=LARGE)
    store_series(orthanc, series)
    return series


@pytest.fixture
def alone(orthanc: OrthancServer, tiny_model: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """Return a service of the test's own, to be killed."""
    process = tiny_service_in(tmp_path, orthanc, tiny_model)
    process.start()
    yield process
    process.stop()


def masks() -> list[Mask]:
    first, second = blob(SHAPE, (0.3, 0.4, 0.5), 0.2), blob(SHAPE, (0.7, 0.7, 0.5), 0.2)
    return [first, second & ~first]


def drawn(client: Client, series: PhantomSeries, voxels: list[Mask] | None = None) -> ClientSession:
    session = client.open_session(series.study_uid, series.series_uid)
    for number, mask in enumerate(voxels or masks(), 1):
        session.add_segment(label=f"Niere {number}", category=ANATOMY, type=KIDNEY)
        session.set_labelmap(number, mask)
    return session


def fetched(client: Client, export_id: str, folder: Path) -> Path:
    """Return the folder with the export's files."""
    file = folder / "export.zip"
    client.fetch_export(export_id, file)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        archive.extractall(folder / "files")
    return folder / "files"


def test_every_format_is_in_the_file_and_says_the_same(client: Client, series: PhantomSeries, tmp_path: Path) -> None:
    session = drawn(client, series)
    done = client.wait_for_export(session.export(ALL)["id"])
    assert (done["done"], done["total"], [one["state"] for one in done["formats"]]) == (10, 10, ["done"] * 10)
    files = fetched(client, done["id"], tmp_path)
    inside = {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()}
    assert inside == {"export.json", *(name for one in done["formats"] for name in one["files"])}
    for name in ("seg/segmentation.dcm", "seg-labelmap/segmentation-labelmap.dcm"):
        read = position_masks((files / name).read_bytes(), series)
        assert all(np.array_equal(read[number], mask) for number, mask in enumerate(masks(), 1))
    binary, labelmap = (pydicom.dcmread(files / one["files"][0]) for one in done["formats"][:2])
    assert binary.SOPInstanceUID != labelmap.SOPInstanceUID
    for name in ("nifti/labelmap.nii.gz", "nrrd/segmentation.seg.nrrd"):
        read = itk_masks(files / name, series)
        assert all(np.array_equal(read[number], mask) for number, mask in enumerate(masks(), 1))
    contours = contour_masks(files / "rtstruct/structures.dcm", series)
    assert all(np.array_equal(contours[f"Niere {number}"], mask) for number, mask in enumerate(masks(), 1))
    table = list(csv.DictReader(io.StringIO((files / "csv/measurements.csv").read_text("utf-8"), newline="")))
    measured = session.measurements()["segments"]
    assert [float(row["volume [mL]"]) for row in table] == [s["measurements"]["volume_ml"] for s in measured]
    assert json.loads((files / "recording/recording.json").read_text())["format"] == "delineate-recording-1"
    session.close()


def test_a_format_that_cannot_be_leaves_the_others_alone(client: Client, series: PhantomSeries, tmp_path: Path) -> None:
    session = drawn(client, series, [blob(SHAPE, (0.5, 0.5, 0.5), 0.3), blob(SHAPE, (0.5, 0.5, 0.4), 0.3)])
    done = client.wait_for_export(session.export(["seg-labelmap", "stl"])["id"])
    states = {one["name"]: (one["state"], one["reason"]) for one in done["formats"]}
    assert states["stl"] == ("done", None)
    assert states["seg-labelmap"][0] == "failed"
    assert "overlap" in str(states["seg-labelmap"][1])
    files = fetched(client, done["id"], tmp_path)
    assert not list((files / "seg-labelmap").glob("*")) if (files / "seg-labelmap").exists() else True
    with pytest.raises(ServiceError, match="overlap"):
        client.wait_for_export(session.export(["seg-labelmap"])["id"])
    session.close()


def test_what_is_empty_or_another_s_or_deleted_is_refused(client: Client, series: PhantomSeries) -> None:
    session = drawn(client, series)
    with pytest.raises(ServiceError) as refused:
        session.export(["word"])
    assert refused.value.problem["status"] == 422
    session.add_segment()
    with pytest.raises(ServiceError, match="empty"):
        session.export(["stl"], segments=[2, 3])
    export = session.export(["stl"], segments=[2])
    client.wait_for_export(export["id"])
    client.delete_export(export["id"])
    for path in (f"/exports/{export['id']}", "/exports/..%2F..", "/exports/1.2~00", f"/exports/1.2~{'0' * 32}"):
        with pytest.raises(ServiceError) as missing:
            client.call("GET", path)
        assert missing.value.problem["status"] == 404
    session.close()


def test_empty_segments_are_left_out_of_an_export_of_all(client: Client, series: PhantomSeries, tmp_path: Path) -> None:
    session = drawn(client, series)
    empty = session.add_segment(label="Milz")
    done = client.wait_for_export(session.export(["seg", "stl"])["id"])
    files = fetched(client, done["id"], tmp_path)
    assert set(position_masks((files / "seg/segmentation.dcm").read_bytes(), series)) == {1, 2}
    manifest = json.loads((files / "export.json").read_text("utf-8"))
    assert [one["number"] for one in manifest["segments"]] == [1, 2]
    assert manifest["empty"] == [{"number": 3, "label": "Milz", "tracking_uid": empty["tracking_uid"]}]
    session.close()


def test_an_export_that_is_deleted_while_it_is_written_stays_away(large: PhantomSeries, alone: ServiceProcess) -> None:
    with alone.connect() as client:
        session = drawn(client, large, [ORGAN])
        export = session.export(ALL)
        assert until_begun(client, export["id"])["state"] == "running"
        client.delete_export(export["id"])
        client.wait_for_export(session.export(["csv"])["id"])  # written after it
        with pytest.raises(ServiceError, match="deleted"):
            client.export(export["id"])
    assert not (alone.data_dir / "exports" / export["id"]).exists()
    assert "Traceback" not in alone.log.read_text()


def test_an_export_that_ends_the_service_each_time_is_given_up(large: PhantomSeries, alone: ServiceProcess) -> None:
    with alone.connect() as client:
        session = drawn(client, large, [ORGAN])
        export_id = session.export(ALL)["id"]
        state = alone.data_dir / "exports" / export_id / "export.json"
    for attempt in (1, 2, 3):
        until_attempt(state, attempt)
        alone.kill()
        alone.launch()
    alone.await_live()
    with alone.connect() as client, pytest.raises(ServiceError, match="begun 3 times"):
        client.wait_for_export(export_id)


def test_the_same_request_again_is_the_same_export(client: Client, series: PhantomSeries) -> None:
    session = drawn(client, series)
    body, key = {"formats": ["csv"]}, {"Idempotency-Key": "again"}
    first, second = (client.call("POST", f"{session.path}/exports", body, headers=key) for _ in range(2))
    assert first["id"] == second["id"]
    session.close()


def test_kill_9_in_the_middle_leaves_no_half_file_and_the_export_is_completed(
    large: PhantomSeries, alone: ServiceProcess, tmp_path: Path
) -> None:
    with alone.connect() as client:
        session = drawn(client, large, [ORGAN])
        export = session.export(ALL)
        seen = until_begun(client, export["id"])
        alone.kill()
    folder = alone.data_dir / "exports" / export["id"]
    assert 0 < seen["done"] < seen["total"], "it was killed in the middle"
    assert not (folder / "export.zip").exists()
    alone.start()
    with alone.connect() as client:
        done = client.wait_for_export(export["id"])
        files = fetched(client, export["id"], tmp_path)
    assert [one["state"] for one in done["formats"]] == ["done"] * len(ALL)
    assert set(itk_masks(files / "nifti/labelmap.nii.gz", large)) == {1}
    assert {path.name for path in folder.iterdir()} == {"export.json", "content.json", "export.zip"}


def test_a_worker_on_another_machine_completes_what_a_killed_one_began(
    orthanc: OrthancServer, redis: RedisServer, tiny_model: Path, tmp_path: Path
) -> None:
    series = make_series(shape=(60, 160, 160))
    store_series(orthanc, series)
    shared = tmp_path / "shared"
    settings = {"DELINEATE_REDIS_URL": redis.url, "DELINEATE_EXPORT_DIR": str(shared)}
    (tmp_path / "elsewhere").mkdir()
    service, elsewhere = (
        tiny_service_in(folder, orthanc, tiny_model, **settings) for folder in (tmp_path, tmp_path / "elsewhere")
    )
    worker, other = WorkerProcess(service), WorkerProcess(elsewhere)
    service.start()
    try:
        worker.start()
        with service.connect() as client:
            session = drawn(client, series, [blob((60, 160, 160), (0.5, 0.5, 0.5), 0.4)])
            export = session.export(ALL)
            seen = until_begun(client, export["id"])
            worker.kill()
            assert 0 < seen["done"] < seen["total"], "it was killed in the middle"
            assert not (shared / export["id"] / "export.zip").exists()
            other.start()
            done = client.wait_for_export(export["id"])
            files = fetched(client, export["id"], tmp_path)
        assert [one["state"] for one in done["formats"]] == ["done"] * len(ALL)
        assert set(itk_masks(files / "nifti/labelmap.nii.gz", series)) == {1}
        assert {path.name for path in (shared / export["id"]).iterdir()} == {
            "export.json",
            "content.json",
            "export.zip",
        }
    finally:
        other.stop()
        worker.stop()
        service.stop()


def until_begun(client: Client, export_id: str) -> dict[str, Any]:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        seen = client.export(export_id)
        if seen["done"] or seen["state"] in ("done", "failed"):
            return seen
    raise AssertionError("the export did not begin")


def until_attempt(state: Path, attempt: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if json.loads(state.read_text())["attempts"] == attempt:
            return
        time.sleep(0.01)
    raise AssertionError("the export was not begun")


def delineate(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    command = [str(Path(sys.executable).with_name("delineate")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_command_line_exports_a_session_and_a_list_of_series(
    tiny_service: ServiceProcess, client: Client, orthanc: OrthancServer, series: PhantomSeries, tmp_path: Path
) -> None:
    other = make_series(shape=SHAPE)
    bare = make_series(shape=(3, 8, 8))
    store_series(orthanc, other, bare)
    session = drawn(client, series)
    formats = ["--format", "nifti", "--format", "csv", "--url", tiny_service.url]
    code, (made,), _ = delineate("export", "--session", session.id, "--out", str(tmp_path / "one"), *formats)
    assert code == 0
    assert zipfile.is_zipfile(made["file"])
    uids = []
    for one in (series, other):
        accepted = drawn(client, one)
        uids.append(client.wait_for_result(accepted.accept()["id"])["sop_instance_uid"])
        accepted.close()
    listed = tmp_path / "series.txt"
    listed.write_text("# cohort\n" + "".join(f"{s.study_uid} {s.series_uid}\n" for s in (series, other, bare)))
    arguments = ["export", "--worklist", str(listed), "--out", str(tmp_path / "many"), *formats]
    code, lines, _ = delineate(*arguments)
    assert code == 1, "one of the series has no segmentation"
    by_uid = {line.get("sop_instance_uid"): line for line in lines}
    for uid in uids:
        with zipfile.ZipFile(by_uid[uid]["file"]) as archive:
            assert "nifti/labelmap.nii.gz" in archive.namelist()
    assert "no segmentation" in by_uid[None]["error"]
    _, again, _ = delineate(*arguments)
    assert [line.get("skipped") for line in again if "file" in line] == [True] * len(uids)
    _, more, _ = delineate(*arguments, "--format", "prompts")
    assert [line.get("skipped") for line in more if "file" in line] == [None] * len(uids)
    with zipfile.ZipFile(by_uid[uids[0]]["file"]) as archive:
        assert {"nifti/labelmap.nii.gz", "csv/measurements.csv", "prompts/prompts.json"} <= set(archive.namelist())
    code, _, said = delineate("export", "--out", str(tmp_path), *formats)
    assert code == 2
    assert "Name what to export" in said
    session.close()
