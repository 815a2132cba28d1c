"""What the extension does in the viewer, without a session: drawings come out, voxels go in."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.e2e.viewer import Viewer
from tests.phantoms.series import PhantomSeries, make_series

from delineate.demo.gateway import Gateway
from delineate.demo.layout import REPOSITORY
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port
from delineate.demo.upload import archive_client

LIMIT_S = 600
SHAPE = (24, 64, 72)
SPACING = (3.0, 1.25, 1.25)
Block = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
BLOCK: Block = ((6, 15), (20, 37), (25, 52))
"""Voxels of the region that is written, half-open (k, j, i)."""
MOVED_BLOCK: Block = ((8, 13), (24, 50), (15, 42))
"""Another region that holds the same middle."""
CENTRE = (10, 28, 38)
EDGE_VOXELS = 0.75
"""Positions this close to a face of the region are left out: the picture is interpolated there."""
LEAST_RED = 20
"""How much more red than green a painted pixel has; the images are grey."""
POSITION_TOLERANCE_MM = 1.3
"""One screen pixel of these small images, rounded to a pixel by the mouse."""

OPEN_CANVAS = """async ({slices, shape}) => {
  const {host} = window.delineate;
  window.testCanvas = await host.openCanvas(host.activeSeries(), slices, shape);
}"""
PUT = """async ({segment}) => {
  await window.testCanvas.putSegment(segment);
  window.testCanvas.activateSegment(segment.number);
}"""
REPLACE = """async ({number, box}) => {
  const size = box.reduce((count, [from, to]) => count * (to - from), 1);
  return window.testCanvas.replace(number, {box, voxels: new Uint8Array(size).fill(1)});
}"""
READ_BOX = "({number}) => window.testCanvas.read(number).box"
LISTEN = """() => {
  window.testDrawings = [];
  window.delineate.host.onDrawing(drawing =>
    window.testDrawings.push({...drawing, delay: performance.now() - drawing.finishedAt}));
}"""
ACTIVE_VIEWPORT = "() => window.services.viewportGridService.getActiveViewportId()"
LITTER = """() => [window.services.measurementService.getMeasurements().length,
  window.cornerstoneTools.annotation.state.getAllAnnotations()
    .filter(({metadata}) => !['Crosshairs', 'ReferenceLines'].includes(metadata.toolName)).length]"""
PRIMARY_TOOLS = """() => [...new Set(window.cornerstoneTools.ToolGroupManager.getAllToolGroups()
  .filter(group => group.hasTool('StackScroll')).map(group => group.getActivePrimaryMouseButtonTool()))]"""
ALL_SHOW = """({viewports, labelmaps}) => {
  const {state} = window.cornerstoneTools.segmentation;
  const shown = window.cornerstone.getRenderingEngines().flatMap(engine => engine.getViewports())
    .map(({id}) => state.getSegmentationRepresentations(id).length);
  return shown.length === viewports && shown.every(count => count === labelmaps);
}"""
LEAST_DOUBLE_CLICK_MS = 300
"""Cornerstone's own wait for a double click is 400 ms."""

pytestmark = pytest.mark.timeout(LIMIT_S)


