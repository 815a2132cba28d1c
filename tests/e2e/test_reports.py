"""Results in the viewer: what stock OHIF makes of the stored documents, and what our panel says of measurements."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

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
ROWS = """() => {
  const table = document.querySelector('[data-cy="delineate-measurements-table"]');
  table.parentElement.scrollIntoView({block: 'end'});
  const cells = [...table.querySelectorAll('td')].map(cell => [cell.dataset.cy, cell.innerText]);
  return {outdated: table.dataset.outdated, rows: Object.fromEntries(cells)};
}"""
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
    answer = panel.session.measurements()
    (measured,) = answer["segments"]
    assert answer["unit"]["value"] == "[hnsf'U]"
    expected = {f"delineate-measure-{row}": text for row, text in in_words(measured["measurements"], "HU").items()}
    assert viewer.evaluate(ROWS) == {"outdated": "false", "rows": expected}
    assert viewer.texts("delineate-segment-volume") == [expected["delineate-measure-volume"]]
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


def in_words(found: dict[str, Any], unit: str) -> dict[str, str]:
    """Return every row of the panel's table, as it has to be for measurements of the API."""
    plane, values = found["in_plane"], found["values"]
    lengths = [plane["longest"]["length_mm"], plane["perpendicular"]["length_mm"]]
    percentile = values["percentiles"]
    return {
        "volume": millilitres(found["volume_ml"]),
        "mesh-volume": millilitres(found["mesh_volume_ml"]),
        "surface": f"{fixed(found['surface_mm2'] / 100, 1)} cm²",
        "in-plane": f"{' × '.join(fixed(length, 1) for length in lengths)} mm",
        "in-space": f"{fixed(found['longest']['length_mm'], 1)} mm",
        "centroid": f"{', '.join(fixed(coordinate, 1) for coordinate in found['centroid'])} mm",
        "mean": f"{value(values['mean'])} ± {value(values['standard_deviation'])} {unit}",
        "median": f"{value(percentile['50'])} {unit}",
        "quartiles": f"{value(percentile['25'])} to {value(percentile['75'])} {unit}",
        "percentiles": f"{value(percentile['5'])} to {value(percentile['95'])} {unit}",
        "range": f"{value(values['minimum'])} to {value(values['maximum'])} {unit}",
    }


def fixed(number: float, decimals: int) -> str:
    """Round as the panel does: the exact binary number, halves away from zero, and no negative zero.

    >>> fixed(41.25, 1), fixed(-0.25, 1), fixed(-0.04, 1)
    ('41.3', '-0.3', '0.0')
    """
    return str(Decimal(number).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + 0)


def value(number: float) -> str:
    """Round a value of the image in the same way: to four significant digits, but no decimals from 1000 on.

    >>> value(1708.6), value(147.65625), value(150.0), value(0.0)
    ('1709', '147.7', '150', '0')
    """
    if abs(number) >= 1000:
        return fixed(number, 0)
    return f"{Decimal(fixed(number, 3 - Decimal(number).adjusted())).normalize():f}"


def millilitres(volume: float) -> str:
    """Round a volume in the same way: to three significant digits, but at most two decimals."""
    return f"{fixed(volume, 0 if volume >= 99.95 or volume == 0 else 1 if volume >= 9.995 else 2)} mL"
