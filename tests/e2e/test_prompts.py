"""The four prompt types, by mouse, wherever they can be drawn: what is painted is what the service has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.e2e.conftest import Stage, gateway_to, pointed_at
from tests.e2e.panel import Panel
from tests.e2e.viewer import Viewer
from tests.phantoms.series import PhantomSeries
from tests.service import ServiceProcess

from delineate.adapters.nninteractive.checkpoint import DEMO_FOLDER, MEASURED
from delineate.client import Client

pytestmark = pytest.mark.timeout(900)

KEYS = {"point": "p", "box": "b", "scribble": "s", "lasso": "l"}

SERIES: dict[str, dict[str, Any]] = {
    "axial": {"orientation": "axial"},
    "sagittal": {"orientation": "sagittal"},
    "double-oblique": {"orientation": "oblique", "reversed_numbering": True, "shuffled": True},
    "multi-frame": {"multiframe": True},
}


@pytest.mark.parametrize("name", SERIES)
def test_every_kind_on_the_acquired_images(
    stage: Stage, viewer: Viewer, client: Client, screenshots: Path, name: str
) -> None:
    panel = Panel(viewer, client, stage.store(**SERIES[name]))
    panel.start("stack")
    (viewport,) = panel.viewer.viewports()
    draw_every_kind(panel, viewport["id"], axes=(1, 2))
    viewer.screenshot(screenshots / f"prompts-{name}-stack.png")


@pytest.mark.parametrize("name", ["axial", "sagittal"])
def test_every_kind_in_three_planes(stage: Stage, viewer: Viewer, client: Client, screenshots: Path, name: str) -> None:
    series = stage.store(**SERIES[name])
    panel = Panel(viewer, client, series)
    panel.start("mpr")
    for viewport in viewer.viewports():
        draw_every_kind(panel, viewport["id"], axes_in_plane(series, viewport["normal"]), excluded=("scribble",))
        viewer.screenshot(screenshots / f"prompts-{name}-{viewport['id']}.png")
        panel.key("r", makes_step=True)
        assert panel.segments[panel.active]["volumeMl"] == 0


def test_every_kind_on_an_oblique_view(stage: Stage, viewer: Viewer, client: Client, screenshots: Path) -> None:
    series = stage.store(**SERIES["double-oblique"])
    panel = Panel(viewer, client, series)
    viewport = oblique_view(panel)
    centre = panel.at(middle_of(series))
    for kind, key in KEYS.items():
        viewer.key(key)
        assert panel.state["tool"] == kind
        places = in_plane(viewport["normal"], centre, stroke(kind, (0, 0, 0), (1, 2), 0))
        number, revision = panel.active, panel.segments[panel.active]["revision"]
        viewer.drag(viewport["id"], places) if len(places) > 1 else viewer.click(viewport["id"], places[0])
        panel.after(number, revision + 1)
        panel.assert_shows_what_the_service_has()
        viewer.key(key)
    assert [one["kind"] for one in viewer.prompts(viewport["id"])] == list(KEYS)
    viewer.screenshot(screenshots / "prompts-oblique-view.png")


def test_kinds_that_the_model_does_not_take_on_an_oblique_view_are_disabled_with_a_way_out(
    stage: Stage, viewer: Viewer, client: Client, screenshots: Path, tmp_path: Path
) -> None:
    series = stage.store(**SERIES["double-oblique"])
    with service_with_unmeasured_model(stage, tmp_path) as url, pointed_at(viewer, url):
        panel = Panel(viewer, client, series)
        oblique_view(panel)
        for kind, key in KEYS.items():
            viewer.key(key)
            assert (panel.state["tool"] == kind) is (kind == "point")
            assert viewer.evaluate(TOOL_DISABLED, kind) is (kind != "point")
            viewer.key("p" if kind == "point" else key)
        viewer.screenshot(screenshots / "prompts-oblique-disabled.png")
        viewer.press("delineate-turn")
        viewer.until("() => window.delineate.controller.getState().plane === 'aligned'")
        assert not any(viewer.evaluate(TOOL_DISABLED, kind) for kind in KEYS)


def oblique_view(panel: Panel) -> dict[str, Any]:
    """Start a session in the MPR, and return a viewport there whose plane is oblique, looking at the ellipsoid."""
    viewer = panel.viewer
    panel.start("mpr")
    viewport: dict[str, Any] = viewer.viewports()[0]
    centre = panel.at(middle_of(panel.series))
    viewer.look(viewport["id"], centre)
    viewer.click(viewport["id"], centre)
    viewer.until("() => window.delineate.controller.getState().plane === 'oblique'")
    return viewport


@contextmanager
def service_with_unmeasured_model(stage: Stage, folder: Path) -> Iterator[str]:
    """Run a service with a copy of the demo model of which nobody measured what it takes on oblique planes."""
    model = folder / "model"
    shutil.copytree(DEMO_FOLDER, model, ignore=shutil.ignore_patterns(MEASURED, "__pycache__"))
    licence = next(
        line.strip() for line in (model / "LICENSE").read_text(encoding="utf-8").splitlines() if line.strip()
    )
    settings = {"DELINEATE_MODEL": str(model), "DELINEATE_MODEL_LICENCE_ACCEPTED": licence}
    archive = stage.archive
    service = ServiceProcess(archive.dicomweb_url, archive.username, archive.password, folder / "data", settings)
    service.start()
    try:
        with gateway_to(archive, service.port, folder / "gateway") as gateway:
            yield gateway.url
    finally:
        service.stop()


TOOL_DISABLED = """(kind) => {
  const button = document.querySelector(`[data-cy="delineate-tool-${kind}"]`);
  return button.disabled || button.getAttribute('aria-disabled') === 'true';
}"""


def in_plane(normal: Sequence[float], centre: Sequence[float], offsets: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return positions (LPS mm) in a plane, by offsets (-, along, across) from its centre in millimetres."""
    across = np.linalg.svd(np.asarray(normal)[np.newaxis])[2][1:]
    return [(np.asarray(centre) + np.asarray(offset[1:]) @ across).tolist() for offset in offsets]


