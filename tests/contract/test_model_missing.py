"""A service whose model cannot be loaded: it runs, and says why it does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service import ServiceProcess
from tests.tiny_model import LICENCE

from delineate.demo.orthanc import OrthancServer

TOKEN = "a token of the tests"


def service_with(orthanc: OrthancServer, folder: Path, **environment: str) -> ServiceProcess:
    return ServiceProcess(orthanc.dicomweb_url, orthanc.username, orthanc.password, folder / "data", environment)


@pytest.fixture
def without_model(orthanc: OrthancServer, tmp_path: Path) -> Iterator[ServiceProcess]:
    """Return a running service whose model folder does not exist."""
    service = service_with(
        orthanc,
        tmp_path,
        DELINEATE_MODEL=str(tmp_path / "nowhere"),
        DELINEATE_TOKENS=json.dumps({"Doe^Jane": TOKEN}),
    )
    service.start()
    yield service
    service.stop()


def test_every_request_of_a_known_user_is_told_why(without_model: ServiceProcess) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for method, path in (("GET", "models"), ("POST", "sessions"), ("GET", "sessions/1/events"), ("PUT", "preloads/1")):
        answer = without_model.client.request(method, f"/delineate/{path}", headers=headers)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        problem = answer.json()
        assert problem["type"] == "urn:delineate:problem:model-not-found"
        assert "nowhere is no model folder" in problem["detail"]
        assert "DELINEATE_MODEL" in problem["detail"]
    assert without_model.client.get("/delineate/models").status_code == 401


def test_it_lives_and_is_not_ready(without_model: ServiceProcess) -> None:
    assert without_model.client.get("/delineate/health/live").json() == {"status": "live"}
    answer = without_model.client.get("/delineate/health/ready")
    assert answer.status_code == 503
    assert "nowhere is no model folder" in answer.json()["checks"]["model"]
    assert "nowhere is no model folder" in without_model.log.read_text()


def test_a_licence_that_was_not_accepted_is_named(orthanc: OrthancServer, tiny_model: Path, tmp_path: Path) -> None:
    service = service_with(orthanc, tmp_path, DELINEATE_MODEL=str(tiny_model))
    service.start()
    try:
        problem = service.client.post("/delineate/sessions", json={}).json()
    finally:
        service.stop()
    assert problem["type"] == "urn:delineate:problem:licence-not-accepted"
    assert LICENCE in problem["detail"]
