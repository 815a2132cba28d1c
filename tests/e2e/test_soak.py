"""A long session in one page: neither memory nor time grows."""

from __future__ import annotations

from statistics import median

import pytest
from tests.e2e.conftest import Stage
from tests.e2e.panel import Panel
from tests.e2e.test_prompts import middle_of
from tests.e2e.viewer import Viewer

from delineate.client import Client

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

PROMPTS = 200
WARM_UP = 40
"""Prompts before the first figure: code is compiled, caches fill."""
LARGEST_PROMPT_BYTES = 20_000
"""What one prompt may leave in the page's heap: its points, its entry in the undo history, its mark."""
LARGEST_SLOWING = 1.5
"""How much longer the last prompts may take than the first ones, in everything but the service."""

HEAP = "() => { gc(); gc(); return performance.memory.usedJSHeapSize; }"
OWN_TIME = """() => {
  const last = name => performance.getEntriesByName(`delineate:${name}`).at(-1).duration;
  return last('event') + last('decode') + last('write') + last('render');
}"""
MEASURED = "n => performance.getEntriesByName('delineate:render').length >= n"


def test_two_hundred_prompts_leave_no_trace(stage: Stage, viewer: Viewer, client: Client) -> None:
    panel = Panel(viewer, client, stage.store())
    panel.start("stack")
    viewport_id = viewer.viewports()[0]["id"]
    k, j, i = middle_of(panel.series)
    viewer.look(viewport_id, panel.at((k, j, i)))
    viewer.key("p")
    heaps, times = [], []
    for nth in range(PROMPTS):
        panel.click(viewport_id, (k, j + nth % 5 - 2, i + nth % 7 - 3))
        viewer.until(MEASURED, nth + 1)
        times.append(viewer.evaluate(OWN_TIME))
        heaps.append(viewer.evaluate(HEAP))
    panel.assert_shows_what_the_service_has()
    grown = median(heaps[-10:]) - median(heaps[WARM_UP : WARM_UP + 10])
    assert grown < LARGEST_PROMPT_BYTES * (PROMPTS - WARM_UP)
    assert median(times[-WARM_UP:]) < LARGEST_SLOWING * median(times[WARM_UP : 2 * WARM_UP])
