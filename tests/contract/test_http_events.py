"""Events, collected prompts, queue positions and preloads over HTTP, against a real archive."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from tests.archive_tools import store_series
from tests.bare_session import BareSession, load_artifacts
from tests.conftest import tiny_service_in
from tests.drawing import Drawn, draw
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess
from tests.tiny_model import write_tiny_model

from delineate.client import Client, ClientSession, ServiceError, region_of
from delineate.demo.orthanc import OrthancServer
from delineate.domain.labelmap import Labelmap
from delineate.domain.session import step_seed

SHAPE = (24, 40, 48)
LARGE = (40, 72, 72)
"""Larger than the model's patch, so that an object takes many passes."""
WIDE = (12, 40, 160)
"""Has room for prompts that do not lie in one crop."""
LONGEST_S = 60.0
TOKENS = {"Ada^Doctor": "ada's token 0123456789", "Eve^Nurse": "eve's token 0123456789"}
CODE = {"value": "10200004", "scheme": "SCT", "meaning": "Liver"}
CATEGORY = {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"}

Event = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", modality="MR")
    store_series(orthanc, series)
    return series


@pytest.fixture(scope="module")
def large(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=LARGE, spacing=(1.0, 1.0, 1.0), modality="MR")
    store_series(orthanc, series)
    return series


@pytest.fixture(scope="module")
def wide(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=WIDE, spacing=(1.0, 1.0, 1.0), modality="MR")
    store_series(orthanc, series)
    return series


@pytest.fixture
def session(tiny_service: ServiceProcess, series: PhantomSeries) -> Iterator[ClientSession]:
    with tiny_service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment()
        yield session
        session.close()


class Window:
    """A second connection that reads a session's events in a thread, as a browser's window does."""

    def __init__(self, service: ServiceProcess, session_id: str, token: str | None = None) -> None:
        self._client = service.connect(token)
        self._waiting: Queue[Event | None] = Queue()
        self.seen: list[Event] = []
        self.ended = threading.Event()
        self._session = self._client.session(session_id)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in self._session.events():
                self._waiting.put(event)
        except httpx.HTTPError:  # the service was stopped, or the test is over
            pass
        finally:
            self._waiting.put(None)
            self.ended.set()

    def next(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return the next event of that kind and content; what comes before it is noted in ``seen``."""
        end = time.monotonic() + LONGEST_S
        while True:
            event = self._waiting.get(timeout=max(0.0, end - time.monotonic()))
            assert event is not None, f"the stream ended before {kind} {fields}; seen: {[k for k, _ in self.seen]}"
            self.seen.append(event)
            if event[0] == kind and fields.items() <= event[1].items():
                return event[1]

    def rest(self) -> list[Event]:
        """Return what is left of a stream that has ended."""
        assert self.ended.wait(LONGEST_S)
        left = list(self._waiting.queue)
        return [event for event in left if event is not None]

    def close(self) -> None:
        self._client.close()


@contextmanager
def windows(service: ServiceProcess, session_id: str, count: int) -> Iterator[list[Window]]:
    opened = [Window(service, session_id) for _ in range(count)]
    try:
        for window in opened:
            window.next("session")
        yield opened
    finally:
        for window in opened:
            window.close()


def drawn_in(series: PhantomSeries, at: tuple[int, int, int], *, include: bool = True, kind: str = "point") -> Drawn:
    return draw(kind, at, 0, series.affine, series.frame_of_reference_uid, include=include)


def test_two_windows_on_one_session_see_the_same_patches(
    tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    with windows(tiny_service, session.id, 2) as both:
        replies = [session.submit(1, drawn_in(series, (9 + n, 20, 20)).body) for n in range(3)]
        replies += [session.undo(1), session.undo(1), session.redo(1), session.reset(1), session.undo(1)]
        expected = session.labelmap(1)[0]
        for window in both:
            window.next("patch", revision=replies[-1]["revision"])
            patches = [data for kind, data in window.seen if kind == "patch"]
            assert patches == replies
            shown = Labelmap(SHAPE)
            for patch in patches:
                shown = shown.apply(region_of(patch))
            assert shown.equals(expected)
            told = window.next("segment", revision=replies[-1]["revision"], pending_prompt_ids=[])
            assert told == session.refresh()["segments"][0]
            assert told["volume_ml"] == replies[-1]["volume_ml"] > 0


def test_the_first_event_is_the_session_and_the_last_is_its_end(
    tiny_service: ServiceProcess, series: PhantomSeries
) -> None:
    with tiny_service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment(label="One")
        window = Window(tiny_service, session.id)
        assert window.next("session") == session.refresh()
        session.change_segment(1, label="Two", colour=(1, 2, 3))
        assert window.next("segment", label="Two")["colour"] == [1, 2, 3]
        session.add_segment(label="Other")
        assert window.next("segment", label="Other")["number"] == 2
        session.delete_segment(1)
        assert window.next("segment-deleted") == {"number": 1}
        session.close()
        window.next("session", state="closed")
        assert window.rest() == []
        window.close()


def test_events_are_for_the_session_s_user_only(
    orthanc: OrthancServer, tiny_model: Path, series: PhantomSeries, tmp_path: Path
) -> None:
    service = tiny_service_in(tmp_path, orthanc, tiny_model, DELINEATE_TOKENS=json.dumps(TOKENS))
    service.start()
    try:
        ada, eve = TOKENS.values()
        with service.connect(ada) as client:
            session = client.open_session(series.study_uid, series.series_uid)
            assert next(iter(session.events()))[0] == "session"
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {eve}"}, 403)):
            reply = service.client.get(f"/delineate{session.path}/events", headers=headers)
            assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    finally:
        service.stop()


def test_loading_is_told_with_progress_until_the_session_is_ready(
    tiny_service: ServiceProcess, orthanc: OrthancServer
) -> None:
    fresh = make_series(shape=(60, 256, 256), modality="MR")
    store_series(orthanc, fresh)
    body = {"study_instance_uid": fresh.study_uid, "series_instance_uid": fresh.series_uid}
    opened = tiny_service.client.post("/delineate/sessions", json=body).json()
    assert opened["state"] == "loading"
    window = Window(tiny_service, opened["id"])
    ready = window.next("session", state="ready")
    assert ready["progress"]["done"] == ready["progress"]["total"] == 60
    told = [(data["done"], data["bytes"]) for kind, data in window.seen if kind == "progress"]
    assert told == sorted(told)
    assert len(told) > 1
    window.close()
    tiny_service.client.delete(f"/delineate/sessions/{opened['id']}")


def test_results_are_told_until_they_are_stored(
    tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries
) -> None:
    session.change_segment(1, label="Liver", category=CATEGORY, type=CODE)
    session.submit(1, drawn_in(series, (9, 20, 20)).body)
    with windows(tiny_service, session.id, 1) as (window,):
        result = session.accept()
        stored = window.next("result", state="stored")
        assert stored["id"] == result["id"]
        states = [data["state"] for kind, data in window.seen if kind == "result"]
        assert [state for state, _ in groupby(states)] == ["encoding", "storing", "verifying", "stored"]


def test_prompts_are_listed_as_collected_waiting_running_and_applied(
    tiny_service: ServiceProcess, large: PhantomSeries
) -> None:
    heavy = drawn_in(large, (14, 43, 29)).body
    first = drawn_in(large, (30, 12, 12), include=False, kind="lasso").body
    later = drawn_in(large, (30, 60, 60), include=False).body
    with tiny_service.connect() as client, ThreadPoolExecutor(2) as pool:
        session = client.open_session(large.study_uid, large.series_uid)
        session.add_segment()
        session.submit(1, first)
        with windows(tiny_service, session.id, 1) as (window,):
            started = threading.Event()
            running = pool.submit(session.submit, 1, heavy, lambda _: started.set())
            assert started.wait(LONGEST_S)
            session.submit(1, {**later, "run": False})
            collected = session.refresh()["segments"][0]
            states = {p["id"]: p["state"] for p in collected["prompts"]}
            assert list(states) == [first["id"], heavy["id"], later["id"]]
            assert list(states.values()) == ["applied", "running", "collected"]
            shown = collected["prompts"][0]
            assert (shown["kind"], shown["include"]) == ("lasso", False)
            assert shown["points"] == first["points"]
            assert shown["plane_normal"] == first["plane_normal"]
            waiting = pool.submit(session.run, 1)
            told = window.next("segment", pending_prompt_ids=[heavy["id"], later["id"]])
            while told["prompts"][-1]["state"] != "waiting":
                told = window.next("segment")
            session.cancel(1, heavy["id"])
            assert running.exception(LONGEST_S) is not None
            assert waiting.result(LONGEST_S)["prompt_ids"] == [later["id"]]
        ended = session.refresh()["segments"][0]
        assert [(p["id"], p["state"]) for p in ended["prompts"]] == [(first["id"], "applied"), (later["id"], "applied")]
        session.undo(1)
        assert [p["id"] for p in session.refresh()["segments"][0]["prompts"]] == [first["id"]]
        session.reset(1)
        assert session.refresh()["segments"][0]["prompts"] == []
        session.close()


def test_collected_prompts_equal_the_same_prompts_given_to_the_bare_session_at_once(
    tiny_service: ServiceProcess, session: ClientSession, series: PhantomSeries, tiny_model: Path
) -> None:
    prompts = [drawn_in(series, (12, 20 + n, 24), include=n != 1, kind=kind) for n, kind in enumerate(("point", "box"))]
    prompts.append(drawn_in(series, (11, 18, 22), kind="scribble"))
    for prompt in prompts:
        empty = session.submit(1, {**prompt.body, "run": False})
        assert empty["revision"] == empty["base_revision"] == 0
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    url = f"/delineate{session.path}/segments/1/run"
    patch = tiny_service.client.post(url, headers=headers).json()
    assert patch["prompt_ids"] == [p.body["id"] for p in prompts]
    assert (patch["base_revision"], patch["revision"]) == (0, 1)
    bare = BareSession(load_artifacts(tiny_model), series.voxels)
    expected = bare.prompt([p.voxels for p in prompts], step_seed(prompts[-1].body["id"]))
    assert session.labelmap(1)[0].equals(expected)
    assert Labelmap(SHAPE).apply(region_of(patch)).equals(expected)
    assert tiny_service.client.post(url, headers=headers).json() == patch
    with pytest.raises(ServiceError) as caught:
        session.run(1)
    assert caught.value.problem["type"].endswith(":nothing-to-run")
    assert caught.value.problem["status"] == 409


def test_collected_prompts_in_far_places_run_in_order_and_give_one_patch(
    orthanc: OrthancServer, wide: PhantomSeries, tmp_path: Path
) -> None:
    near = write_tiny_model(tmp_path / "near", reach=7)
    service = tiny_service_in(tmp_path, orthanc, near)
    service.start()
    prompts = [drawn_in(wide, spot, include=n != 2) for n, spot in enumerate([(4, 24, 20), (5, 20, 140)] * 2)]
    bare = BareSession(load_artifacts(near), wide.voxels)
    for prompt in prompts:
        expected = bare.prompt([prompt.voxels], step_seed(prompt.body["id"]))
    with service.connect() as client:
        session = client.open_session(wide.study_uid, wide.series_uid)
        session.add_segment()
        for prompt in prompts:
            session.submit(1, {**prompt.body, "run": False})
        with windows(service, session.id, 1) as (window,):
            patch = session.run(1)
            assert (patch["base_revision"], patch["revision"]) == (0, 4)
            assert patch["prompt_ids"] == [p.body["id"] for p in prompts]
            window.next("patch", revision=4)
            assert [data["revision"] for kind, data in window.seen if kind == "patch"] == [1, 2, 3, 4]
        assert session.labelmap(1)[0].equals(expected)
        assert Labelmap(WIDE).apply(region_of(patch)).equals(expected)
    service.stop()


def test_the_queue_position_while_another_user_s_long_job_runs(
    orthanc: OrthancServer, tiny_model: Path, large: PhantomSeries, tmp_path: Path
) -> None:
    service = tiny_service_in(tmp_path, orthanc, tiny_model, DELINEATE_TOKENS=json.dumps(TOKENS))
    service.start()
    tokens = list(TOKENS.values())
    with service.connect(tokens[0]) as ada, service.connect(tokens[1]) as eve, ThreadPoolExecutor(2) as pool:
        long = ada.open_session(large.study_uid, large.series_uid)
        quick = eve.open_session(large.study_uid, large.series_uid)
        for session in (long, quick):
            session.add_segment()
        window = Window(service, quick.id, tokens[1])
        window.next("session")
        started = [threading.Event(), threading.Event()]
        first = drawn_in(large, (14, 43, 29)).body
        job = pool.submit(long.submit, 1, first, lambda _: started[0].set())
        assert started[0].wait(LONGEST_S)
        second = drawn_in(large, (14, 43, 29)).body
        click = pool.submit(quick.submit, 1, second, lambda _: started[1].set())
        told = window.next("queue")
        assert told == {"segment": 1, "prompt_id": second["id"], "position": 1}
        assert started[1].wait(LONGEST_S)
        assert quick.refresh()["segments"][0]["queue_position"] == 1
        assert long.refresh()["segments"][0]["queue_position"] == 0
        long.cancel(1, first["id"])
        assert window.next("queue")["position"] == 0
        assert job.exception(LONGEST_S) is not None
        click.result(LONGEST_S)
        assert window.next("segment", pending_prompt_ids=[])["queue_position"] is None
        window.close()
    service.stop()


def test_the_service_stops_promptly_while_windows_listen(
    orthanc: OrthancServer, tiny_model: Path, series: PhantomSeries, tmp_path: Path
) -> None:
    service = tiny_service_in(tmp_path, orthanc, tiny_model)
    service.start()
    with service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment()
        with windows(service, session.id, 3) as opened:
            began = time.monotonic()
            service.stop()
            assert time.monotonic() - began < 4.0  # uvicorn cancels what is left after 5 s
            for window in opened:
                assert window.rest() == []
    assert "Traceback" not in service.log.read_text()
    service.start()
    with service.connect() as client:
        again = client.session(session.id)
        assert next(iter(again.events()))[1]["segments"] == again.refresh()["segments"]
        assert again.info["progress"] == {"done": SHAPE[0], "total": SHAPE[0], "bytes": 0}
        assert again.info["touched_at"] <= time.time()
    service.stop()


def until_preloaded(client: Client, series_uid: str) -> list[dict[str, Any]]:
    states = [client.preload_state(series_uid)]
    end = time.monotonic() + LONGEST_S
    while states[-1]["state"] in ("waiting", "loading") and time.monotonic() < end:
        states.append(client.preload_state(series_uid))
    return states


def test_a_preloaded_series_opens_without_another_fetch(tiny_service: ServiceProcess, orthanc: OrthancServer) -> None:
    fresh = make_series(shape=(60, 256, 256), modality="MR")
    store_series(orthanc, fresh)
    with tiny_service.connect() as client:
        asked = client.preload(fresh.study_uid, fresh.series_uid)
        assert asked["state"] in ("waiting", "loading")
        states = until_preloaded(client, fresh.series_uid)
        assert states[-1]["state"] == "ready"
        assert states[-1]["done"] == states[-1]["total"] == 60
        assert states[-1]["bytes"] > 60 * 256 * 256
        assert states[-1]["problem"] is None
        assert [s["done"] for s in states] == sorted(s["done"] for s in states)
        session = client.open_session(fresh.study_uid, fresh.series_uid)
        assert session.info["state"] == "ready"
        assert session.info["progress"] == {"done": 60, "total": 60, "bytes": 0}  # nothing was fetched
        session.close()


def test_a_session_opened_while_its_series_is_preloaded_joins_in(
    tiny_service: ServiceProcess, orthanc: OrthancServer
) -> None:
    fresh = make_series(shape=(60, 256, 256), modality="MR")
    store_series(orthanc, fresh)
    with tiny_service.connect() as client:
        client.preload(fresh.study_uid, fresh.series_uid)
        session = client.open_session(fresh.study_uid, fresh.series_uid)
        assert until_preloaded(client, fresh.series_uid)[-1]["state"] == "ready"
        session.add_segment()
        session.submit(1, drawn_in(fresh, (20, 100, 100)).body)
        session.close()


def test_a_series_that_cannot_be_preloaded_says_why(tiny_service: ServiceProcess) -> None:
    unknown = "1.2.826.0.1.3680043.8.498.1"
    with tiny_service.connect() as client:
        with pytest.raises(ServiceError) as caught:
            client.preload_state(unknown)
        assert caught.value.problem["type"].endswith(":preload-not-found")
        assert caught.value.problem["status"] == 404
        client.preload(unknown, unknown)
        failed = until_preloaded(client, unknown)[-1]
        assert failed["state"] == "failed"
        assert failed["problem"]["type"].endswith(":series-not-found")
    assert tiny_service.client.put("/delineate/preloads/x", json={"study_instance_uid": "1.2"}).status_code == 422


def test_the_kinds_of_events_are_in_the_openapi_document(tiny_service: ServiceProcess) -> None:
    document = tiny_service.client.get("/delineate/openapi.json").json()
    operation = document["paths"]["/delineate/sessions/{session_id}/events"]["get"]
    assert operation["responses"]["200"]["content"].keys() == {"text/event-stream"}
    kinds = document["components"]["schemas"]["SessionEvents"]["properties"].keys()
    assert kinds == {"session", "progress", "queue", "patch", "segment", "segment-deleted", "result"}
