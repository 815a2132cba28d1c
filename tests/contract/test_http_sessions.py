"""A session over HTTP: undo to any depth, many prompts at once, cancellation, previews, kill -9 and restart."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.archive_tools import store_series
from tests.bare_session import BareSession, load_artifacts
from tests.conftest import tiny_service_in
from tests.drawing import Drawn, draw
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess
from tests.tiny_model import write_tiny_model

from delineate.client import ClientSession, ServiceError, region_of
from delineate.demo.orthanc import OrthancServer
from delineate.domain.labelmap import Labelmap
from delineate.domain.session import step_seed

SHAPE = (24, 40, 48)
LARGE = (40, 72, 72)
"""Larger than the model's patch, so that an object takes many passes."""
WIDE = (12, 40, 160)
"""Has room for prompts that do not lie in one crop."""
KINDS = ("point", "box", "scribble", "lasso")


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


@pytest.fixture(scope="module")
def near_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that grows a few voxels around each prompt, in one pass."""
    return write_tiny_model(tmp_path_factory.mktemp("near") / "model", reach=7)


@pytest.fixture(scope="module")
def near_service(
    orthanc: OrthancServer, near_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    process = tiny_service_in(tmp_path_factory.mktemp("near-service"), orthanc, near_model)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def session(tiny_service: ServiceProcess, series: PhantomSeries) -> Iterator[ClientSession]:
    with tiny_service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment()
        yield session
        session.close()


def drawn_in(series: PhantomSeries, seed: int, kind: str | None = None, *, include: bool | None = None) -> Drawn:
    """Draw a random prompt inside the series."""
    rng = np.random.default_rng(seed)
    k, j, i = (int(rng.integers(6, n - 6)) for n in series.voxels.shape)
    return draw(
        kind or KINDS[int(rng.integers(4))],
        (k, j, i),
        int(rng.integers(3)),
        series.affine,
        series.frame_of_reference_uid,
        include=bool(rng.integers(2)) if include is None else include,
    )


def test_twenty_prompts_twenty_undos_twenty_redos(
    session: ClientSession, series: PhantomSeries, tiny_model: Path
) -> None:
    bare = BareSession(load_artifacts(tiny_model), series.voxels)
    levels = [Labelmap(SHAPE)]
    for n in range(20):
        drawn = drawn_in(series, n, include=n % 3 != 2)
        session.submit(1, drawn.body)
        levels.append(session.labelmap(1)[0])
        assert levels[-1].equals(bare.prompt([drawn.voxels], step_seed(drawn.body["id"])))
    shown = levels[-1]
    for expected in reversed(levels[:-1]):
        shown = shown.apply(region_of(session.undo(1)))
        assert shown.equals(expected)
        assert session.labelmap(1)[0].equals(expected)
    with pytest.raises(ServiceError, match="no step to undo"):
        session.undo(1)
    for expected in levels[1:]:
        shown = shown.apply(region_of(session.redo(1)))
        assert shown.equals(expected)
    with pytest.raises(ServiceError, match="no undone step"):
        session.redo(1)
    after = drawn_in(series, 99, "point", include=True)
    session.submit(1, after.body)
    assert session.labelmap(1)[0].equals(bare.prompt([after.voxels], step_seed(after.body["id"])))


def test_a_prompt_after_undo_is_as_if_the_undone_one_had_never_been(
    session: ClientSession, series: PhantomSeries, tiny_model: Path
) -> None:
    first, undone, second = (drawn_in(series, n, include=True) for n in (1, 2, 3))
    bare = BareSession(load_artifacts(tiny_model), series.voxels)
    for drawn in (first, undone):
        session.submit(1, drawn.body)
    session.undo(1)
    session.submit(1, second.body)
    for drawn in (first, second):
        expected = bare.prompt([drawn.voxels], step_seed(drawn.body["id"]))
    assert session.labelmap(1)[0].equals(expected)


def test_two_segments_in_turn_are_as_if_each_were_alone(
    session: ClientSession, series: PhantomSeries, tiny_model: Path
) -> None:
    artifacts = load_artifacts(tiny_model)
    bare = {1: BareSession(artifacts, series.voxels), 2: BareSession(artifacts, series.voxels)}
    session.add_segment()
    for n in range(6):
        number = 1 + n % 2
        drawn = drawn_in(series, 40 + n, include=n < 4)
        session.submit(number, drawn.body)
        expected = bare[number].prompt([drawn.voxels], step_seed(drawn.body["id"]))
        assert session.labelmap(number)[0].equals(expected)


def at_once(session: ClientSession, prompts: list[Drawn]) -> list[dict[str, Any]]:
    """Send all prompts without waiting for a reply, in order of sending; return the replies."""
    with ThreadPoolExecutor(len(prompts)) as pool:
        futures = []
        for prompt in prompts:
            futures.append(pool.submit(session.submit, 1, prompt.body))
            wait_until_taken(session, prompt.body["id"], futures[-1])
        return [f.result() for f in futures]


def wait_until_taken(session: ClientSession, prompt_id: str, reply: Future[dict[str, Any]]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if reply.done() or prompt_id in session.refresh()["segments"][0]["pending_prompt_ids"]:
            return
    raise TimeoutError(prompt_id)


def test_ten_prompts_at_once_in_far_places_equal_ten_one_after_another(
    near_service: ServiceProcess, wide: PhantomSeries, near_model: Path
) -> None:
    spots = [(4, 24, 20), (5, 20, 140)] * 5
    frame = wide.frame_of_reference_uid
    prompts = [draw("point", spot, 0, wide.affine, frame, include=n % 4 != 3) for n, spot in enumerate(spots)]
    bare = BareSession(load_artifacts(near_model), wide.voxels)
    with near_service.connect() as client:
        session = client.open_session(wide.study_uid, wide.series_uid)
        session.add_segment()
        replies = at_once(session, prompts)
        steps = {reply["revision"]: reply["prompt_ids"] for reply in replies}
        assert sorted(steps) == list(range(1, 11))
        order = {p.body["id"]: p for p in prompts}
        for revision in sorted(steps):
            (name,) = steps[revision]
            expected = bare.prompt([order[name].voxels], step_seed(name))
        assert session.labelmap(1)[0].equals(expected)
        session.close()


def test_quick_prompts_inside_one_crop_share_runs_and_equal_the_bare_session_given_the_same_bounds(
    near_service: ServiceProcess, wide: PhantomSeries, near_model: Path
) -> None:
    frame = wide.frame_of_reference_uid
    prompts = [draw("point", (5, 20, 60 + n), 0, wide.affine, frame, include=True) for n in range(10)]
    bare = BareSession(load_artifacts(near_model), wide.voxels)
    with near_service.connect() as client:
        session = client.open_session(wide.study_uid, wide.series_uid)
        session.add_segment()
        replies = at_once(session, prompts)
        steps = {reply["revision"]: reply["prompt_ids"] for reply in replies}
        assert len(steps) < 10
        assert sorted(name for ids in steps.values() for name in ids) == sorted(p.body["id"] for p in prompts)
        order = {p.body["id"]: p for p in prompts}
        for revision in sorted(steps):
            expected = bare.prompt([order[name].voxels for name in steps[revision]], step_seed(steps[revision][-1]))
        assert session.labelmap(1)[0].equals(expected)
        session.close()


def test_previews_in_order_then_the_final_patch_give_the_labelmap(
    tiny_service: ServiceProcess, large: PhantomSeries
) -> None:
    with tiny_service.connect() as client:
        session = client.open_session(large.study_uid, large.series_uid)
        session.add_segment()
        previews: list[dict[str, Any]] = []
        drawn = draw("point", (14, 43, 29), 0, large.affine, large.frame_of_reference_uid, include=True)
        final = session.submit(1, drawn.body, previews.append)
        shown = Labelmap(LARGE)
        for preview in previews:
            assert preview["final"] is False
            shown = shown.apply(region_of(preview))
        assert len(previews) > 1
        assert not shown.is_empty
        expected = session.labelmap(1)[0]
        assert shown.equals(expected)
        assert shown.apply(region_of(final)).equals(expected)
        assert Labelmap(LARGE).apply(region_of(final)).equals(expected)
        session.close()


def test_cancelling_in_the_middle_leaves_everything_as_it_was(
    tiny_service: ServiceProcess, large: PhantomSeries, tiny_model: Path
) -> None:
    bare = BareSession(load_artifacts(tiny_model), large.voxels)
    frame = large.frame_of_reference_uid
    small = draw("box", (30, 12, 12), 0, large.affine, frame, include=False)
    heavy = draw("point", (14, 43, 29), 0, large.affine, frame, include=True)
    with tiny_service.connect() as client:
        session = client.open_session(large.study_uid, large.series_uid)
        session.add_segment()
        session.submit(1, small.body)
        bare.prompt([small.voxels], step_seed(small.body["id"]))
        started = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(session.submit, 1, heavy.body, lambda _: started.set())
            assert started.wait(60)
            session.cancel(1, heavy.body["id"])
            with pytest.raises(ServiceError, match="cancelled"):
                running.result(60)
        info = session.refresh()["segments"][0]
        assert (info["revision"], info["pending_prompt_ids"]) == (1, [])
        again = {**heavy.body, "id": str(uuid.uuid4())}
        session.submit(1, again)
        assert session.labelmap(1)[0].equals(bare.prompt([heavy.voxels], step_seed(again["id"])))
        session.close()


def test_the_same_prompt_again_is_answered_the_same_and_another_body_is_a_conflict(
    session: ClientSession, series: PhantomSeries
) -> None:
    body = drawn_in(series, 5, "point", include=True).body
    first = session.submit(1, body)
    assert session.submit(1, body) == first
    with pytest.raises(ServiceError) as caught:
        session.submit(1, {**body, "include": False})
    assert caught.value.problem["type"].endswith(":prompt-conflict")
    assert session.refresh()["segments"][0]["revision"] == 1


def test_a_labelmap_prompt_replaces_the_segment_and_the_model_goes_on_from_it(
    session: ClientSession, series: PhantomSeries, tiny_model: Path
) -> None:
    session.submit(1, drawn_in(series, 5, "point", include=True).body)
    voxels = np.zeros(SHAPE, dtype=np.bool_)
    voxels[5:9, 10:20, 12:30] = True
    session.set_labelmap(1, voxels)
    assert session.labelmap(1)[0].equals(Labelmap.from_array(voxels))
    bare = BareSession(load_artifacts(tiny_model), series.voxels)
    bare.start_from(Labelmap.from_array(voxels))
    bare.session.new_interaction_centers, bare.session.new_interaction_zoom_out_factors = [], []
    drawn = drawn_in(series, 8, "scribble", include=False)
    session.submit(1, drawn.body)
    assert session.labelmap(1)[0].equals(bare.prompt([drawn.voxels], step_seed(drawn.body["id"])))


def test_kill_9_after_ten_prompts_on_two_segments_loses_nothing(
    orthanc: OrthancServer, tiny_model: Path, series: PhantomSeries, tmp_path: Path
) -> None:
    service = tiny_service_in(tmp_path, orthanc, tiny_model)
    service.start()
    with service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        for number in (1, 2):
            session.add_segment(label=f"Segment {number}")
        bare = {n: BareSession(load_artifacts(tiny_model), series.voxels) for n in (1, 2)}
        bodies = []
        levels: dict[int, list[Labelmap]] = {1: [Labelmap(SHAPE)], 2: [Labelmap(SHAPE)]}
        for n in range(10):
            number = 1 + n % 2
            drawn = drawn_in(series, 70 + n, include=n % 5 != 4)
            bodies.append((number, drawn.body, session.submit(number, drawn.body)))
            levels[number].append(bare[number].prompt([drawn.voxels], step_seed(drawn.body["id"])))
    service.kill()
    service.start()
    with service.connect() as client:
        assert [s["id"] for s in client.sessions(series.study_uid)] == [session.id]
        again = client.session(session.id)
        for number in (1, 2):
            assert again.labelmap(number)[0].equals(levels[number][-1])
        for number, body, reply in bodies:
            assert again.submit(number, body) == reply
        for number in (1, 2):
            for expected in reversed(levels[number][:-1]):
                again.undo(number)
                assert again.labelmap(number)[0].equals(expected)
            for _ in range(len(levels[number]) - 1):
                again.redo(number)
            drawn = drawn_in(series, 90 + number, include=True)
            again.submit(number, drawn.body)
            expected = bare[number].prompt([drawn.voxels], step_seed(drawn.body["id"]))
            assert again.labelmap(number)[0].equals(expected)
    service.stop()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_prompts_with_a_kill_9_after_every_fifth(
    orthanc: OrthancServer, tiny_model: Path, series: PhantomSeries, tmp_path: Path
) -> None:
    service = tiny_service_in(tmp_path, orthanc, tiny_model)
    service.start()
    bare = BareSession(load_artifacts(tiny_model), series.voxels)
    with service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        session.add_segment()
    levels = [Labelmap(SHAPE)]
    for n in range(50):
        drawn = drawn_in(series, 300 + n, include=n % 4 != 3)
        with service.connect() as client:
            client.session(session.id).submit(1, drawn.body)
            levels.append(bare.prompt([drawn.voxels], step_seed(drawn.body["id"])))
            assert client.session(session.id).labelmap(1)[0].equals(levels[-1])
        if n % 5 == 4:
            service.kill()
            service.start()
    with service.connect() as client:
        again = client.session(session.id)
        for expected in reversed(levels[:-1]):
            again.undo(1)
            assert again.labelmap(1)[0].equals(expected)
    service.stop()


def test_kill_9_in_the_middle_of_a_run_runs_it_again_after_the_restart(
    orthanc: OrthancServer, tiny_model: Path, large: PhantomSeries, tmp_path: Path
) -> None:
    service = tiny_service_in(tmp_path, orthanc, tiny_model)
    service.start()
    drawn = draw("point", (14, 43, 29), 0, large.affine, large.frame_of_reference_uid, include=True)
    with service.connect() as client, ThreadPoolExecutor(1) as pool:
        session = client.open_session(large.study_uid, large.series_uid)
        session.add_segment()
        started = threading.Event()
        running = pool.submit(session.submit, 1, drawn.body, lambda _: started.set())
        assert started.wait(60)
        service.kill()
        assert running.exception(60) is not None
    service.start()
    with service.connect() as client:
        again = client.session(session.id)
        patch = again.submit(1, drawn.body)
        expected = BareSession(load_artifacts(tiny_model), large.voxels).prompt(
            [drawn.voxels], step_seed(drawn.body["id"])
        )
        assert patch["revision"] == 1
        assert again.labelmap(1)[0].equals(expected)
    service.stop()
