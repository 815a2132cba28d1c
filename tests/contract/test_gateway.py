"""The gateway: one origin for viewer, archive and service, and nothing more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid

from delineate.demo import sample
from delineate.demo.gateway import Gateway
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port
from delineate.demo.upload import archive_client

FIRST, SECOND = b'{"final": false}\n', b'{"final": true}\n'


class StreamingService(ThreadingHTTPServer):
    """Stands for the service: sends one line, and the other when the test has seen the first."""

    daemon_threads = True

    def __init__(self) -> None:
        self.go_on = threading.Event()
        super().__init__(("127.0.0.1", 0), _StreamingHandler)


class _StreamingHandler(BaseHTTPRequestHandler):
    server: StreamingService

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        self.wfile.write(FIRST)
        if self.server.go_on.wait(10):
            self.wfile.write(SECOND)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def gateway_to(orthanc: OrthancServer, folder: Path, service_port: int, **options: Any) -> Iterator[Gateway]:
    """Run a gateway with a placeholder for the viewer."""
    viewer = folder / "viewer"
    viewer.mkdir()
    (viewer / "index.html").write_text("<!doctype html><title>viewer</title>")
    gateway = Gateway(
        folder / "gateway",
        free_port(),
        orthanc.http_port,
        orthanc.username,
        orthanc.password,
        service_port,
        viewer,
        **options,
    )
    with gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(orthanc: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Return a running gateway whose service does not answer."""
    with gateway_to(orthanc, tmp_path_factory.mktemp("gateway"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def instance(orthanc: OrthancServer) -> Dataset:
    """Return one stored instance of a study of its own."""
    dataset = next(sample.head_series())
    dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName = "Gateway^Test"
    archive_client(orthanc.dicomweb_url, orthanc.username, orthanc.password).store_instances([dataset])
    return dataset


def test_every_route_of_the_viewer_gets_its_page(gateway: Gateway) -> None:
    for path in ("/", "/viewer?StudyInstanceUIDs=1.2", "/system", "/dicom-web/../system"):
        assert "<title>viewer</title>" in httpx.get(gateway.url + path).text


@pytest.mark.parametrize(
    "path", ["12.bundle.js", "delineate-extension/missing.js", "delineate-extension/../missing.js"]
)
def test_a_missing_bundle_is_not_the_viewers_page(gateway: Gateway, path: str) -> None:
    assert _raw_status(gateway, f"/{path}") == 404


def test_the_address_of_our_mode_is_the_viewers_and_what_lies_below_is_the_services(gateway: Gateway) -> None:
    assert "<title>viewer</title>" in httpx.get(f"{gateway.url}/delineate?StudyInstanceUIDs=1.2").text
    for path in ("", "openapi.json"):
        assert httpx.get(f"{gateway.url}/delineate/{path}").headers["Content-Type"] == "application/problem+json"


def test_the_extension_is_javascript_as_built(orthanc: OrthancServer, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "mode.js").write_text("export default {};")
    gateway = gateway_to(orthanc, tmp_path, free_port(), extension=tmp_path / "dist")
    with gateway as running:
        reply = httpx.get(f"{running.url}/delineate-extension/mode.js")
    assert reply.headers["Content-Type"] == "application/javascript"
    assert reply.text == "export default {};"


def test_the_viewers_configuration_is_ours(gateway: Gateway) -> None:
    reply = httpx.get(f"{gateway.url}/app-config.js")
    assert reply.headers["Content-Type"] == "application/javascript"
    assert "qidoRoot: '/dicom-web'" in reply.text


@pytest.mark.parametrize("comma", [",", "%2C", "%2c"])
def test_included_fields_arrive_however_the_comma_is_written(gateway: Gateway, instance: Dataset, comma: str) -> None:
    query = f"StudyInstanceUID={instance.StudyInstanceUID}&includefield=00081030{comma}00080060"
    (study,) = httpx.get(f"{gateway.url}/dicom-web/studies?{query}").json()
    assert study["00081030"]["Value"] == [instance.StudyDescription]


def test_retrieve_url_leads_back_to_the_gateway(gateway: Gateway, instance: Dataset) -> None:
    url = f"{gateway.url}/dicom-web/studies?StudyInstanceUID={instance.StudyInstanceUID}"
    (study,) = httpx.get(url).json()
    (retrieve_url,) = study["00081190"]["Value"]
    assert retrieve_url == f"{gateway.url}/dicom-web/studies/{instance.StudyInstanceUID}"


def test_compression_passes_through(gateway: Gateway, instance: Dataset) -> None:
    url = f"{gateway.url}/dicom-web/studies/{instance.StudyInstanceUID}/metadata"
    reply = httpx.get(url, headers={"Accept-Encoding": "gzip"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.json()[0]["00080018"]["Value"] == [instance.SOPInstanceUID]
    assert "Content-Encoding" not in httpx.get(url, headers={"Accept-Encoding": "identity"}).headers


def test_an_instance_stored_through_the_gateway_comes_back_unchanged(gateway: Gateway, instance: Dataset) -> None:
    copy = dcmread(_as_file(instance))
    copy.preamble = b"\0" * 128
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    client = archive_client(f"{gateway.url}/dicom-web", "nobody", "wrong")
    client.store_instances([copy])
    stored = client.retrieve_instance(
        copy.StudyInstanceUID,
        copy.SeriesInstanceUID,
        copy.SOPInstanceUID,
        media_types=(("application/dicom", "*"),),
    )
    assert stored == copy


@pytest.mark.parametrize(
    "path", ["servers", "servers/x/get", "info", "", "app/client/index.html", "studies/../servers"]
)
def test_the_rest_of_the_archive_is_out_of_reach(gateway: Gateway, path: str) -> None:
    assert _raw_status(gateway, f"/dicom-web/{path}") == 404


def test_a_path_is_matched_and_sent_in_the_same_form(gateway: Gateway) -> None:
    for path in ("/dicom-web/studies/..%2f..%2fsystem", "/dicom-web/studies/%2e%2e/%2e%2e/system"):
        assert "<title>viewer</title>" in httpx.get(gateway.url + path).text


def test_another_host_name_gets_nothing(gateway: Gateway) -> None:
    reply = httpx.get(f"{gateway.url}/dicom-web/studies", headers={"Host": "attacker.example"})
    assert reply.status_code == 421


def test_it_listens_on_the_loopback_address_only(gateway: Gateway) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", gateway.port), timeout=2)


def test_a_service_that_is_down_is_a_problem_to_retry(gateway: Gateway) -> None:
    reply = httpx.get(f"{gateway.url}/delineate/health/ready")
    assert reply.status_code == 503
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Retry-After"] == "2"
    assert reply.json()["status"] == 503


def test_a_body_over_the_limit_is_a_problem(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        head = (
            f"POST /delineate/sessions HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nContent-Length: 100000000\r\n\r\n"
        )
        connection.sendall(head.encode())
        reply = connection.recv(4096).decode()
    assert reply.startswith("HTTP/1.1 413")
    assert "application/problem+json" in reply


def test_lines_of_a_stream_arrive_one_by_one(orthanc: OrthancServer, tmp_path: Path) -> None:
    with StreamingService() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        with (
            gateway_to(orthanc, tmp_path, service.server_port) as gateway,
            httpx.stream("GET", f"{gateway.url}/delineate/events", timeout=5) as reply,
        ):
            chunks = reply.iter_raw()
            assert next(chunks) == FIRST
            service.go_on.set()
            assert b"".join(chunks) == SECOND
        service.shutdown()


def test_no_log_holds_a_query(gateway: Gateway) -> None:
    httpx.get(f"{gateway.url}/dicom-web/studies?PatientName=Secret*")
    httpx.get(f"{gateway.url}/delineate/sessions?PatientName=Secret*")
    logs = [*gateway.folder.glob("*.log"), gateway.server.log]
    assert all("Secret" not in log.read_text() for log in logs)


def test_the_password_is_readable_by_its_owner_only(gateway: Gateway) -> None:
    assert gateway.configuration_file.stat().st_mode & 0o777 == 0o600


def _as_file(dataset: Dataset) -> DicomBytesIO:
    file = DicomBytesIO()
    dataset.save_as(file, enforce_file_format=True)
    file.seek(0)
    return file


def _raw_status(gateway: Gateway, path: str) -> int:
    """Ask for a path exactly as it is written, dots included."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{gateway.port}\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])
