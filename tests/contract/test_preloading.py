"""Preloading over HTTP with a real Orthanc: announced by it, kept in a budget, done by a worker that is killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.archive_tools import store_instances, store_series
from tests.conftest import tiny_service_in
from tests.link import Link
from tests.phantoms import PhantomSeries, make_series
from tests.redis_server import RedisServer
from tests.service import ServiceProcess
from tests.worker import WorkerProcess
from typer.testing import CliRunner

from delineate.cli.main import app
from delineate.client import Client, ServiceError
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port

LONGEST_S = 90.0
SLOW = 5e5
"""Bytes per second of a link over which the series of a test takes six seconds."""
SMALL = (6, 64, 64)
SMALL_BYTES = 6 * 64 * 64 * 4
BUDGET = 24 * SMALL_BYTES
"""Room for ten small volumes with what is derived from them."""


@pytest.fixture(scope="module")
def announced(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OrthancServer, Any]]:
    """Return an Orthanc that announces CT series to a service with a small cache, and that service."""
    port = free_port()
    hook = {
        "ORTHANC_DELINEATE_URL": f"http://127.0.0.1:{port}/delineate",
        "ORTHANC_DELINEATE_MODALITIES": "CT",
        "ORTHANC_STABLE_AGE": "1",
    }
    archive = OrthancServer(tmp_path_factory.mktemp("hooked"), free_port(), "delineate", "secret", environment=hook)
    with archive:
        folder = tmp_path_factory.mktemp("announced")
        service = tiny_service_in(folder, archive, tiny_model, DELINEATE_CACHE_BYTES=str(BUDGET))
        service.port = port
        service.start()
        yield archive, service
        service.stop()


def eventually(look: Callable[[], Any]) -> Any:
    """Return the first answer of ``look`` that is true."""
    end = time.monotonic() + LONGEST_S
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def state_of(client: Client, series: PhantomSeries) -> dict[str, Any]:
    try:
        return client.preload_state(series.series_uid)
    except ServiceError as error:
        if not error.problem["type"].endswith(":preload-not-found"):
            raise
        return {"state": None, "total": None, "done": 0}


def until_ready(client: Client, series: PhantomSeries, total: int | None = None) -> dict[str, Any]:
    def ready() -> dict[str, Any] | None:
        found = state_of(client, series)
        assert found["state"] != "failed", found
        return found if found["state"] == "ready" and total in (None, found["total"]) else None

    found: dict[str, Any] = eventually(ready)
    return found


def cache_of(service: ServiceProcess) -> Path:
    return service.data_dir / "volumes"


def bytes_in_cache(service: ServiceProcess) -> int:
    """Return what the volumes take that are there or being written; files may go while they are counted."""
    total = 0
    for part in ("entries", "writing"):
        for folder, _, names in os.walk(cache_of(service) / part):
            for name in names:
                with suppress(FileNotFoundError):
                    total += (Path(folder) / name).stat().st_size
    return total


def test_a_series_sent_to_orthanc_is_ready_without_anyone_asking(announced: tuple[OrthancServer, Any]) -> None:
    archive, service = announced
    other, series = make_series(shape=SMALL, modality="MR"), make_series(shape=SMALL, modality="CT")
    store_series(archive, other, series)
    with service.connect() as client:
        assert until_ready(client, series)["done"] == SMALL[0]
        session = client.open_session(series.study_uid, series.series_uid)
        assert session.info["progress"] == {"done": SMALL[0], "total": SMALL[0], "bytes": 0}  # nothing was fetched
        session.close()
        assert state_of(client, other)["state"] is None, "its modality is not configured"


def test_a_series_that_grew_after_preloading_is_noticed(announced: tuple[OrthancServer, Any]) -> None:
    archive, service = announced
    whole = make_series(shape=(8, 64, 64), modality="CT")
    instances = whole.part10()
    store_instances(archive, instances[:6])
    with service.connect() as client:
        until_ready(client, whole, 6)
        store_instances(archive, instances[6:])
        session = client.open_session(whole.study_uid, whole.series_uid)  # before Orthanc says that it grew
        assert session.info["geometry"]["shape"] == [8, 64, 64]
        session.close()
        until_ready(client, whole, 8)


def test_fifty_series_stay_within_the_budget(announced: tuple[OrthancServer, Any]) -> None:
    archive, service = announced
    many = [make_series(shape=SMALL, modality="CT") for _ in range(50)]
    with service.connect() as client:
        store_series(archive, *many)
        for series in many:
            client.preload(series.study_uid, series.series_uid, background=True)
        largest, states = 0, dict[int, str | None]()
        while not states or "waiting" in states.values() or "loading" in states.values():
            largest = max(largest, bytes_in_cache(service))
            states = {n: state_of(client, series)["state"] for n, series in enumerate(many)}
        assert set(states.values()) == {"ready", None}, "those that made room are not ready any more"
        assert 0 < largest <= BUDGET
        last = many[max(n for n, state in states.items() if state == "ready")]
        session = client.open_session(last.study_uid, last.series_uid)
        assert session.info["state"] == "ready"
        session.close()


@pytest.fixture(scope="module")
def link(orthanc: OrthancServer) -> Iterator[Link]:
    link = Link(orthanc.http_port)
    yield link
    link.close()


@pytest.fixture(scope="module")
def shared(
    orthanc: OrthancServer,
    link: Link,
    redis_process: RedisServer,
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServiceProcess]:
    """Return a service that leaves preloading to a worker; both reach the archive over a link."""
    settings = {
        "DELINEATE_REDIS_URL": redis_process.url,
        "DELINEATE_MACHINE": "machine-of-the-test",
        "DELINEATE_PRELOAD_HERE": "false",
        "DELINEATE_WORKER_METRICS": f"127.0.0.1:{free_port()}",
    }
    service = tiny_service_in(tmp_path_factory.mktemp("shared"), orthanc, tiny_model, **settings)
    service.archive_url = f"http://127.0.0.1:{link.port}/dicom-web"
    service.start()
    yield service
    service.stop()


@pytest.fixture
def worker(shared: ServiceProcess) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(shared)
    worker.start()
    yield worker
    worker.stop()


def begin(shared: ServiceProcess, orthanc: OrthancServer, link: Link) -> PhantomSeries:
    """Have a series preloaded until half of it has come, and the rest is held back."""
    series = make_series(shape=(24, 256, 256), modality="CT")
    store_series(orthanc, series)
    with shared.connect() as client:
        link.hold_after(12 * 256 * 256 * 2)
        client.preload(series.study_uid, series.series_uid)
        assert link.held.wait(LONGEST_S)
        eventually(lambda: state_of(client, series)["state"] == "loading")
    return series


def test_a_worker_killed_in_the_middle_leaves_no_half_volume(
    shared: ServiceProcess, orthanc: OrthancServer, link: Link, worker: WorkerProcess
) -> None:
    series = begin(shared, orthanc, link)
    entries = {entry.name for entry in (cache_of(shared) / "entries").iterdir()}
    assert list((cache_of(shared) / "writing").iterdir())
    worker.kill()
    link.release()
    assert {entry.name for entry in (cache_of(shared) / "entries").iterdir()} == entries
    worker.start()  # goes on with what had not ended, without anyone asking
    with shared.connect() as client:
        assert until_ready(client, series)["done"] == 24
        metrics = httpx.get(f"http://{shared.environment['DELINEATE_WORKER_METRICS']}/metrics").text
        assert 'delineate_preload_seconds_count{outcome="ready"} 1.0' in metrics
        assert not list((cache_of(shared) / "writing").iterdir())
        session = client.open_session(series.study_uid, series.series_uid)
        assert session.info["progress"] == {"done": 24, "total": 24, "bytes": 0}
        session.close()


@pytest.mark.usefixtures("worker")
def test_a_session_waits_for_a_worker_and_sees_how_far_it_is(
    shared: ServiceProcess, orthanc: OrthancServer, link: Link
) -> None:
    series = make_series(shape=(24, 256, 256), modality="CT")
    store_series(orthanc, series)
    with shared.connect() as client:
        link.rate = SLOW
        client.preload(series.study_uid, series.series_uid)
        eventually(lambda: 0 < state_of(client, series)["done"] < 24)
        body = {"study_instance_uid": series.study_uid, "series_instance_uid": series.series_uid}
        made = client.call("POST", "/sessions", body)
        eventually(lambda: 0 < client.call("GET", f"/sessions/{made['id']}")["progress"]["done"] < 24)
        link.rate = None
        session = client.session(made["id"])
        eventually(lambda: session.refresh()["state"] == "ready")
        session.close()
        until_ready(client, series)


@pytest.mark.usefixtures("worker")
def test_what_a_user_looks_at_waits_for_no_preload_in_the_background(
    shared: ServiceProcess, orthanc: OrthancServer, link: Link
) -> None:
    slow, urgent = make_series(shape=(24, 256, 256), modality="CT"), make_series(shape=SMALL, modality="CT")
    store_series(orthanc, slow, urgent)
    with shared.connect() as client:
        link.rate = SLOW
        client.preload(slow.study_uid, slow.series_uid, background=True)
        eventually(lambda: 0 < state_of(client, slow)["done"] < 24)
        client.preload(urgent.study_uid, urgent.series_uid)
        until_ready(client, urgent)
        assert state_of(client, slow)["state"] == "loading"
        client.preload(slow.study_uid, slow.series_uid)  # joins it
        link.rate = None
        assert until_ready(client, slow)["bytes"] < 2 * 24 * 256 * 256 * 2


def test_a_preload_can_be_cancelled_while_a_worker_does_it(
    shared: ServiceProcess, orthanc: OrthancServer, link: Link, worker: WorkerProcess
) -> None:
    series = begin(shared, orthanc, link)
    with shared.connect() as client:
        client.cancel_preload(series.series_uid)
        assert state_of(client, series)["state"] is None
        link.rate = SLOW  # so that there is something left to break off
        link.release()
        eventually(lambda: "preload cancelled" in worker.log.read_text(encoding="utf-8"))
        link.rate = None
        assert not list((cache_of(shared) / "writing").iterdir())
        assert state_of(client, series)["state"] is None


def test_the_command_line_preloads_what_is_named_listed_and_found(
    tiny_service: ServiceProcess, orthanc: OrthancServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, listed, found, other = (make_series(shape=SMALL, modality=name) for name in ("CT", "MR", "CT", "MR"))
    other = make_series(shape=SMALL, modality="MR", study_uid=found.study_uid)
    store_series(orthanc, named, listed, found, other)
    file = tmp_path / "worklist.txt"
    file.write_text(f"# today\n{listed.study_uid}, {listed.series_uid}\n\n")
    for name, value in (("URL", orthanc.dicomweb_url), ("USERNAME", orthanc.username), ("PASSWORD", orthanc.password)):
        monkeypatch.setenv(f"DELINEATE_ARCHIVE_{name}", value)

    def run(*arguments: str) -> list[tuple[str, str]]:
        done = CliRunner().invoke(app, ["preload", "--wait", "--url", tiny_service.url, *arguments])
        assert done.exit_code == 0, done.output
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [(line["series_instance_uid"], line["state"]) for line in lines]

    assert run(named.study_uid, named.series_uid, "--worklist", str(file)) == [
        (named.series_uid, "ready"),
        (listed.series_uid, "ready"),
    ]
    query = ["--query", f"StudyInstanceUID={found.study_uid}"]
    assert run(*query, "--modality", "CT") == [(found.series_uid, "ready")]
    assert {uid for uid, _ in run(found.study_uid)} == {found.series_uid, other.series_uid}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "Name a study"), (["--query", "CT"], "KEYWORD=VALUE"), (["1.2.3", "1.2.4"], "refused")],
)
def test_the_command_line_says_what_is_wrong(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["preload", "--url", f"http://127.0.0.1:{free_port()}", *arguments])
    assert done.exit_code == 2
    assert said in done.output