@pytest.fixture(scope="module")
def viewer(orthanc: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """Return a browser in front of an archive; there is no service behind the gateway."""
    gateway = Gateway(
        tmp_path_factory.mktemp("gateway"),
        free_port(),
        orthanc.http_port,
        orthanc.username,
        orthanc.password,
        free_port(),
        REPOSITORY / ".cache" / "ohif" / "dist",
    )
    with gateway, Viewer(gateway.url) as browser:
        yield browser


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Return where pictures go."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


def stored(orthanc: OrthancServer, **options: Any) -> PhantomSeries:
    """Make a series and put it into the archive."""
    series = make_series(shape=SHAPE, spacing=SPACING, **options)
    client = archive_client(orthanc.dicomweb_url, orthanc.username, orthanc.password)
    client.store_instances(list(series.datasets))
    return series


ORIENTATIONS = [
    {"orientation": "axial"},
    {"orientation": "sagittal"},
    {"orientation": "oblique", "reversed_numbering": True, "shuffled": True},
]


@pytest.mark.parametrize("options", ORIENTATIONS, ids=lambda options: options["orientation"])
@pytest.mark.parametrize("layout", ["stack", "mpr"])
def test_written_voxels_are_where_they_belong(
    viewer: Viewer, orthanc: OrthancServer, screenshots: Path, options: dict[str, Any], layout: str
) -> None:
    series = stored(orthanc, **options)
    open_with_canvas(viewer, series, layout)
    put_segment(viewer, 1, "First", (230, 60, 60))
    name = f"{options['orientation']}-{layout}"
    for block in (BLOCK, MOVED_BLOCK):
        timing = viewer.evaluate(REPLACE, {"number": 1, "box": block})
        assert timing["write"] > 0
        expected = np.zeros(SHAPE, np.bool_)
        expected[tuple(slice(*span) for span in block)] = True
        np.testing.assert_array_equal(viewer.labelmaps(series.slices, SHAPE[1:])["First"], expected)
        assert viewer.evaluate(READ_BOX, {"number": 1}) == [list(span) for span in block]
        for viewport in viewer.viewports():
            viewer.screenshot(screenshots / f"{name}-{viewport['id']}.png", viewport["id"])
            assert_painted_inside(viewer, viewport["id"], series, block)
    assert viewer.errors == []


def assert_painted_inside(viewer: Viewer, viewport_id: str, series: PhantomSeries, block: Block) -> None:
    """Compare the colours on the screen with the block, over the plane through its middle."""
    centre = patient(series, CENTRE)
    viewer.look(viewport_id, centre)
    (viewport,) = (v for v in viewer.viewports() if v["id"] == viewport_id)
    points = plane_through(centre, viewport["normal"])
    indices = np.linalg.solve(series.affine, np.c_[points, np.ones(len(points))].T)[:3].T
    low, high = np.transpose(block)
    # Distance of the nearest face, in voxels, inside of it positive; voxels reach half a step beyond their centres.
    depth = np.minimum(indices - (low - 0.5), (high - 0.5) - indices).min(axis=1)
    in_volume = ((indices >= 0) & (indices <= np.array(SHAPE) - 1)).all(axis=1)
    clear = in_volume & (abs(depth) > EDGE_VOXELS)
    colours = viewer.colours_at(viewport_id, points[clear].tolist())
    reddish = colours[:, 0] - colours[:, 1] > LEAST_RED
    assert 20 < reddish.sum() < reddish.size - 20
    np.testing.assert_array_equal(reddish, depth[clear] > 0)


def plane_through(centre: list[float], normal: list[float]) -> npt.NDArray[np.float64]:
    """Return a lattice of positions (n, 3), LPS mm, in the plane."""
    across = np.linalg.svd(np.asarray(normal)[np.newaxis])[2][1:]
    steps = np.arange(-30, 31, 2.0)
    lattice = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    points: npt.NDArray[np.float64] = np.asarray(centre) + lattice @ across
    return points


def patient(series: PhantomSeries, index: tuple[float, float, float]) -> list[float]:
    """Return the centre of a voxel (k, j, i) in LPS mm."""
    return [float(value) for value in (series.affine @ (*index, 1))[:3]]


def open_with_canvas(viewer: Viewer, series: PhantomSeries, layout: str) -> None:
    query = {"hangingProtocolId": "mpr"} if layout == "mpr" else {}
    viewer.open(series.study_uid, **query)
    slices = [{"sopInstanceUid": uid, "frameNumber": frame} for uid, frame in series.slices]
    viewer.evaluate(OPEN_CANVAS, {"slices": slices, "shape": SHAPE})


def put_segment(viewer: Viewer, number: int, label: str, colour: tuple[int, int, int]) -> None:
    segment = {"number": number, "label": label, "colour": colour, "visible": True, "locked": False}
    viewer.evaluate(PUT, {"segment": segment})


@pytest.fixture
def drawn(viewer: Viewer, orthanc: OrthancServer) -> PhantomSeries:
    """Open an axial series in three planes, listen for drawings, and arm the point tool by its key."""
    series = stored(orthanc)
    viewer.open(series.study_uid, hangingProtocolId="mpr")
    viewer.evaluate(LISTEN)
    viewer.key("p")
    return series


def drawings(viewer: Viewer) -> list[dict[str, Any]]:
    """Return the drawings so far, each with its way from the mouse to the listener in milliseconds."""
    found: list[dict[str, Any]] = viewer.evaluate("() => window.testDrawings")
    return found


def test_a_click_is_a_point_at_once_and_never_lost(viewer: Viewer, drawn: PhantomSeries) -> None:
    index = (10, 28, 38)
    before = viewer.evaluate(LITTER)
    for viewport in reversed(viewer.viewports()):
        viewer.look(viewport["id"], patient(drawn, index))
        viewer.click(viewport["id"], patient(drawn, index))
        point = drawings(viewer)[-1]
        assert math.dist(point["points"][0], patient(drawn, index)) < POSITION_TOLERANCE_MM
        assert abs(np.dot(point["planeNormal"], viewport["normal"])) == pytest.approx(1)
        assert point["frameOfReferenceUid"] == drawn.frame_of_reference_uid
        assert point["seriesInstanceUid"] == drawn.series_uid
        assert point["delay"] < LEAST_DOUBLE_CLICK_MS
        assert viewer.evaluate(ACTIVE_VIEWPORT) == viewport["id"]
    assert len(drawings(viewer)) == 3
    sources = {one.get("sopInstanceUid") for one in drawings(viewer)}
    assert sources == {None, drawn.slices[index[0]][0]}, "the acquired image, where the plane is one"
    assert viewer.evaluate(LITTER) == before


def test_a_drawing_is_on_its_own_slice_until_it_is_taken_away(viewer: Viewer, drawn: PhantomSeries) -> None:
    viewport_id = "mpr-axial"
    viewer.look(viewport_id, patient(drawn, (10, 28, 38)))
    viewer.key("l")
    outline = [(10, 20, 30), (10, 20, 45), (10, 35, 45), (10, 35, 30)]
    viewer.drag(viewport_id, [patient(drawn, index) for index in outline])
    (shown,) = viewer.prompts(viewport_id)
    assert (shown["kind"], shown["include"]) == ("lasso", True)
    viewer.look(viewport_id, patient(drawn, (12, 28, 38)))
    assert viewer.prompts(viewport_id) == []
    viewer.look(viewport_id, patient(drawn, (10, 28, 38)))
    assert viewer.prompts(viewport_id) == [shown]
    for drawings_shown, is_visible in (("window.testDrawings", "false"), ("[]", "true")):
        viewer.evaluate(f"() => window.delineate.host.showPrompts({drawings_shown}, {is_visible})")
        assert viewer.prompts(viewport_id) == []


def test_slips_escape_and_other_buttons_draw_nothing(viewer: Viewer, drawn: PhantomSeries) -> None:
    centre = patient(drawn, (10, 28, 38))
    viewer.look("mpr-axial", centre)
    viewer.call("click", viewportId="mpr-axial", point=centre, modifiers=["Shift"])
    viewer.call("click", viewportId="mpr-axial", point=centre, button="right")
    viewer.call("click", viewportId="mpr-axial", point=centre, button="middle")
    viewer.key("b")
    viewer.click("mpr-axial", centre)
    viewer.call("dragAndEscape", viewportId="mpr-axial", points=[centre, patient(drawn, (10, 35, 45))])
    assert drawings(viewer) == []
    assert viewer.prompts("mpr-axial") == []


def test_the_mouse_goes_back_to_the_viewer(viewer: Viewer, drawn: PhantomSeries) -> None:
    assert viewer.evaluate(PRIMARY_TOOLS) == ["DelineatePrompt"]
    viewer.key("p")
    assert viewer.evaluate(PRIMARY_TOOLS) == ["WindowLevel"]
    viewer.key("s")
    assert viewer.evaluate(PRIMARY_TOOLS) == ["DelineatePrompt"]
    viewer.press("Zoom")
    assert viewer.evaluate("() => window.delineate.controller.getState().tool") is None
    assert viewer.evaluate(PRIMARY_TOOLS) == ["Zoom"]
    viewer.drag("mpr-axial", [patient(drawn, (10, 28, 30)), patient(drawn, (10, 28, 45))])
    assert drawings(viewer) == []


def test_an_oblique_view_is_turned_onto_the_nearest_slice(viewer: Viewer, drawn: PhantomSeries) -> None:
    geometry = {
        "shape": SHAPE,
        "affine": drawn.affine.tolist(),
        "frameOfReferenceUid": drawn.frame_of_reference_uid,
    }
    plane = "geometry => window.delineate.host.plane(geometry)"
    centre = patient(drawn, (10.3, 28, 38))
    assert viewer.evaluate(plane, geometry) == "aligned"
    tilted = [0.0, -math.sin(0.3), -math.cos(0.3)]
    viewer.look("mpr-axial", centre, tilted, [0.0, -math.cos(0.3), math.sin(0.3)])
    viewer.click("mpr-axial", centre)
    assert "sopInstanceUid" not in drawings(viewer)[-1]
    assert viewer.evaluate(plane, geometry) == "oblique"
    viewer.evaluate("geometry => window.delineate.host.turnToNearestSlicePlane(geometry)", geometry)
    assert viewer.evaluate(plane, geometry) == "aligned"
    viewer.click("mpr-axial", patient(drawn, (10, 28, 38)))
    assert drawings(viewer)[-1]["sopInstanceUid"] == drawn.slices[10][0]
    assert viewer.evaluate(plane, geometry | {"frameOfReferenceUid": "1.2.3"}) == "none"


def test_labelmaps_follow_a_change_of_layout(viewer: Viewer, orthanc: OrthancServer, screenshots: Path) -> None:
    series = stored(orthanc)
    open_with_canvas(viewer, series, "stack")
    put_segment(viewer, 1, "First", (230, 60, 60))
    put_segment(viewer, 2, "Second", (60, 60, 230))
    viewer.evaluate(REPLACE, {"number": 1, "box": BLOCK})
    viewer.evaluate(REPLACE, {"number": 2, "box": MOVED_BLOCK})
    viewer.evaluate("() => window.commandsManager.runCommand('setHangingProtocol', {protocolId: 'mpr'})")
    viewer.until(ALL_SHOW, {"viewports": 3, "labelmaps": 2})
    viewer.call("rendered")
    found = viewer.labelmaps(series.slices, (SHAPE[1], SHAPE[2]))
    assert {label: int(voxels.sum()) for label, voxels in found.items()} == {
        "First": volume(BLOCK),
        "Second": volume(MOVED_BLOCK),
    }
    viewer.evaluate("() => window.testCanvas.close()")
    assert viewer.labelmaps(series.slices, (SHAPE[1], SHAPE[2])) == {}
    viewer.screenshot(screenshots / "host-after-close.png")
    assert viewer.errors == []


def volume(block: Block) -> int:
    return math.prod(end - start for start, end in block)
