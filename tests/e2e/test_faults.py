"""What goes wrong around the viewer: nothing is lost, and the rest of the viewer works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.e2e.conftest import Stage, gateway_to, pointed_at
from tests.e2e.panel import IS_ONLINE, RESULT_IS, Panel
from tests.e2e.test_prompts import middle_of
from tests.e2e.test_work import name_segment, stored_segmentation, viewport_of, voxels_of
from tests.e2e.viewer import Viewer
from tests.service import ServiceProcess

from delineate.client import Client
from delineate.demo.processes import free_port

pytestmark = pytest.mark.timeout(900)

CONNECTION_IS = "(state) => window.delineate?.controller.getState().connection === state"
MODES = "() => [...document.querySelectorAll('[data-cy^=\"mode-\"]')].map(link => link.dataset.cy)"
RESUMABLE = "() => window.delineate?.controller.getState().resumable.length > 0"
PANEL_SAYS = """(words) => {
  const text = document.querySelector('[data-cy="delineate-panel"]')?.innerText;
  return text?.includes(words) ? text : null;
}"""


@pytest.fixture
def panel(stage: Stage, viewer: Viewer, client: Client) -> Panel:
    """Return a panel on a small axial series, with a session and one point in the ellipsoid."""
    panel = Panel(viewer, client, stage.store())
    panel.start("stack")
    draw_point(panel)
    return panel


def draw_point(panel: Panel) -> None:
    viewer = panel.viewer
    viewer.look(viewport_of(viewer), panel.at(middle_of(panel.series)))
    panel.key("p")
    panel.click(viewport_of(viewer), middle_of(panel.series))


def test_a_reloaded_page_offers_the_session_and_goes_on(panel: Panel) -> None:
    viewer = panel.viewer
    before = panel.in_service(1)
    viewer.reload()
    viewer.until(RESUMABLE)
    viewer.press("delineate-resume")
    panel.settled()
    np.testing.assert_array_equal(panel.in_service(1), before)
    panel.assert_shows_what_the_service_has()
    viewer.look(viewport_of(viewer), panel.at(middle_of(panel.series)))
    assert [one["kind"] for one in viewer.prompts(viewport_of(viewer))] == ["point"]
    panel.key("Control+z", makes_step=True)
    assert not panel.in_viewer()[panel.segments[1]["label"]].any()


def test_a_killed_service_comes_back_with_everything(stage: Stage, panel: Panel) -> None:
    viewer, series = panel.viewer, panel.series
    stage.service.kill()
    try:
        viewer.until(CONNECTION_IS, "offline")
        k, j, i = middle_of(series)
        viewer.click(viewport_of(viewer), panel.at((k, j, i - 5)))
        viewer.until("() => window.delineate.controller.getState().unsent === 1")
        assert len(viewer.prompts(viewport_of(viewer))) == 2
    finally:
        stage.service.start()
    viewer.until(IS_ONLINE)
    panel.after(1, 2)
    panel.settled()
    panel.assert_shows_what_the_service_has()


def test_an_archive_that_is_away_during_accept_gets_it_later(stage: Stage, panel: Panel, screenshots: Path) -> None:
    viewer = panel.viewer
    name_segment(panel, "Liver")
    shown = panel.in_viewer()["Liver"]
    stage.archive.stop()
    try:
        viewer.press("delineate-accept")
        viewer.until(RESULT_IS, "waiting")
        viewer.screenshot(screenshots / "faults-waiting.png")
    finally:
        stage.archive.start()
    viewer.until(RESULT_IS, "stored")
    np.testing.assert_array_equal(voxels_of(stored_segmentation(stage, panel.series), panel.series, 1), shown)


@pytest.mark.parametrize("missing", ["**/delineate-extension/**", "**/delineate-extension/mode.js"])
def test_without_its_files_the_viewer_is_a_stock_viewer(stage: Stage, viewer: Viewer, missing: str) -> None:
    series = stage.store()
    viewer.call("deny", pattern=missing)
    for mode in ("viewer", "segmentation"):
        viewer.open(series.study_uid, mode)
        assert len(viewer.viewports()) == 1
    assert viewer.texts("delineate-panel") == []


def test_an_extension_that_is_missing_is_named_in_the_panel(stage: Stage, viewer: Viewer) -> None:
    series = stage.store()
    viewer.call("deny", pattern="**/delineate-extension/extension.js")
    viewer.open(series.study_uid, "delineate")
    assert "extension.js" in viewer.until(PANEL_SAYS, "could not be loaded")


def test_without_a_service_the_panel_says_so_and_the_viewer_works(
    stage: Stage, viewer: Viewer, client: Client, tmp_path: Path
) -> None:
    series = stage.store()
    with gateway_to(stage.archive, free_port(), tmp_path) as gateway, pointed_at(viewer, gateway.url):
        viewer.open(series.study_uid, "delineate")
        viewer.until(CONNECTION_IS, "offline")
        viewer.appears("delineate-connection-problem")
        viewer.scroll_to(viewport_of(viewer), Panel(viewer, client, series).at((5, 0, 0)))


def test_a_service_without_its_model_says_why_in_the_panel(
    stage: Stage, viewer: Viewer, client: Client, screenshots: Path, tmp_path: Path
) -> None:
    series, archive = stage.store(), stage.archive
    settings = {"DELINEATE_MODEL": str(tmp_path / "nowhere")}
    service = ServiceProcess(archive.dicomweb_url, archive.username, archive.password, tmp_path / "data", settings)
    service.start()
    try:
        with gateway_to(archive, service.port, tmp_path / "gateway") as gateway, pointed_at(viewer, gateway.url):
            viewer.open(series.study_uid, "delineate")
            said = viewer.until(PANEL_SAYS, "nowhere is no model folder")
            assert "Tell the administrator" in said
            viewer.scroll_to(viewport_of(viewer), Panel(viewer, client, series).at((5, 0, 0)))
            viewer.screenshot(screenshots / "faults-no-model.png")
    finally:
        service.stop()


def test_our_panel_is_a_tab_of_the_segmentation_mode(stage: Stage, viewer: Viewer, client: Client) -> None:
    panel = Panel(viewer, client, stage.store())
    viewer.open(panel.series.study_uid, "segmentation")
    viewer.press("delineate-btn")
    viewer.until(IS_ONLINE)
    viewer.press("delineate-start")
    panel.settled()
    viewer.press("delineate-tool-point")
    viewer.look(viewport_of(viewer), panel.at(middle_of(panel.series)))
    panel.click(viewport_of(viewer), middle_of(panel.series))
    panel.assert_shows_what_the_service_has()


def test_the_study_list_leads_to_the_mode(stage: Stage, viewer: Viewer) -> None:
    series = stage.store(patient_id=f"LIST-{free_port()}", patient_name="List^Ada")
    patient = {"patientId": series.spec.patient_id, "patientName": "List, Ada"}
    viewer.call("openStudyFromList", mode="Delineate", url=viewer.url, **patient)
    viewer.until(IS_ONLINE)
    assert viewer.evaluate("() => location.pathname") == "/delineate"


def test_the_mode_is_left_and_entered_again_without_a_trace(panel: Panel) -> None:
    viewer = panel.viewer
    viewer.press("return-to-work-list")
    viewer.until("() => window.delineate === undefined")
    assert viewer.evaluate("() => document.querySelectorAll('.delineate-prompts, .delineate-armed').length") == 0
    viewer.call("back")
    viewer.until(IS_ONLINE)
    viewer.until(RESUMABLE)
