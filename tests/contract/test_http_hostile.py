"""Bad input over HTTP: a 4xx problem that names cause and remedy; the session goes on."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.archive_tools import store_series
from tests.conftest import tiny_service_in
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.client import ClientSession
from delineate.demo.orthanc import OrthancServer

SHAPE = (24, 40, 48)


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="axial", modality="MR", spacing=(3.0, 1.0, 1.0))
    store_series(orthanc, series)
    return series


@pytest.fixture(scope="module")
def session(tiny_service: ServiceProcess, series: PhantomSeries) -> Iterator[ClientSession]:
    with tiny_service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment()
        yield session
        session.close()


def lps(series: PhantomSeries, *indices: tuple[float, float, float]) -> list[list[float]]:
    points = np.array(indices) @ series.affine[:3, :3].T + series.affine[:3, 3]
    return [list(p) for p in points.tolist()]


def body(series: PhantomSeries, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "kind": "point",
        "frame_of_reference_uid": series.frame_of_reference_uid,
        "points": lps(series, (9, 24, 19)),
    } | changes


def still_works(service: ServiceProcess, session: ClientSession, series: PhantomSeries) -> None:
    reply = service.client.post(f"/delineate{session.path}/segments/1/prompts", json=body(series))
    assert reply.status_code == 200
    assert service.client.post(f"/delineate{session.path}/segments/1/undo").status_code == 200


NORMAL = [0.0, 0.0, 1.0]
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "another frame of reference": ({"frame_of_reference_uid": "1.2.3.4"}, "wrong-frame-of-reference"),
    "no point": ({"points": []}, "prompt-malformed"),
    "two points": ({"points": [[0, 0, 0], [1, 1, 1]]}, "prompt-malformed"),
    "an empty lasso": ({"kind": "lasso", "points": [], "plane_normal": NORMAL}, "prompt-malformed"),
    "a lasso of one place": (
        {"kind": "lasso", "points": [[0, 0, 0]] * 5, "plane_normal": NORMAL},
        "prompt-malformed",
    ),
    "no plane": ({"kind": "lasso"}, "prompt-malformed"),
    "a plane normal of no length": ({"kind": "scribble", "plane_normal": [0, 0, 0]}, "prompt-malformed"),
    "an unknown kind": ({"kind": "sphere"}, "request-malformed"),
    "an id that is none": ({"id": "1"}, "request-malformed"),
    "an unknown field": ({"voxel": 1}, "request-malformed"),
    "a position of two numbers": ({"points": [[1, 2]]}, "request-malformed"),
    "an image of another series": ({"sop_instance_uid": "1.2.3"}, "prompt-reference-mismatch"),
    "a labelmap without voxels": ({"kind": "labelmap", "points": None}, "prompt-malformed"),
    "a labelmap that is no deflate": (
        {
            "kind": "labelmap",
            "points": None,
            "box": [[0, 1]] * 3,
            "voxels": "AAAA",
            "encoding": "bits-deflate-base64",
        },
        "prompt-malformed",
    ),
    "a labelmap with a reversed box": (
        {
            "kind": "labelmap",
            "points": None,
            "box": [[1, 0]] * 3,
            "voxels": "AAAA",
            "encoding": "bits-deflate-base64",
        },
        "prompt-malformed",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_prompt_is_a_problem(
    name: str, tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    changes, problem = CASES[name]
    reply = tiny_service.client.post(f"/delineate{session.path}/segments/1/prompts", json=body(series, **changes))
    check(reply, 422, problem)
    still_works(tiny_service, session, series)


def check(reply: httpx.Response, status: int, problem: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["type"] == f"urn:delineate:problem:{problem}"
    assert document["status"] == status
    assert len(document["detail"]) > 20
    return document


@pytest.mark.parametrize("index", [(-1, 5, 5), (24, 5, 5), (5, -0.6, 5), (5, 5, 47.6), (5, 5, 1e6)])
def test_a_click_outside_the_volume(
    index: tuple[float, float, float], tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    prompt = body(series, points=lps(series, index))
    document = check(
        tiny_service.client.post(f"/delineate{session.path}/segments/1/prompts", json=prompt),
        422,
        "prompt-outside-volume",
    )
    assert document["point"] == pytest.approx(prompt["points"][0])
    still_works(tiny_service, session, series)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none(
    value: float, tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    content = json.dumps(body(series, points=[[value, 0.0, 0.0]]))
    reply = tiny_service.client.post(
        f"/delineate{session.path}/segments/1/prompts", content=content, headers={"content-type": "application/json"}
    )
    check(reply, 422, "request-malformed")
    still_works(tiny_service, session, series)


def test_a_million_points(tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries) -> None:
    many = body(series, kind="scribble", points=[[1, 1, 1]] * 10**6, plane_normal=NORMAL)
    check(tiny_service.client.post(f"/delineate{session.path}/segments/1/prompts", json=many), 422, "request-malformed")
    still_works(tiny_service, session, series)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_100_megabytes(
    declared: bool, tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 2**20

    url = f"/delineate{session.path}/segments/1/prompts"
    content = b"x" * 100 * 2**20 if declared else chunks()
    try:
        reply = tiny_service.client.post(url, content=content, headers={"content-type": "application/json"})
    except httpx.WriteError:
        pytest.fail("the service closed the connection without an answer")
    check(reply, 413, "body-too-large")
    still_works(tiny_service, session, series)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"' * 1000, b"[" * 5000])
def test_a_malformed_body(
    content: bytes, tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    reply = tiny_service.client.post(
        f"/delineate{session.path}/segments/1/prompts", content=content, headers={"content-type": "application/json"}
    )
    assert 400 <= reply.status_code < 500
    assert reply.headers["content-type"] == "application/problem+json"
    still_works(tiny_service, session, series)


@pytest.mark.parametrize(
    ("method", "path", "problem"),
    [
        ("GET", "/sessions/1.2~nowhere", "session-not-found"),
        ("POST", "/sessions/1.2~nowhere/segments/1/undo", "session-not-found"),
        ("GET", "/results/none", "result-not-found"),
        ("GET", "/nothing", "not-found"),
    ],
)
def test_what_is_not_there(method: str, path: str, problem: str, tiny_service: ServiceProcess) -> None:
    check(tiny_service.client.request(method, f"/delineate{path}"), 404, problem)


def test_a_segment_that_is_not_there(tiny_service: ServiceProcess, session: ClientSession) -> None:
    check(tiny_service.client.get(f"/delineate{session.path}/segments/77/labelmap"), 404, "segment-not-found")


def test_a_series_that_is_not_there(tiny_service: ServiceProcess) -> None:
    reply = tiny_service.client.post(
        "/delineate/sessions?wait=true", json={"study_instance_uid": "1.2", "series_instance_uid": "1.3"}
    )
    check(reply, 404, "series-not-found")


def test_a_closed_session_is_gone(tiny_service: ServiceProcess, series: PhantomSeries) -> None:
    with tiny_service.connect() as client:
        closed = client.open_session(series.study_uid, series.series_uid)
        closed.close()
        closed.close()
    reply = tiny_service.client.post(f"/delineate{closed.path}/segments", json={})
    check(reply, 410, "session-closed")


def test_a_self_crossing_and_an_open_lasso_are_closed_and_filled(
    session: ClientSession, series: PhantomSeries, tiny_service: ServiceProcess
) -> None:
    star = [(9.0, 20 + 8 * math.sin(4 * math.pi * n / 5), 20 + 8 * math.cos(4 * math.pi * n / 5)) for n in range(5)]
    for outline in (star, [(9.0, 20, 20), (9.0, 20, 30), (9.0, 30, 30), (9.0, 30, 20)]):
        prompt = body(series, kind="lasso", points=lps(series, *outline), plane_normal=NORMAL)
        reply = tiny_service.client.post(f"/delineate{session.path}/segments/1/prompts", json=prompt)
        assert reply.status_code == 200, reply.text
        session.undo(1)


def test_codes_and_labels_that_a_pacs_would_refuse_are_refused_here(
    tiny_service: ServiceProcess, session: ClientSession
) -> None:
    for bad in (
        {"label": "x" * 65},
        {"label": "a\\b"},
        {"colour": [256, 0, 0]},
        {"type": {"value": "x" * 17, "scheme": "SCT", "meaning": "m"}},
        {"type": {"value": "1", "scheme": "SCT", "meaning": " "}},
    ):
        reply = tiny_service.client.post(f"/delineate{session.path}/segments", json=bad)
        assert reply.status_code == 422, bad


def test_accept_names_what_is_missing(tiny_service: ServiceProcess, series: PhantomSeries) -> None:
    with tiny_service.connect() as client:
        own = client.open_session(series.study_uid, series.series_uid)
        url = f"/delineate{own.path}/accept"
        check(tiny_service.client.post(url, json={}), 422, "segment-empty")
        own.add_segment()
        check(tiny_service.client.post(url, json={}), 422, "segment-empty")
        own.submit(1, body(series))
        check(tiny_service.client.post(url, json={}), 422, "segment-unnamed")
        own.close()


def test_tokens_keep_strangers_out_and_users_apart(
    orthanc: OrthancServer, tiny_model: Path, series: PhantomSeries, tmp_path: Path
) -> None:
    tokens = {"Ada^Doctor": "ada's token 0123456789", "Eve^Nurse": "eve's token 0123456789"}
    service = tiny_service_in(tmp_path, orthanc, tiny_model, DELINEATE_TOKENS=json.dumps(tokens))
    service.start()
    try:
        check(service.client.get("/delineate/sessions"), 401, "not-authenticated")
        wrong = service.client.get("/delineate/models", headers={"Authorization": "Bearer wrong"})
        check(wrong, 401, "not-authenticated")
        assert service.client.get("/delineate/health/live").status_code == 200
        with service.connect(tokens["Ada^Doctor"]) as ada, service.connect(tokens["Eve^Nurse"]) as eve:
            session = ada.open_session(series.study_uid, series.series_uid)
            assert [s["id"] for s in ada.sessions()] == [session.id]
            assert eve.sessions() == []
            headers = {"Authorization": f"Bearer {tokens['Eve^Nurse']}"}
            check(service.client.get(f"/delineate{session.path}", headers=headers), 403, "not-permitted")
    finally:
        service.stop()


def test_without_tokens_only_loopback_names_are_answered(tiny_service: ServiceProcess) -> None:
    reply = tiny_service.client.get("/delineate/sessions", headers={"Host": "rebound.example"})
    check(reply, 401, "not-authenticated")


def test_the_openapi_document_is_published(tiny_service: ServiceProcess) -> None:
    document = tiny_service.client.get("/delineate/openapi.json").json()
    assert "/delineate/sessions/{session_id}/segments/{number}/prompts" in document["paths"]
