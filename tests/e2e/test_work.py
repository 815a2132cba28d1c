"""A session's work, by mouse and by key: steps, segments, names, the brush, accept, and the stored result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation
from tests.e2e.conftest import Stage
from tests.e2e.panel import RESULT_IS, Panel
from tests.e2e.test_prompts import middle_of
from tests.e2e.viewer import SHOWS_STORED, Mask, Viewer
from tests.phantoms.series import PhantomSeries

from delineate.client import Client
from delineate.demo.upload import archive_client

pytestmark = pytest.mark.timeout(900)

HISTORY = "() => window.cornerstone.utilities.HistoryMemo.DefaultHistoryMemo.undoAvailable"
OTHER_COLOUR = """({number, before}) => {
  const {colour} = window.delineate.controller.getState().session.segments.find(one => one.number === number);
  return colour.some((value, n) => value !== before[n]) && colour;
}"""
COLOUR_IS = """({label, colour}) => {
  const {segmentation} = window.cornerstoneTools;
  const id = document.querySelector('[data-viewportid]').dataset.viewportid;
  const {segmentationId} = segmentation.state.getSegmentations().find(one => one.label === label);
  const shown = segmentation.config.color.getSegmentIndexColor(id, segmentationId, 1);
  return colour.every((value, n) => shown[n] === value);
}"""
VISIBLE = """() => {
  const {segmentation} = window.cornerstoneTools;
  const id = document.querySelector('[data-viewportid]').dataset.viewportid;
  return Object.fromEntries(segmentation.state.getSegmentations().map(({segmentationId, label}) => [label,
    segmentation.config.visibility.getSegmentIndexVisibility(id, {segmentationId, type: 'Labelmap'}, 1)]));
}"""
MEASUREMENTS = "() => window.services.measurementService.getMeasurements().length"


@pytest.fixture
def panel(stage: Stage, viewer: Viewer, client: Client) -> Panel:
    """Return a panel on a small axial series, with a session and one point in the ellipsoid."""
    panel = Panel(viewer, client, stage.store())
    panel.start("stack")
    viewer.scroll_to(viewport_of(viewer), panel.at(middle_of(panel.series)))
    panel.key("p")
    panel.click(viewport_of(viewer), middle_of(panel.series))
    return panel


def viewport_of(viewer: Viewer) -> str:
    identifier: str = viewer.viewports()[0]["id"]
    return identifier


def beside(series: PhantomSeries, voxels: int) -> tuple[int, int, int]:
    """Return a voxel (k, j, i) to the right of the ellipsoid's middle."""
    k, j, i = middle_of(series)
    return k, j, i + voxels


def test_steps_go_back_and_forth_by_every_button_and_key(panel: Panel) -> None:
    viewer, number = panel.viewer, panel.active
    first = panel.in_service(number)
    assert first.any()
    panel.key("t")
    panel.click(viewport_of(viewer), beside(panel.series, 5))
    second = panel.in_service(number)
    assert (first != second).any()

    back_and_forth = [
        (("press", {"test": "delineate-undo"}), ("press", {"test": "delineate-redo"})),
        (("key", {"key": "Control+z"}), ("key", {"key": "Control+Shift+z"})),
        (("key", {"key": "Control+z"}), ("key", {"key": "Control+y"})),
        (("press", {"test": "undo-btn"}), ("press", {"test": "redo-btn"})),
    ]
    revision = panel.segments[number]["revision"]
    for undo, redo in back_and_forth:
        viewer.call(undo[0], **undo[1])
        revision += 1
        panel.after(number, revision)
        np.testing.assert_array_equal(panel.in_service(number), first)
        panel.assert_shows_what_the_service_has()
        assert len(viewer.prompts(viewport_of(viewer))) == 1
        viewer.call(redo[0], **redo[1])
        revision += 1
        panel.after(number, revision)
        np.testing.assert_array_equal(panel.in_service(number), second)
        panel.assert_shows_what_the_service_has()
        assert len(viewer.prompts(viewport_of(viewer))) == 2
    panel.key("r", makes_step=True)
    assert not panel.in_viewer()[panel.segments[number]["label"]].any()
    assert viewer.evaluate(MEASUREMENTS) == 0


def test_segments_are_made_described_hidden_and_deleted(panel: Panel, screenshots: Path) -> None:
    viewer = panel.viewer
    name_segment(panel, "Liver")
    panel.key("e")
    panel.has_segments(1, 2, active=2)
    panel.click(viewport_of(viewer), beside(panel.series, 20))
    panel.assert_shows_what_the_service_has()

    before = panel.segments[2]["colour"]
    viewer.press("delineate-colour")
    viewer.press("delineate-swatch", nth=3)
    colour = viewer.until(OTHER_COLOUR, {"number": 2, "before": before})
    viewer.until(COLOUR_IS, {"label": panel.segments[2]["label"], "colour": colour})
    viewer.screenshot(screenshots / "work-two-segments.png")

    viewer.key("v")
    assert viewer.evaluate(VISIBLE) == {"Liver": True, panel.segments[2]["label"]: False}
    viewer.press("delineate-segment-visible", nth=0)
    assert viewer.evaluate(VISIBLE) == {"Liver": False, panel.segments[2]["label"]: False}

    viewer.key("Delete")
    viewer.press("delineate-delete-confirm")
    panel.has_segments(1, active=1)
    assert set(panel.in_viewer()) == {"Liver"}


