"""How the demo's processes start, fail and end."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from delineate.demo import sample
from delineate.demo.command import settings_from_environment
from delineate.demo.errors import DemoRunningError, PortInvalidError, PortTakenError, ServerNotReadyError
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import Server, free_port, is_port_free
from delineate.demo.stack import DemoSettings, demo_stack
from delineate.demo.upload import archive_client, store_sample

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
IGNORE_TERMINATION = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)",
]


def settings_on_free_ports(folder: Path) -> DemoSettings:
    return DemoSettings(folder, folder / "viewer", free_port(), free_port(), free_port())


def test_a_server_that_ends_names_its_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    server = Server("The service", command, tmp_path / "log", lambda: False)
    with pytest.raises(ServerNotReadyError, match="ended with status 1") as caught:
        server.start()
    assert "no such model" in str(caught.value)


def test_a_server_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    server = Server("The service", SLEEP, tmp_path / "log", lambda: False, ready_timeout_s=0.2)
    with pytest.raises(ServerNotReadyError, match="not ready after"):
        server.start()
    assert server.returncode is None


def test_a_server_that_ignores_termination_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delineate.demo.processes.STOP_TIMEOUT_S", 0.2)
    log = tmp_path / "log"
    server = Server("The service", IGNORE_TERMINATION, log, lambda: log.read_text() != "")
    server.start()
    server.stop()
    assert server.returncode is None


@pytest.mark.parametrize(
    ("field", "variable"),
    [("port", "DEMO_PORT"), ("archive_port", "DEMO_ARCHIVE_PORT"), ("service_port", "DEMO_SERVICE_PORT")],
)
def test_a_taken_port_names_the_variable(tmp_path: Path, field: str, variable: str) -> None:
    settings = settings_on_free_ports(tmp_path)
    with socket.create_server(("127.0.0.1", getattr(settings, field))):
        with pytest.raises(PortTakenError, match=variable), demo_stack(settings, str):
            pytest.fail("it started")
        assert not is_port_free(getattr(settings, field))


def test_a_taken_port_of_redis_names_its_variable_if_there_is_one(tmp_path: Path) -> None:
    settings = replace(settings_on_free_ports(tmp_path), redis_port=free_port())
    with socket.create_server(("127.0.0.1", settings.redis_port or 0)):
        with pytest.raises(PortTakenError, match="DEMO_REDIS_PORT"):
            settings.require_free_ports()
        replace(settings, redis_port=None).require_free_ports()


def test_the_demo_has_a_redis_only_if_it_is_asked_for() -> None:
    assert settings_from_environment({"DEMO_REDIS": ""}).redis_port is None
    assert settings_from_environment({"DEMO_REDIS": "1"}).redis_port == 8179
    assert settings_from_environment({"DEMO_REDIS": "1", "DEMO_REDIS_PORT": "6400"}).redis_port == 6400


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "８０８０"])
def test_an_invalid_port_names_the_variable(text: str) -> None:
    with pytest.raises(PortInvalidError, match="DEMO_ARCHIVE_PORT"):
        settings_from_environment({"DEMO_ARCHIVE_PORT": text})


def test_a_second_demo_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    command = (
        f"import filelock, time; lock = filelock.FileLock({str(tmp_path / 'lock')!r}); lock.acquire(); "
        "print('held', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    with (
        Server("Another demo", [sys.executable, "-c", command], log, lambda: "held" in log.read_text()),
        pytest.raises(DemoRunningError),
        demo_stack(settings_on_free_ports(tmp_path), str),
    ):
        pytest.fail("it started")


def test_the_sample_is_stored_once_and_unchanged(orthanc: OrthancServer) -> None:
    archive = archive_client(orthanc.dicomweb_url, orthanc.username, orthanc.password)
    store_sample(archive)
    assert not store_sample(archive)
    stored: list[Dataset] = archive.retrieve_series(
        sample.STUDY_INSTANCE_UID, sample.SERIES_INSTANCE_UID, media_types=(("application/dicom", "*"),)
    )
    made = {instance.SOPInstanceUID: instance for instance in sample.head_series()}
    assert len(stored) == len(made) == sample.SLICES
    for instance in stored:
        original = made[instance.SOPInstanceUID]
        assert instance.ImagePositionPatient == original.ImagePositionPatient
        assert instance.PixelData == original.PixelData


def test_the_sample_lies_where_the_template_lies() -> None:
    voxels, origin_mm = sample.head_voxels()
    assert voxels.shape == (sample.SLICES, sample.MATRIX, sample.MATRIX)
    # Known landmarks of MNI space (RAS), as LPS: inside the corpus callosum's splenium, and in a lateral ventricle.
    assert _value_at(voxels, origin_mm, (0, 38, 14)) > 200
    assert 0 < _value_at(voxels, origin_mm, (-6, -8, 14)) < 120


def _value_at(voxels: sample.Voxels, origin_mm: tuple[float, float, float], point: tuple[float, float, float]) -> int:
    x_mm, y_mm, z_mm = origin_mm
    x, y, z = point
    return int(voxels[round(x_mm - x), round(z_mm - z), round(y - y_mm)])
