"""Orthanc's stable-series hook: a real Orthanc announces series to a small server that records what it is told."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.archive_tools import store_series
from tests.phantoms import PhantomSeries, make_series

from delineate.demo.layout import gateway_file
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port

HOOK = gateway_file("preload.lua")
TOKEN = 'a "quoted" \\ token of the hook'
WAIT_S = 60.0
"""Longest wait for anything; on a free machine Orthanc announces a series after StableAge, which is 1 s here."""


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Recorder:
    """Takes announcements on a port; answers with ``status`` as soon as ``answers`` is set."""

    port: int = field(default_factory=free_port)
    status: int = 202
    answers: threading.Event = field(default_factory=threading.Event)
    calls: queue.Queue[Call] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self.answers.set()

    def call(self) -> Call:
        """Wait for the next call."""
        return self.calls.get(timeout=WAIT_S)

    @contextmanager
    def listening(self) -> Iterator[None]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                recorder.calls.put(Call("PUT", self.path, dict(self.headers), body))
                recorder.answers.wait(WAIT_S)
                self.send_response(recorder.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self.answers.set()
            server.shutdown()
            server.server_close()


@contextmanager
def orthanc_with(folder: Path, *scripts: Path, **environment: str) -> Iterator[OrthancServer]:
    """Run an Orthanc with our configuration, the given Lua scripts and environment variables."""
    configuration = folder / "configuration"
    configuration.mkdir()
    named = ", ".join(json.dumps(str(script)) for script in scripts)
    shipped = gateway_file("orthanc.json").read_text(encoding="utf-8")
    (configuration / "orthanc.json").write_text(shipped.replace('"preload.lua"', named), encoding="utf-8")
    server = OrthancServer(folder, free_port(), "delineate", "password of the test")
    server.server.command = [server.server.command[0], str(configuration)]
    server.server.environment = {**server.server.environment, "ORTHANC_STABLE_AGE": "1", **environment}
    with server:
        yield server


def hook_to(port: int) -> dict[str, str]:
    """Return the environment variables that point the hook to a service."""
    return {
        "ORTHANC_DELINEATE_URL": f"http://127.0.0.1:{port}/delineate",
        "ORTHANC_DELINEATE_TOKEN": json.dumps(TOKEN)[1:-1],
        "ORTHANC_DELINEATE_MODALITIES": "CT, PT",
    }


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def hooked(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Return an Orthanc with the hook, and with another script that wants the same event."""
    folder = tmp_path_factory.mktemp("hooked")
    other = folder / "other.lua"
    other.write_text("function OnStableSeries(id, tags, metadata) print('other script: ' .. tags['Modality']) end")
    with orthanc_with(folder, other, HOOK, **hook_to(port)) as server:
        yield server


@pytest.fixture
def recorder(port: int) -> Iterator[Recorder]:
    recorder = Recorder(port)
    with recorder.listening():
        yield recorder


def log_line(server: OrthancServer, text: str) -> str:
    """Wait for a line of Orthanc's log that holds the text."""
    log = server.folder / "orthanc.log"
    deadline = threading.Event()
    timer = threading.Timer(WAIT_S, deadline.set)
    timer.start()
    try:
        while not deadline.wait(0.05):
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                if text in line:
                    return line
    finally:
        timer.cancel()
    raise AssertionError(f"{text!r} is not in the log:\n{log.read_text(encoding='utf-8')[-3000:]}")


def small_series(**options: Any) -> PhantomSeries:
    return make_series(shape=(3, 16, 16), **options)


