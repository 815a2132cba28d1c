"""Two processes of the service behind the gateway, with one Redis: every session has one owner, and outlives it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.archive_tools import store_series
from tests.bare_session import BareSession, load_artifacts
from tests.conftest import tiny_service_in
from tests.drawing import Drawn, draw
from tests.patience import patiently, request
from tests.phantoms import PhantomSeries, make_series
from tests.redis_server import RedisServer
from tests.service import ServiceProcess

from delineate.client import Client
from delineate.demo.gateway import Gateway
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port
from delineate.domain.session import step_seed

SHAPE = (20, 36, 40)
LEASE_S = 2.0
SLACK_S = 4.0
"""Of a machine that is busy with something else."""
NAME = {
    "label": "Liver",
    "category": {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "10200004", "scheme": "SCT", "meaning": "Liver"},
}


@dataclass(frozen=True)
class Cluster:
    """Two processes, and the one address in front of them."""

    services: tuple[ServiceProcess, ServiceProcess]
    gateway: Gateway

    def owner_of(self, session_id: str) -> ServiceProcess:
        """Return the process that serves a session, and check that the other one does not."""
        replies = {s.port: s.client.get(f"/delineate/sessions/{session_id}") for s in self.services}
        statuses = sorted(reply.status_code for reply in replies.values())
        assert statuses == [200, 503]
        return next(s for s in self.services if replies[s.port].is_success)


@pytest.fixture(scope="module")
def cluster(
    orthanc: OrthancServer, redis_process: RedisServer, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    settings = {"DELINEATE_REDIS_URL": redis_process.url, "DELINEATE_LEASE_S": str(LEASE_S)}
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    one, two = (tiny_service_in(folder, orthanc, tiny_model, **settings) for folder in folders)
    viewer = tmp_path_factory.mktemp("viewer")
    (viewer / "index.html").write_text("")
    with ExitStack() as stack:
        for service in (one, two):
            stack.callback(service.stop)
            service.launch()
        for service in (one, two):
            service.await_live()
        gateway = Gateway(
            tmp_path_factory.mktemp("gateway"),
            free_port(),
            orthanc.http_port,
            orthanc.username,
            orthanc.password,
            one.port,
            viewer,
            more_service_ports=(two.port,),
        )
        stack.enter_context(gateway)
        yield Cluster((one, two), gateway)


@pytest.fixture
def series(orthanc: OrthancServer) -> PhantomSeries:
    """Return a series of its own, so that chance decides which process it leads to."""
    series = make_series(shape=SHAPE, orientation="oblique", modality="MR")
    store_series(orthanc, series)
    return series


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(cluster.gateway.url) as client:
        yield client


def point(series: PhantomSeries, k: int, j: int, i: int, *, include: bool = True) -> Drawn:
    return draw("point", (k, j, i), 0, series.affine, series.frame_of_reference_uid, include=include)


def test_sessions_of_a_series_meet_in_one_process(cluster: Cluster, client: Client, series: PhantomSeries) -> None:
    sessions = [client.open_session(series.study_uid, series.series_uid) for _ in range(4)]
    assert len({cluster.owner_of(session.id).port for session in sessions}) == 1


def test_a_request_that_reaches_the_wrong_process_is_answered_by_the_right_one(
    cluster: Cluster, client: Client, series: PhantomSeries, tiny_model: Path
) -> None:
    first = client.open_session(series.study_uid, series.series_uid)
    usual = cluster.owner_of(first.id)
    (other,) = (service for service in cluster.services if service is not usual)
    with other.connect() as beside:
        session = beside.open_session(series.study_uid, series.series_uid)
    assert cluster.owner_of(session.id) is other
    refused = usual.client.get(f"/delineate/sessions/{session.id}")
    assert refused.status_code == 503
    assert refused.json()["type"].endswith(":session-owned-elsewhere")
    assert int(refused.headers["Retry-After"]) > 0
    through = client.session(session.id)
    through.add_segment()
    drawn = point(series, 10, 18, 20)
    through.submit(1, drawn.body)
    expected = BareSession(load_artifacts(tiny_model), series.voxels).prompt(
        [drawn.voxels], step_seed(drawn.body["id"])
    )
    assert through.labelmap(1)[0].equals(expected)
    assert cluster.owner_of(session.id) is other


def test_both_processes_list_the_same_open_sessions(cluster: Cluster, client: Client, series: PhantomSeries) -> None:
    for service in cluster.services:
        with service.connect() as beside:
            beside.open_session(series.study_uid, series.series_uid)
    closed = client.open_session(series.study_uid, series.series_uid)
    closed.close()
    lists = [
        service.client.get(f"/delineate/sessions?study_instance_uid={series.study_uid}").json()
        for service in cluster.services
    ]
    assert len(lists[0]) == 2
    said = [[{**session, "progress": None} for session in listed] for listed in lists]
    assert said[0] == said[1]


def test_the_same_request_to_open_is_one_session_wherever_it_arrives(cluster: Cluster, series: PhantomSeries) -> None:
    body = {"study_instance_uid": series.study_uid, "series_instance_uid": series.series_uid}
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    def send(service: ServiceProcess) -> httpx.Response:
        return service.client.post("/delineate/sessions?wait=true", json=body, headers=headers)

    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(send, cluster.services))
    opened = [reply.json()["id"] for reply in replies if reply.is_success]
    assert len(set(opened)) == 1
    assert {reply.status_code for reply in replies if not reply.is_success} <= {503}
    other = cluster.owner_of(opened[0])
    assert send(other).json()["id"] == opened[0]
    conflict = other.client.post("/delineate/sessions", json={**body, "volume": "x"}, headers=headers)
    assert conflict.json()["type"].endswith(":idempotency-conflict")


def test_what_is_accepted_in_one_process_is_stored_once_and_read_in_both(
    cluster: Cluster, client: Client, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    session = client.open_session(series.study_uid, series.series_uid)
    session.add_segment(**NAME)
    session.submit(1, point(series, 10, 18, 20).body)
    stored = client.wait_for_result(session.accept()["id"])
    for service in cluster.services:
        assert service.client.get(f"/delineate/results/{stored['id']}").json() == stored
    found = httpx.get(
        f"{orthanc.dicomweb_url}/studies/{series.study_uid}/instances?SOPInstanceUID={stored['sop_instance_uid']}",
        auth=(orthanc.username, orthanc.password),
    )
    assert len(found.json()) == 1


def test_a_session_goes_on_within_one_lease_time_when_its_owner_is_killed(
    cluster: Cluster, client: Client, series: PhantomSeries, tiny_model: Path
) -> None:
    session = client.open_session(series.study_uid, series.series_uid)
    session.add_segment()
    drawn = [point(series, 10, 18, 20), point(series, 6, 12, 28), point(series, 12, 24, 10, include=False)]
    bare = BareSession(load_artifacts(tiny_model), series.voxels)
    for prompt in drawn[:2]:
        session.submit(1, prompt.body)
        expected = bare.prompt([prompt.voxels], step_seed(prompt.body["id"]))
    owner = cluster.owner_of(session.id)
    (heir,) = (service for service in cluster.services if service is not owner)
    owner.kill()
    killed = time.monotonic()
    try:
        patiently(session.refresh)
        took_s = time.monotonic() - killed
        assert took_s < LEASE_S + SLACK_S
        assert session.labelmap(1)[0].equals(expected)
        session.submit(1, drawn[2].body)
        after = bare.prompt([drawn[2].voxels], step_seed(drawn[2].body["id"]))
        assert session.labelmap(1)[0].equals(after)
        request(client, "POST", f"{session.path}/segments/1/undo")
        assert session.labelmap(1)[0].equals(expected)
    finally:
        owner.start()
    assert cluster.owner_of(session.id) is heir
    assert client.session(session.id).labelmap(1)[0].equals(expected)