def test_quick_prompts_are_all_taken_in_their_order(stage: Stage, viewer: Viewer, client: Client) -> None:
    panel = Panel(viewer, client, stage.store())
    panel.start("stack")
    viewport_id = viewer.viewports()[0]["id"]
    k, j, i = middle_of(panel.series)
    viewer.look(viewport_id, panel.at((k, j, i)))
    viewer.key("p")
    for step in range(5):
        viewer.click(viewport_id, panel.at((k, j, i + 2 * step - 4)))
    panel.settled()
    panel.assert_shows_what_the_service_has()
    taken = panel.session.refresh()["segments"][0]["prompts"]
    columns = [round(float(np.linalg.solve(panel.series.affine, [*one["points"][0], 1])[2])) for one in taken]
    assert columns == [i - 4, i - 2, i, i + 2, i + 4]
    assert [one["id"] for one in taken] == [one["id"] for one in viewer.prompts(viewport_id)]


def test_collected_prompts_run_when_they_are_told_to(stage: Stage, viewer: Viewer, client: Client) -> None:
    panel = Panel(viewer, client, stage.store())
    panel.start("stack")
    viewport_id = viewer.viewports()[0]["id"]
    viewer.evaluate("() => window.delineate.controller.actions.changeSettings({mode: 'collect'})")
    k, j, i = middle_of(panel.series)
    viewer.look(viewport_id, panel.at((k, j, i)))
    viewer.key("p")
    for column in (i - 3, i + 3):
        viewer.click(viewport_id, panel.at((k, j, column)))
    viewer.until("() => window.delineate.controller.getState().session.segments[0].collected === 2")
    assert not panel.in_service(1).any()
    viewer.press("delineate-run")
    panel.after(1, 1)
    assert panel.in_service(1).any()
    panel.assert_shows_what_the_service_has()


def axes_in_plane(series: PhantomSeries, normal: Sequence[float]) -> tuple[int, int]:
    """Return the two voxel axes (0, 1, 2 = k, j, i) that a view along a voxel axis shows."""
    steps = series.affine[:3, :3]
    across = int(np.argmax(abs(np.asarray(normal) @ (steps / np.linalg.norm(steps, axis=0)))))
    first, second = (axis for axis in (0, 1, 2) if axis != across)
    return first, second


def draw_every_kind(
    panel: Panel, viewport_id: str, axes: tuple[int, int], excluded: Sequence[str] = tuple(KEYS)
) -> None:
    """Include with each kind inside the ellipsoid, exclude with some towards its rim; compare after each."""
    centre = middle_of(panel.series)
    panel.viewer.scroll_to(viewport_id, panel.at(centre))
    for include in (True, False):
        if panel.state["include"] is not include:
            panel.key("t")
        for nth, kind in enumerate(KEYS if include else excluded):
            key = KEYS[kind]
            panel.key(key)
            strokes = stroke(kind, centre, axes, towards_rim=0 if include else 4 + nth)
            panel.drag(viewport_id, strokes) if len(strokes) > 1 else panel.click(viewport_id, strokes[0])
            panel.key(key)
            panel.assert_shows_what_the_service_has()
    drawn = panel.viewer.prompts(viewport_id)
    assert [(one["kind"], one["include"]) for one in drawn] == [
        *((kind, True) for kind in KEYS),
        *((kind, False) for kind in excluded),
    ]


def stroke(
    kind: str, centre: tuple[int, int, int], axes: tuple[int, int], towards_rim: int
) -> list[tuple[float, float, float]]:
    """Return the voxels (k, j, i) to drag over for a kind of prompt, in the plane of two voxel axes."""
    across, along = (2, 4) if axes == (1, 2) else (1, 4)
    offsets = {
        "point": [(0, 0)],
        "box": [(-across, -along), (across, along)],
        "scribble": [(0, -along), (across, 0), (0, along)],
        "lasso": [(-across, -along), (across, -along), (across, along), (-across, along), (-across, -along)],
    }[kind]
    places = []
    for first, second in offsets:
        index = [float(value) for value in centre]
        index[axes[0]] += first
        index[axes[1]] += second + towards_rim
        places.append((index[0], index[1], index[2]))
    return places


def middle_of(series: PhantomSeries) -> tuple[int, int, int]:
    """Return the voxel (k, j, i) in the middle of the bright ellipsoid."""
    bright = np.argwhere(series.voxels > np.percentile(series.voxels, 97))
    k, j, i = (int(value) for value in np.median(bright, axis=0))
    return k, j, i