def test_a_series_of_a_configured_modality_is_announced_and_no_other(hooked: OrthancServer, recorder: Recorder) -> None:
    mr, ct = small_series(modality="MR"), small_series(modality="CT")
    store_series(hooked, mr, ct)
    call = recorder.call()
    log_line(hooked, "other script: MR")
    log_line(hooked, "other script: CT")
    grown = make_series(shape=(4, 16, 16), study_uid=ct.study_uid, series_uid=ct.series_uid)
    store_series(hooked, grown)
    again = recorder.call()
    assert call.path == again.path == f"/delineate/preloads/{ct.series_uid}"
    assert call.body == again.body == {"study_instance_uid": ct.study_uid, "background": True}
    assert call.headers["Authorization"] == f"Bearer {TOKEN}"
    assert call.headers["Content-Type"] == "application/json"
    assert recorder.calls.empty()


def test_a_service_that_hangs_does_not_hold_up_the_archive(hooked: OrthancServer, recorder: Recorder) -> None:
    recorder.answers.clear()
    store_series(hooked, small_series())
    recorder.call()
    store_series(hooked, small_series(), small_series())
    recorder.call()
    recorder.call()
    assert not recorder.answers.is_set()


def test_the_token_is_on_no_command_line_and_orthancs_sockets_stay_its_own(
    hooked: OrthancServer, recorder: Recorder
) -> None:
    recorder.answers.clear()
    series = small_series()
    store_series(hooked, series)
    recorder.call()
    clients = [process for process in Path("/proc").glob("[0-9]*") if is_hooks_curl(process)]
    assert clients
    assert not any(TOKEN.encode() in command_line(process) for process in Path("/proc").glob("[0-9]*"))
    listening = f":{hooked.http_port:04X} "
    inodes = {
        line.split()[9] for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines() if listening in line
    }
    held = {str(link.readlink()) for process in clients for link in (process / "fd").iterdir()}
    assert inodes
    assert not held & {f"socket:[{inode}]" for inode in inodes}, "Orthanc could not be restarted meanwhile"


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def is_hooks_curl(process: Path) -> bool:
    return command_line(process).startswith(b"curl\0--config\0-\0")


def test_a_refusal_is_logged_without_the_token(hooked: OrthancServer, recorder: Recorder) -> None:
    recorder.status = 401
    series = small_series()
    store_series(hooked, series)
    log_line(hooked, f"Delineate: series {series.series_uid} was not announced")
    assert "401" in log_line(hooked, "curl: ")
    assert TOKEN not in (hooked.folder / "orthanc.log").read_text(encoding="utf-8")


def test_a_service_that_starts_late_is_told(hooked: OrthancServer, port: int) -> None:
    late, series = Recorder(port), small_series()
    store_series(hooked, series)
    log_line(hooked, f"Delineate: announcing series {series.series_uid}")
    with late.listening():
        assert late.call().body == {"study_instance_uid": series.study_uid, "background": True}


def test_what_is_no_uid_is_not_put_into_an_address(hooked: OrthancServer, recorder: Recorder) -> None:
    hostile, sound = small_series(), small_series()
    data = [part.replace(hostile.series_uid[-10:].encode(), b'/../"$(id)') for part in hostile.part10()]
    with httpx.Client(base_url=hooked.rest_url, auth=(hooked.username, hooked.password)) as client:
        for part in data:
            client.post("/instances", content=part).raise_for_status()
    log_line(hooked, "its UIDs are no UIDs")
    store_series(hooked, sound)
    assert recorder.call().path.endswith(sound.series_uid)


def test_without_curl_orthanc_tells_the_service_itself(tmp_path: Path, port: int, recorder: Recorder) -> None:
    series = small_series()
    with orthanc_with(tmp_path, HOOK, **hook_to(port), PATH="/nowhere") as server:
        log_line(server, "curl is not installed")
        store_series(server, series)
        call = recorder.call()
        assert call.body == {"study_instance_uid": series.study_uid, "background": True}
        assert call.headers["Authorization"] == f"Bearer {TOKEN}"
        recorder.status = 503
        store_series(server, small_series())
        log_line(server, "received HTTP status 503")


def test_without_configuration_nothing_is_announced(tmp_path: Path) -> None:
    with orthanc_with(tmp_path, HOOK) as server:
        assert "set Url and Modalities" in log_line(server, "Delineate: no series are announced")
