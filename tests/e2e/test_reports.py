"""Results in the viewer: what stock OHIF makes of the stored documents, and what our panel says of measurements."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.conftest import Stage
from tests.e2e.panel import RESULT_IS, Panel
from tests.e2e.test_prompts import middle_of
from tests.e2e.viewer import Viewer
from tests.readers.acceptances import blob

from delineate.client import Client

pytestmark = pytest.mark.timeout(900)

NAME = {
    "label": "Left kidney",
    "category": {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"},
    "laterality": {"value": "7771000", "scheme": "SCT", "meaning": "Left"},
}
REPORTS = """() => window.services.displaySetService.getActiveDisplaySets()
  .filter(one => one.Modality === 'SR')
  .map(({SeriesInstanceUID}) => SeriesInstanceUID)"""
THUMBNAIL_OF_REPORT = """(uid) => window.services.displaySetService.getActiveDisplaySets()
  .filter(set => set.SOPInstanceUID === uid).map(set => `thumbnail-${set.displaySetInstanceUID}`)
  .find(id => document.getElementById(id) !== null)"""
LINES = """() => window.cornerstoneTools.annotation.state.getAllAnnotations()
  .some(({metadata}) => metadata.toolName === 'DICOMSRDisplay')"""
BOTH_THERE = f"() => ({REPORTS})().length === 2"
NAMED = """({number}) => window.delineate.controller.getState().session.segments
  .some(one => one.number === number && one.type !== null)"""
MEASUREMENTS = "() => window.services.measurementService.getMeasurements().length"


def test_the_reports_are_listed_and_disturb_nothing(
    stage: Stage, viewer: Viewer, client: Client, screenshots: Path
) -> None:
    series = stage.store()
    session = client.open_session(series.study_uid, series.series_uid)
    session.add_segment(**NAME)
    k, j, i = middle_of(series)
    rows, columns = series.voxels.shape[1:]
    session.set_labelmap(1, blob(series.voxels.shape, (k / len(series.voxels), j / rows, i / columns), 0.2))
    session.prompt(1, "point", [(series.affine @ (k, j, i, 1))[:3]])
    result = client.wait_for_result(session.accept()["id"])
    assert [document["state"] for document in result["documents"]] == ["stored", "stored"]
    viewer.open(series.study_uid)
    viewer.until(BOTH_THERE)
    found = set(viewer.evaluate(REPORTS))
    assert found == {document["series_instance_uid"] for document in result["documents"]}
    assert viewer.evaluate(MEASUREMENTS) == 0, "nothing is taken for a measurement that somebody drew"
    viewer.screenshot(screenshots / "viewer-8-reports.png")

    viewer.open(series.study_uid, "viewer")
    viewer.until(BOTH_THERE)
    thumbnail = viewer.until(THUMBNAIL_OF_REPORT, result["documents"][0]["sop_instance_uid"])
    viewer.call("doubleClickOn", selector=f'[id="{thumbnail}"]')
    (measured,) = session.measurements()["segments"]
    found = measured["measurements"]
    said = f"Volume: {found['volume_ml']:.2f} cm3"
    longest = f"L: : {found['in_plane']['longest']['length_mm']:.2f} mm"
    viewer.until(LINES)
    viewer.look(viewer.viewports()[0]["id"], found["in_plane"]["longest"]["ends"][0])
    viewer.until("(words) => words.every(word => document.body.textContent.includes(word))", [said, longest])
    assert not viewer.evaluate("() => document.body.innerText.includes('Something went wrong')")
    viewer.screenshot(screenshots / "stock-report.png")


def test_the_panel_measures_exports_and_lists_versions(
    stage: Stage, viewer: Viewer, client: Client, screenshots: Path
) -> None:
    panel = Panel(viewer, client, stage.store())
    panel.start("stack")
    viewport = viewer.viewports()[0]["id"]
    viewer.scroll_to(viewport, panel.at(middle_of(panel.series)))
    panel.key("p")
    panel.click(viewport, middle_of(panel.series))
    number = panel.active
    panel.session.change_segment(number, **NAME)
    viewer.until(NAMED, {"number": number})
    viewer.press("delineate-measurements-toggle")
    viewer.appears("delineate-measurements-table")
    (measured,) = panel.session.measurements()["segments"]
    found, plane = measured["measurements"], measured["measurements"]["in_plane"]
    lengths = (plane["longest"]["length_mm"], plane["perpendicular"]["length_mm"])
    assert viewer.texts("delineate-measure-in-plane") == ["{:.1f} × {:.1f} mm".format(*lengths)]
    assert viewer.texts("delineate-measure-in-space") == [f"{found['longest']['length_mm']:.1f} mm"]
    assert viewer.texts("delineate-measure-mean")[0].endswith(" HU")
    viewer.screenshot(screenshots / "viewer-9-measurements.png")
    viewer.press("delineate-export-toggle")
    viewer.press("delineate-export-start")
    viewer.appears("delineate-exported")
    assert viewer.texts("delineate-exported") == ["Saved with your downloads"]
    viewer.press("delineate-accept")
    viewer.until(RESULT_IS, "stored")
    viewer.press("delineate-versions-toggle")
    viewer.appears("delineate-version")
    (listed,) = viewer.texts("delineate-version")
    assert listed.startswith("Version 1 · newest")
    assert "1 segment: Left kidney" in listed
