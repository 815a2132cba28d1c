"""The viewer's browser-side session against the real service: what the viewer shows is what the service has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.archive_tools import store_instances, store_series
from tests.conftest import tiny_service_in
from tests.drawing import Drawn, draw
from tests.phantoms import PhantomSeries, make_kind, make_series
from tests.readers.acceptances import blob
from tests.readers.foreign_segs import as_bytes as foreign_bytes
from tests.readers.foreign_segs import foreign_seg
from tests.service import ServiceProcess
from tests.tiny_model import write_tiny_model
from tests.viewer_session import ViewerSession, bundle_driver

from delineate.client import Client
from delineate.demo.orthanc import OrthancServer

SHAPE = (12, 40, 160)
"""Has room for prompts that do not lie in one crop."""
SPOTS = ((4, 24, 20), (5, 20, 80), (6, 18, 140))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, spacing=(1.0, 1.0, 1.0), modality="MR", half_axes=(6.0, 19.0, 78.0))
    store_series(orthanc, series)
    return series


@pytest.fixture(scope="module")
def near_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that grows a few voxels around each prompt, in one pass."""
    return write_tiny_model(tmp_path_factory.mktemp("near") / "model", reach=7)


@pytest.fixture(scope="module")
def running(
    orthanc: OrthancServer, near_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    process = tiny_service_in(tmp_path_factory.mktemp("near-service"), orthanc, near_model)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def viewer(driver: Path, running: ServiceProcess, series: PhantomSeries) -> Iterator[ViewerSession]:
    with ViewerSession(driver, series, running.url) as viewer:
        yield viewer


def drawn_at(series: PhantomSeries, spot: tuple[int, int, int], kind: str = "point", *, include: bool = True) -> Drawn:
    return draw(kind, spot, 0, series.affine, series.frame_of_reference_uid, include=include)


def of_service(running: ServiceProcess, state: dict[str, Any], segment: int = 1) -> Any:
    """Return the labelmap and the segment that the service has."""
    with Client(running.url) as client:
        session = client.session(state["session"]["id"])
        described = next(s for s in session.info["segments"] if s["number"] == segment)
        return session.labelmap(segment)[0].to_array(), described


def assert_shown(viewer: ViewerSession, running: ServiceProcess, segment: int = 1) -> int:
    """Assert that the viewer shows what the service has, and return how many voxels that are."""
    state = viewer.settled()
    expected, described = of_service(running, state, segment)
    viewer.until(f"s.session.segments.find(x => x.number === {segment}).revision === {described['revision']}")
    np.testing.assert_array_equal(viewer.voxels(segment), expected)
    shown = next(s for s in viewer.do("state")["session"]["segments"] if s["number"] == segment)
    assert shown["volumeMl"] == pytest.approx(described["volume_ml"])
    assert (shown["canUndo"], shown["canRedo"]) == (described["can_undo"], described["can_redo"])
    assert viewer.do("viewer")["prompts"] == [p["id"] for p in described["prompts"] if p["kind"] != "labelmap"]
    return int(expected.sum())


def test_every_kind_of_prompt_is_painted_as_the_service_has_it(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    state = viewer.start()
    assert state["model"]["id"]
    viewer.until("s.preload.state === 'ready' && s.preload.done === 12 && s.preload.total === 12")
    counts = []
    for n, kind in enumerate(("point", "box", "scribble", "lasso")):
        viewer.draw(drawn_at(series, SPOTS[n % 3], kind, include=n != 3))
        counts.append(assert_shown(viewer, running))
    assert counts[0] > 0
    assert len(set(counts)) > 2
    measured = [m for m in viewer.do("measures") if m["name"] == "delineate:render"]
    assert len(measured) == 4
    names = {m["name"].removeprefix("delineate:") for m in viewer.do("measures")}
    assert names == {"event", "request", "service", "decode", "write", "render"}


def test_quick_prompts_are_sent_in_order_and_painted_in_order(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    ids = [viewer.draw(drawn_at(series, SPOTS[n % 3], include=n % 4 != 3)) for n in range(8)]
    assert assert_shown(viewer, running) > 0
    _, described = of_service(running, viewer.do("state"))
    assert [p["id"] for p in described["prompts"]] == ids
    assert viewer.do("state")["session"]["segments"][0]["revision"] == 8


def test_replies_that_come_in_the_wrong_order_are_painted_in_the_right_one(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.do("network", do="hold", pattern="/prompts$|/events$")
    viewer.start()
    for spot in SPOTS[:2]:
        viewer.draw(drawn_at(series, spot))
    viewer.until("n.heldCount === 3 && s.unsent === 0")
    assert not viewer.voxels().any()
    viewer.do("network", do="releaseReversed")
    assert assert_shown(viewer, running) > 0
    assert not any(w["full"] for w in viewer.do("viewer")["writes"])


def test_undo_and_redo_by_panel_and_by_the_viewers_history_are_one_step_each(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    levels = [viewer.voxels()]
    for spot in SPOTS:
        viewer.draw(drawn_at(series, spot))
        assert_shown(viewer, running)
        levels.append(viewer.voxels())

    def after(how: str, what: str, level: int) -> None:
        state = viewer.do("state")["session"]["segments"][0]
        if how == "panel":
            viewer.act(what)
        else:
            viewer.do("press", key=what)
        viewer.until(f"s.session.segments[0].revision > {state['revision']}")
        assert_shown(viewer, running)
        np.testing.assert_array_equal(viewer.voxels(), levels[level])

    after("panel", "undo", 2)
    after("viewer", "undo", 1)
    after("viewer", "redo", 2)
    after("panel", "redo", 3)
    after("viewer", "undo", 2)
    after("viewer", "undo", 1)
    after("viewer", "undo", 0)
    after("panel", "redo", 1)
    after("panel", "undo", 0)
    after("panel", "redo", 1)
    viewer.act("resetSegment", 1)
    viewer.until("s.session.segments[0].volumeMl === 0")
    assert assert_shown(viewer, running) == 0
    after("viewer", "undo", 1)


def test_a_brush_edit_is_sent_and_the_next_prompt_builds_on_it(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    viewer.draw(drawn_at(series, SPOTS[0]))
    assert_shown(viewer, running)
    viewer.do("brush", segment=1, box=[[2, 5], [10, 20], [60, 75]], value=1)
    painted = viewer.voxels()
    assert_shown(viewer, running)
    np.testing.assert_array_equal(viewer.voxels(), painted)
    viewer.draw(drawn_at(series, SPOTS[2]))
    assert_shown(viewer, running)
    assert viewer.voxels()[2:5, 10:20, 60:75].all()
    viewer.act("undo")
    viewer.until("s.session.segments[0].revision === 4")
    np.testing.assert_array_equal(viewer.voxels(), painted)
    viewer.do("press", key="undo")
    viewer.until("s.session.segments[0].revision === 5")
    assert_shown(viewer, running)
    assert not viewer.voxels()[2:5, 10:20, 60:75].all()


def test_a_stroke_between_quick_prompts_keeps_its_place(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    before = viewer.draw(drawn_at(series, SPOTS[0]))
    viewer.do("brush", segment=1, box=[[2, 5], [10, 20], [60, 75]], value=1)
    behind = viewer.draw(drawn_at(series, SPOTS[2]))
    assert_shown(viewer, running)
    assert viewer.voxels()[2:5, 10:20, 60:75].all()
    _, described = of_service(running, viewer.do("state"))
    assert [p["kind"] for p in described["prompts"]] == ["point", "labelmap", "point"]
    assert [described["prompts"][n]["id"] for n in (0, 2)] == [before, behind]


def test_a_refused_drawing_is_taken_away_and_the_reason_shown_on_its_segment(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    kept = viewer.draw(drawn_at(series, SPOTS[0]))
    assert_shown(viewer, running)
    viewer.draw(drawn_at(series, (400, 24, 20)))
    state = viewer.until("s.session.segments[0].problem !== null")
    assert state["session"]["segments"][0]["problem"]["title"] == "Drawn outside the images"
    assert "Draw inside the images" in state["session"]["segments"][0]["problem"]["detail"]
    assert viewer.do("viewer")["prompts"] == [kept]
    assert assert_shown(viewer, running) > 0
    viewer.act("dismissProblem")
    viewer.until("s.session.segments[0].problem === null")


def test_collected_prompts_run_on_demand_and_can_be_taken_back_one_by_one(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.act("changeSettings", {"mode": "collect"})
    viewer.start()
    ids = [viewer.draw(drawn_at(series, spot)) for spot in SPOTS]
    viewer.until("s.session.segments[0].collected === 3 && s.session.segments[0].running === 0")
    assert not viewer.voxels().any()
    viewer.act("undo")
    viewer.until("s.session.segments[0].collected === 2")
    viewer.until(f"v.shown.drawings.map(d => d.id).join() === '{ids[0]},{ids[1]}'")
    viewer.act("run")
    viewer.until("s.session.segments[0].collected === 0 && s.session.segments[0].revision > 0")
    assert assert_shown(viewer, running) > 0


def test_segments_are_made_described_hidden_locked_and_deleted(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    found = viewer.act("searchTerminology", "liver", "types")
    entry = next(e for e in found if e["type"]["meaning"].lower() == "liver")
    viewer.act("describeSegment", 1, {name: entry[name] for name in ("label", "category", "type")})
    viewer.draw(drawn_at(series, SPOTS[0]))
    viewer.act("nextSegment")
    state = viewer.until("s.session.activeSegment === 2")
    assert [s["label"] for s in state["session"]["segments"]] == [entry["label"], "Segment 2"]
    viewer.draw(drawn_at(series, SPOTS[1]))
    assert assert_shown(viewer, running, 2) > 0
    np.testing.assert_array_equal(viewer.voxels(1), of_service(running, state, 1)[0])
    viewer.act("setVisible", 1, False)
    viewer.act("describeSegment", 2, {"locked": True, "colour": [1, 2, 3]})
    shown = {s["number"]: s for s in viewer.do("viewer")["segments"]}
    assert (shown[1]["visible"], shown[1]["label"]) == (False, entry["label"])
    assert (shown[2]["locked"], shown[2]["colour"]) == (True, [1, 2, 3])
    viewer.draw(drawn_at(series, SPOTS[2]))
    state = viewer.until("s.session.segments[1].problem !== null")
    assert state["session"]["segments"][1]["problem"]["title"] == "The segment is locked"
    viewer.act("deleteSegment", 1)
    state = viewer.until("s.session.segments.length === 1")
    assert state["session"]["segments"][0]["number"] == 2
    viewer.act("nextSegment")
    assert viewer.until("s.session.activeSegment === 3")["session"]["segments"][1]["label"] == "Segment 3"


def test_another_window_follows_what_this_one_does(
    driver: Path, viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    state = viewer.start()
    viewer.draw(drawn_at(series, SPOTS[0]))
    assert_shown(viewer, running)
    with ViewerSession(driver, series, running.url) as other:
        other.until("s.resumable.length > 0")
        other.act("resume", state["session"]["id"])
        other.until("s.session?.activeSegment === 1")
        assert assert_shown(other, running) > 0
        other.draw(drawn_at(series, SPOTS[1]))
        viewer.until("s.session.segments[0].revision === 2")
        assert_shown(viewer, running)
        viewer.act("undo")
        other.until("s.session.segments[0].revision === 3")
        assert_shown(other, running)
        viewer.act("nextSegment")
        other.until("s.session.segments.length === 2")
        viewer.act("deleteSegment", 2)
        other.until("s.session.segments.length === 1")


@pytest.fixture
def own_service(orthanc: OrthancServer, near_model: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service that a test may kill."""
    process = tiny_service_in(tmp_path, orthanc, near_model)
    process.start()
    yield process
    process.stop()


def test_a_killed_service_and_a_reloaded_page_lose_nothing(
    driver: Path, own_service: ServiceProcess, series: PhantomSeries
) -> None:
    with ViewerSession(driver, series, own_service.url) as viewer:
        state = viewer.start()
        ids = [viewer.draw(drawn_at(series, SPOTS[0]))]
        assert_shown(viewer, own_service)

        # killed with prompts on their way, and drawn on while it is away
        ids += [viewer.draw(drawn_at(series, spot)) for spot in SPOTS]
        own_service.kill()
        offline = viewer.until("s.connection === 'offline'")
        assert offline["connectionProblem"]["type"] == "offline"
        ids.append(viewer.draw(drawn_at(series, SPOTS[2], "box")))
        unwanted = viewer.draw(drawn_at(series, SPOTS[1], "box"))
        viewer.act("undo")
        viewer.do("brush", segment=1, box=[[2, 5], [10, 20], [60, 75]], value=1)
        assert viewer.do("state")["unsent"] >= 2
        own_service.start()
        viewer.until("s.connection === 'online' && s.unsent === 0")
        assert assert_shown(viewer, own_service) > 0
        _, described = of_service(own_service, state)
        assert [p["id"] for p in described["prompts"] if p["kind"] != "labelmap"] == ids
        assert unwanted not in ids
        assert described["prompts"][-1]["kind"] == "labelmap"

        # the page is reloaded while the service is away and something was drawn
        own_service.kill()
        ids.append(viewer.draw(drawn_at(series, SPOTS[0], "scribble")))
        ids.append(viewer.draw(drawn_at(series, SPOTS[1], "lasso")))
        viewer.until("s.connection === 'offline' && s.unsent === 2")
        viewer.do("leave")
        viewer.open()
        own_service.start()
        offered = viewer.until("s.resumable.length === 1 && s.unsent === 2")["resumable"][0]
        assert (offered["id"], offered["segments"]) == (state["session"]["id"], ["Segment 1"])
        viewer.act("resume", offered["id"])
        assert assert_shown(viewer, own_service) > 0
        _, described = of_service(own_service, state)
        assert [p["id"] for p in described["prompts"] if p["kind"] != "labelmap"] == ids
        assert viewer.do("viewer")["stored"] == 0

        # the viewer's own history reaches the steps of before
        revision = described["revision"]
        viewer.do("press", key="undo")
        viewer.until(f"s.session.segments[0].revision === {revision + 1}")
        assert_shown(viewer, own_service)


def test_a_cut_network_keeps_the_order_and_sends_nothing_twice(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    viewer.do("network", do="hold", pattern="/prompts$")
    ids = [viewer.draw(drawn_at(series, SPOTS[0]))]
    viewer.until("n.heldCount === 1 && s.unsent === 0")
    viewer.do("network", do="cut")
    ids += [viewer.draw(drawn_at(series, spot)) for spot in SPOTS]
    viewer.until("s.connection === 'offline' && s.unsent === 3")
    viewer.act("undo")
    ids.pop()
    viewer.until("s.unsent === 2")
    viewer.do("network", do="restore")
    viewer.do("network", do="releaseReversed")
    viewer.act("reconnect")
    assert assert_shown(viewer, running) > 0
    _, described = of_service(running, viewer.do("state"))
    assert [p["id"] for p in described["prompts"]] == ids
    assert described["revision"] == len(ids)


def test_closing_keeps_what_was_not_stored_and_closes_what_was_empty(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    first = viewer.start()["session"]["id"]
    viewer.act("close")
    assert viewer.do("state")["session"] is None
    second = viewer.start()["session"]["id"]
    viewer.draw(drawn_at(series, SPOTS[0]))
    assert_shown(viewer, running)
    viewer.act("close")
    with Client(running.url) as client:
        open_ids = [s["id"] for s in client.sessions(series.study_uid)]
    assert first not in open_ids
    assert second in open_ids
    assert viewer.until(f"s.resumable.some(r => r.id === '{second}')")["session"] is None


def test_a_fused_drawing_is_taken_by_its_position(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    viewer.draw(drawn_at(series, SPOTS[0]), seriesInstanceUid="1.2.3", sopInstanceUid="1.2.3.4", frameNumber=7)
    assert "another series" in viewer.until("s.notice !== null")["notice"]
    assert assert_shown(viewer, running) > 0


def test_a_drawing_without_a_session_opens_one(
    viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.until("s.connection === 'online'")
    made = viewer.draw(drawn_at(series, SPOTS[0]))
    viewer.until("s.session?.segments[0]?.revision === 1")
    assert assert_shown(viewer, running) > 0
    assert viewer.do("viewer")["prompts"] == [made]


def test_what_is_accepted_is_stored_shown_and_opened_again(
    driver: Path, viewer: ViewerSession, running: ServiceProcess, series: PhantomSeries
) -> None:
    viewer.start()
    viewer.draw(drawn_at(series, SPOTS[0]))
    viewer.act("accept")
    problem = viewer.do("state")["session"]["problem"]
    assert problem["title"] == "A segment has no coded name"
    entry = viewer.act("searchTerminology", "liver", "types")[0]
    viewer.act("describeSegment", 1, {name: entry[name] for name in ("label", "category", "type")})
    viewer.act("accept")
    result = viewer.until("s.session.result?.state === 'stored'")["session"]["result"]
    assert viewer.do("state")["session"]["problem"] is None
    viewer.act("showResult")
    assert viewer.do("viewer")["results"] == [result["sopInstanceUid"]]
    stored = {
        "seriesInstanceUid": result["seriesInstanceUid"],
        "sopInstanceUid": result["sopInstanceUid"],
        "displaySetInstanceUid": "display-set-2",
        "description": "",
        "referencedSeriesInstanceUid": series.series_uid,
    }
    accepted = viewer.voxels()
    with ViewerSession(driver, series, running.url) as other:
        other.until("s.connection === 'online'")
        other.act("openStored", stored)
        state = other.until("s.session?.state === 'ready' || s.session?.problem")
        assert state["session"]["openedFrom"] == {"sopInstanceUid": result["sopInstanceUid"], "readOnly": None}
        assert [s["label"] for s in state["session"]["segments"]] == [entry["label"]]
        np.testing.assert_array_equal(other.voxels(), accepted)
        other.draw(drawn_at(series, SPOTS[2]))
        assert assert_shown(other, running) > accepted.sum()


def test_a_series_of_several_volumes_is_opened_on_the_one_that_was_chosen(
    driver: Path, orthanc: OrthancServer, running: ServiceProcess
) -> None:
    several = make_kind("echo-time", shape=(6, 20, 24))
    store_series(orthanc, several)
    with ViewerSession(driver, several.volumes[1], running.url) as viewer:
        viewer.until("s.connection === 'online'")
        viewer.act("start")
        state = viewer.until("s.volumeChoices.length > 0")
        assert state["session"] is None
        assert len(state["volumeChoices"]) == 2
        assert all("6 images" in choice["description"] for choice in state["volumeChoices"])
        viewer.act("startVolume", state["volumeChoices"][1]["key"])
        state = viewer.until("s.session?.state === 'ready'")
        assert state["volumeChoices"] == []
        viewer.draw(drawn_at(several.volumes[1], (3, 10, 12)))
        assert_shown(viewer, running)
        with Client(running.url) as client:
            slices = client.session(state["session"]["id"]).info["slices"]
    assert [(s["sop_instance_uid"], s["frame_number"]) for s in slices] == list(several.volumes[1].slices)


def test_a_version_of_one_of_several_volumes_is_opened_on_that_volume(
    orthanc: OrthancServer, running: ServiceProcess
) -> None:
    several = make_kind("echo-time", shape=(6, 20, 24))
    store_series(orthanc, several)
    second = several.volumes[1]
    with Client(running.url) as client:
        masks = [blob((6, 20, 24), (0.5, 0.4, 0.5), 0.2)]
        seg = foreign_seg(second, masks)
        store_instances(orthanc, [foreign_bytes(seg)])
        session = client.open_session(
            second.study_uid, second.series_uid, segmentation_sop_instance_uid=seg.SOPInstanceUID
        )
        assert [(s["sop_instance_uid"], s["frame_number"]) for s in session.info["slices"]] == list(second.slices)
        assert np.array_equal(session.labelmap(1)[0].to_array(), masks[0])
        session.close()


def test_what_cannot_be_a_volume_is_refused_with_the_reason(driver: Path, running: ServiceProcess) -> None:
    single = make_series(shape=(1, 20, 24), modality="MR")
    with ViewerSession(driver, single, running.url) as viewer:
        state = viewer.until("s.connection === 'online' && s.preload.state === 'failed'")
        assert state["preload"]["problem"]["type"] == "series-not-found"
        viewer.act("start")
        state = viewer.until("s.session?.state === 'failed'")
        assert state["session"]["problem"]["type"] == "series-not-found"
        viewer.draw(drawn_at(single, (0, 10, 12)))
        assert viewer.do("viewer")["prompts"] == []
        viewer.act("close")
        assert viewer.do("state")["session"] is None