def test_segments_that_overlap_keep_their_voxels_through_accept(stage: Stage, panel: Panel, screenshots: Path) -> None:
    viewer, series = panel.viewer, panel.series
    name_segment(panel, "Liver")
    panel.key("e")
    panel.has_segments(1, 2, active=2)
    panel.click(viewport_of(viewer), middle_of(series))
    name_segment(panel, "Spleen")
    expected = {number: panel.in_service(number) for number in (1, 2)}
    assert (expected[1] & expected[2]).any()
    panel.assert_shows_what_the_service_has()

    viewer.press("delineate-accept")
    viewer.until(RESULT_IS, "stored")
    viewer.screenshot(screenshots / "work-accepted.png")
    stored = stored_segmentation(stage, series)
    labels = [item.SegmentLabel for item in stored.SegmentSequence]
    assert labels == ["Liver", "Spleen"]
    for number, voxels in expected.items():
        np.testing.assert_array_equal(voxels_of(stored, series, number), voxels)

    (shown,) = in_stock_viewer(panel, stored, "Spleen").values()
    viewer.screenshot(screenshots / "work-overlap-stock-viewer.png")
    np.testing.assert_array_equal(shown, expected[1] | expected[2])
    assert viewer.segments_with_voxels() == {"Liver", "Spleen"}

    viewer.fresh()
    panel.open("stack")
    viewer.press("delineate-open-stored")
    panel.settled()
    assert [segment["label"] for segment in panel.segments.values()] == labels
    panel.assert_shows_what_the_service_has()
    for number, voxels in expected.items():
        np.testing.assert_array_equal(panel.in_service(number), voxels)


def test_a_fresh_stock_viewer_shows_the_accepted_segment(stage: Stage, panel: Panel, screenshots: Path) -> None:
    viewer = panel.viewer
    name_segment(panel, "Liver")
    expected = panel.in_service(1)
    viewer.press("delineate-accept")
    viewer.until(RESULT_IS, "stored")
    viewer.press("delineate-show-result")
    viewer.until(SHOWS_STORED, "Liver")

    (shown,) = in_stock_viewer(panel, stored_segmentation(stage, panel.series), "Liver").values()
    np.testing.assert_array_equal(shown, expected)
    viewer.screenshot(screenshots / "work-stock-viewer.png")


def in_stock_viewer(panel: Panel, stored: Segmentation, label: str) -> dict[str, Mask]:
    """Have a fresh stock viewer load a stored segmentation; return what it shows by label, axes (k, j, i)."""
    viewer = panel.viewer
    viewer.fresh()
    viewer.open(panel.series.study_uid, "viewer")
    viewer.load_stored(stored.SOPInstanceUID, label)
    return panel.in_viewer()


def test_the_brush_corrects_a_segment_and_accept_stores_what_is_seen(stage: Stage, panel: Panel) -> None:
    viewer, series, number = panel.viewer, panel.series, panel.active
    before = panel.in_service(number)
    steps = viewer.evaluate(HISTORY)
    viewer.key("Shift+b")
    k, j, i = middle_of(series)
    panel.drag(viewport_of(viewer), [(k, j - 22, i - 10), (k, j - 22, i), (k, j - 22, i + 10)])
    painted = panel.in_service(number)
    assert painted[k, j - 22, i]
    assert (painted >= before).all()
    panel.assert_shows_what_the_service_has()
    assert viewer.evaluate(HISTORY) == steps + 1
    panel.key("p")
    panel.click(viewport_of(viewer), (k, j, i - 4))
    panel.assert_shows_what_the_service_has()
    name_segment(panel, "Liver")
    shown = panel.in_viewer()["Liver"]
    viewer.press("delineate-accept")
    viewer.until(RESULT_IS, "stored")
    np.testing.assert_array_equal(voxels_of(stored_segmentation(stage, series), series, 1), shown)


def name_segment(panel: Panel, name: str) -> None:
    """Give the active segment a coded name, as a person types and picks it."""
    viewer = panel.viewer
    viewer.press("delineate-name")
    viewer.type("delineate-terminology-search", name)
    viewer.press("delineate-terminology-option", nth=0)
    viewer.until(
        "({number, name}) => window.delineate.controller.getState().session.segments"
        ".some(one => one.number === number && one.label === name && one.type)",
        {"number": panel.active, "name": name},
    )
    viewer.key("Escape")


def stored_segmentation(stage: Stage, series: PhantomSeries) -> Segmentation:
    """Fetch the one SEG of the study from the archive."""
    archive = archive_client(stage.archive.dicomweb_url, stage.archive.username, stage.archive.password)
    (found,) = archive.search_for_series(series.study_uid, search_filters={"Modality": "SEG"})
    (instance,) = archive.retrieve_series(
        series.study_uid, found["0020000E"]["Value"][0], media_types=(("application/dicom", "*"),)
    )
    return Segmentation.from_dataset(instance)


def voxels_of(segmentation: Segmentation, series: PhantomSeries, number: int) -> Mask:
    """Return a stored segment's voxels by the source images that its frames reference, axes (k, j, i)."""
    pixels = segmentation.get_pixels_by_source_instance(
        list(series.sop_uids),
        segment_numbers=[number],
        assert_missing_frames_are_empty=True,
        ignore_spatial_locations=True,
    )
    return np.asarray(pixels[..., 0] != 0)
