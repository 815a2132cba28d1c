"""Metrics over HTTP, after real prompts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.archive_tools import store_series
from tests.conftest import tiny_service_in
from tests.drawing import draw
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.client import ClientSession, ServiceError
from delineate.demo.orthanc import OrthancServer

SHAPE = (24, 40, 48)
TOKENS = {"Ada^Doctor": "ada's token 0123456789"}
METRICS_TOKEN = "a token for prometheus"
CODE = {"value": "10200004", "scheme": "SCT", "meaning": "Liver"}
CATEGORY = {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"}

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, modality="MR")
    store_series(orthanc, series)
    return series


@pytest.fixture(scope="module")
def service(
    orthanc: OrthancServer, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    process = tiny_service_in(
        tmp_path_factory.mktemp("metrics"),
        orthanc,
        tiny_model,
        DELINEATE_TOKENS=json.dumps(TOKENS),
        DELINEATE_METRICS_TOKEN=METRICS_TOKEN,
        DELINEATE_ENGINE_LIMIT="1",
        DELINEATE_USER_SESSION_LIMIT="3",
    )
    process.start()
    yield process
    process.stop()


def scrape(service: ServiceProcess) -> dict[str, float]:
    """Read the metrics as Prometheus does: ``name{label="value",...}`` to value."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    reply = service.client.get("/delineate/metrics", headers=headers)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def prompt(session: ClientSession, series: PhantomSeries, kind: str, k: int = 9) -> dict[str, object]:
    drawn = draw(kind, (k, 20, 20), 0, series.affine, series.frame_of_reference_uid, include=True)
    return session.submit(1, drawn.body)


def test_what_was_done_is_counted(service: ServiceProcess, series: PhantomSeries) -> None:
    before = scrape(service)
    with service.connect(TOKENS["Ada^Doctor"]) as client:
        session, other = (client.open_session(series.study_uid, series.series_uid) for _ in range(2))
        session.add_segment(label="Liver", category=CATEGORY, type=CODE)
        other.add_segment()
        replies = [prompt(session, series, kind) for kind in ("point", "scribble", "point")]
        with pytest.raises(ServiceError):
            prompt(session, series, "point", k=900)
        standing = scrape(service)
        assert standing['delineate_sessions{state="live"}'] == 1
        assert standing['delineate_sessions{state="parked"}'] == 1
        replies.append(prompt(other, series, "point"))
        assert scrape(service)['delineate_sessions{state="live"}'] == 1
        client.wait_for_result(session.accept()["id"])
        after = scrape(service)
        for done in (session, other):
            done.close()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown('delineate_prompts_total{kind="point",outcome="done"}') == 3
    assert grown('delineate_prompts_total{kind="scribble",outcome="done"}') == 1
    assert grown('delineate_prompts_total{kind="point",outcome="refused"}') == 1
    assert grown("delineate_queue_wait_seconds_count") == grown("delineate_model_seconds_count") == 4
    model_ms = sum(reply["timing_ms"]["model"] for reply in replies)  # type: ignore[index]
    assert grown("delineate_model_seconds_sum") == pytest.approx(model_ms / 1000, abs=1e-5)
    assert grown("delineate_forward_passes_total") >= 4
    assert grown("delineate_patch_bytes_count") == 4
    assert grown("delineate_patch_bytes_sum") == sum(len(str(reply["voxels"])) for reply in replies)
    assert grown('delineate_volumes_total{source="archive"}') == 1
    assert grown('delineate_volumes_total{source="cache"}') >= 1
    assert grown("delineate_volume_fetch_seconds_count") == 1
    assert after["delineate_cache_volumes"] == 1
    assert 0 < after["delineate_cache_bytes"] <= after["delineate_cache_budget_bytes"]
    assert sum(value for name, value in after.items() if name.startswith("delineate_results_unfinished")) == 0
    assert after["process_resident_memory_bytes"] > 0
    assert scrape(service)['delineate_sessions{state="parked"}'] == 0


def test_preloads_are_timed(service: ServiceProcess, series: PhantomSeries) -> None:
    with service.connect(TOKENS["Ada^Doctor"]) as client:
        client.preload(series.study_uid, series.series_uid)
    deadline = time.monotonic() + PATIENCE_S
    while scrape(service)['delineate_preload_seconds_count{outcome="ready"}'] != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_metrics_name_no_patient_user_or_series(service: ServiceProcess, series: PhantomSeries) -> None:
    with service.connect(TOKENS["Ada^Doctor"]) as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment(label="Somebody's liver")
        prompt(session, series, "point")
        text = service.client.get("/delineate/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).text
        session.close()
    for word in (series.series_uid, series.study_uid, session.id, "Ada", "Somebody", "Phantom"):
        assert word not in text


def test_metrics_need_their_token_or_a_user_s(service: ServiceProcess) -> None:
    for token, status in ((None, 401), ("wrong", 401), (METRICS_TOKEN, 200), (TOKENS["Ada^Doctor"], 200)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert service.client.get("/delineate/metrics", headers=headers).status_code == status
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert service.client.get("/delineate/sessions", headers=headers).status_code == 401


def test_a_session_too_many_is_refused_for_now(service: ServiceProcess, series: PhantomSeries) -> None:
    body = {"study_instance_uid": series.study_uid, "series_instance_uid": series.series_uid}
    headers = {"Authorization": f"Bearer {TOKENS['Ada^Doctor']}"}
    opened = [service.client.post("/delineate/sessions", json=body, headers=headers) for _ in range(4)]
    assert [reply.status_code for reply in opened] == [201, 201, 201, 503]
    assert int(opened[-1].headers["Retry-After"]) > 0
    assert opened[-1].json()["type"] == "urn:delineate:problem:too-many-sessions"
    for reply in opened[:-1]:
        service.client.delete(f"/delineate/sessions/{reply.json()['id']}", headers=headers)
