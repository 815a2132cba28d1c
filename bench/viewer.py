"""`make bench`, second part: from the release of the mouse to the painted segment, in a real browser.

Rendering is by software here, on the processor that the browser shares with the service.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.archive_tools import store_series
from tests.e2e.conftest import gateway_to
from tests.e2e.panel import Panel
from tests.e2e.viewer import DETAILED, Viewer
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.demo.orthanc import orthanc_server

SHAPE = (300, 512, 512)
SPACING = (1.0, 0.7, 0.7)
HALF_AXES = (25.0, 40.0, 40.0)
"""Of the bright ellipsoid, in voxels."""

PARTS = ("event", "request", "service", "decode", "write", "render")
LIMIT_WITHOUT_SERVICE_AND_RENDERING_MS = 100.0
LIMIT_WRITE_MS = 30.0

MEASURES = """() => performance.getEntriesByType('measure')
  .filter(({name}) => name.startsWith('delineate:')).map(({name, duration}) => [name.slice(10), duration])"""

IMAGES_ARE_LOADED = """() => window.cornerstone.getRenderingEngines().flatMap(engine => engine.getViewports())
  .every(viewport => viewport.type === 'stack'
    ? viewport.getImageIds().every(id => window.cornerstone.cache.getImageLoadObject(id) !== undefined)
    : window.cornerstone.cache.getVolume(viewport.getVolumeId()).loadStatus.loaded)"""


def main(points: Annotated[int, typer.Option(help="How many points to draw in each layout.")] = 10) -> None:
    """Print the medians of each part, in milliseconds."""
    series = make_series(shape=SHAPE, spacing=SPACING, half_axes=HALF_AXES)
    with tempfile.TemporaryDirectory() as folder, orthanc_server(Path(folder) / "orthanc") as orthanc:
        store_series(orthanc, series)
        service = ServiceProcess(orthanc.dicomweb_url, orthanc.username, orthanc.password, Path(folder) / "data")
        service.start()
        try:
            with gateway_to(orthanc, service.port, Path(folder) / "gateway") as gateway:
                for layout in ("stack", "mpr"):
                    report(layout, measured(gateway.url, service, series, layout, points))
        finally:
            service.stop()


def measured(
    url: str, service: ServiceProcess, series: PhantomSeries, layout: str, points: int
) -> dict[str, list[float]]:
    """Draw points, each undone before the next, and return how long each part took."""
    found: dict[str, list[float]] = defaultdict(list)
    with Viewer(url, DETAILED) as viewer, service.connect() as client:
        panel = Panel(viewer, client, series)
        panel.start(layout)
        viewport = viewer.viewports()[0]["id"]
        k, j, i = (size // 2 for size in SHAPE)
        viewer.look(viewport, panel.at((k, j, i)))
        viewer.until(IMAGES_ARE_LOADED)  # the viewer's own reading ahead takes a whole core
        panel.key("p")
        for nth in range(points):
            panel.click(viewport, (k, j, i + nth))
            viewer.until("n => performance.getEntriesByName('delineate:render').length === n", nth + 1)
        for name, duration in viewer.evaluate(MEASURES):
            found[name].append(duration)
    return found


def report(layout: str, found: dict[str, list[float]]) -> None:
    """Print one table."""
    typer.echo(f"\n512x512x300, {layout}: mouse-up to painted, medians of {len(found['render'])} points, ms")
    for part in PARTS:
        typer.echo(f"  {part:<8} {median(found[part]):8.1f}   most {max(found[part]):8.1f}")
    ours = sum(median(found[part]) for part in ("event", "request", "decode", "write"))
    typer.echo(f"  all but service and rendering {ours:.1f} (limit {LIMIT_WITHOUT_SERVICE_AND_RENDERING_MS:g})")
    typer.echo(f"  write {median(found['write']):.1f} (limit {LIMIT_WRITE_MS:g})")


if __name__ == "__main__":
    typer.run(main)
