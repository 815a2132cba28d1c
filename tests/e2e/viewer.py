"""Stock OHIF in a real browser, as a test uses it: mouse, keys, and what can be seen."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from delineate.demo.layout import program

DETAILED = (1600, 900)
SIZE = DETAILED if "SCREENSHOTS" in os.environ else (1024, 640)
"""Of the page, in pixels: large for pictures that are kept; else small, as software paints it."""

DRIVER = Path(__file__).with_name("driver") / "main.mjs"
END_TIMEOUT_S = 60.0

SHOWS_STORED = """(label) => {
  const {segmentation} = window.cornerstoneTools;
  const stored = segmentation.state.getSegmentations()
    .filter(({segments}) => Object.values(segments).some(segment => segment.label === label))
    .map(({segmentationId}) => `${segmentationId}-Labelmap`);
  const slices = window.cornerstone.getRenderingEngines().flatMap(engine => engine.getViewports())
    .filter(({id}) => document.querySelector(`[data-viewportid="${id}"]`) !== null);
  return slices.length > 0 && slices.every(viewport => viewport.getActors()
    .some(({representationUID}) => stored.some(start => representationUID?.startsWith(start))));
}"""
THUMBNAIL = """(uid) => window.services?.displaySetService.getActiveDisplaySets()
  .filter(set => set.Modality === 'SEG' && set.SOPInstanceUID === uid)
  .map(set => `thumbnail-${set.displaySetInstanceUID}`).find(id => document.getElementById(id) !== null)"""

Point = Sequence[float]
Mask = npt.NDArray[np.bool_]


class BrowserError(AssertionError):
    """The browser could not do what it was asked for."""


@dataclass(slots=True)
class Viewer:
    """One browser and its one page.

    Parameters
    ----------
    url : str
        Root of the gateway, without a trailing slash.
    size : (int, int)
        Width and height of the page in pixels.
    """

    url: str
    size: tuple[int, int] = SIZE
    process: subprocess.Popen[str] = field(init=False, repr=False)
    requests: int = 0

    def __enter__(self) -> Self:
        """Start the browser."""
        self.process = subprocess.Popen(
            [program("node"), str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.fresh()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """End the browser."""
        self.process.communicate(timeout=END_TIMEOUT_S)

    def call(self, method: str, **arguments: Any) -> Any:
        """Ask the driver, and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.requests += 1
        request = {"id": self.requests, "method": method, "arguments": arguments}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise BrowserError(f"The driver ended with status {self.process.wait()} in {method}.")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        return answer["result"]

    def fresh(self) -> None:
        """Go on with a browser that remembers nothing."""
        width, height = self.size
        self.call("fresh", width=width, height=height)

    def open(self, study_uid: str, mode: str = "delineate", **query: str) -> None:
        """Open a study in a mode, and wait until all viewports are rendered."""
        self.call("open", url=f"{self.url}/{mode}?{urlencode({'StudyInstanceUIDs': study_uid, **query})}")

    def load_stored(self, sop_instance_uid: str, label: str) -> None:
        """Have the viewer itself load a stored segmentation of the open study; wait until a segment of it is there."""
        thumbnail = self.until(THUMBNAIL, sop_instance_uid)
        self.call("doubleClickOn", selector=f'[id="{thumbnail}"]')
        self.until(SHOWS_STORED, label)

    def viewports(self) -> list[dict[str, Any]]:
        """Return id, type, normal and focal point (LPS mm) of every viewport that shows slices."""
        viewports: list[dict[str, Any]] = self.call("viewports")
        return viewports

    def click(self, viewport_id: str, point: Point, modifiers: Sequence[str] = ()) -> None:
        """Click a position (LPS mm) of the slice that is shown."""
        self.call("click", viewportId=viewport_id, point=list(point), modifiers=list(modifiers))

    def drag(self, viewport_id: str, points: Sequence[Point]) -> None:
        """Drag the mouse over positions (LPS mm) of the slice that is shown."""
        self.call("drag", viewportId=viewport_id, points=[list(point) for point in points])

    def key(self, key: str) -> None:
        """Press a key, named as Playwright does."""
        self.call("key", key=key)

    def look(self, viewport_id: str, point: Point, normal: Point | None = None, up: Point | None = None) -> None:
        """Show the slice through a position (LPS mm), without the mouse; on a volume perhaps turned."""
        view = {"viewportId": viewport_id, "point": list(point)}
        if normal is not None and up is not None:
            view |= {"normal": list(normal), "up": list(up)}
        self.call("look", **view)

    def scroll_to(self, viewport_id: str, point: Point) -> None:
        """Turn the wheel until the slice through a position (LPS mm) is shown."""
        self.call("scrollTo", viewportId=viewport_id, point=list(point))

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """Run a JavaScript function in the page."""
        return self.call("evaluate", function=function, argument=argument)

    def until(self, function: str, argument: Any = None, timeout_s: float = 120.0) -> Any:
        """Wait until a JavaScript function gives something true in the page, and return that."""
        return self.call("until", function=function, argument=argument, timeoutMs=timeout_s * 1000)

    def press(self, test: str, nth: int = 0) -> None:
        """Press what has this test id (``data-cy``)."""
        self.call("press", test=test, nth=nth)

    def press_named(self, name: str) -> None:
        """Press the button with this accessible name."""
        self.call("pressNamed", name=name)

    def type(self, test: str, text: str) -> None:
        """Type into the field with this test id."""
        self.call("type", test=test, text=text)

    def texts(self, test: str) -> list[str]:
        """Return the texts of everything with this test id."""
        texts: list[str] = self.call("texts", test=test)
        return texts

    def appears(self, test: str) -> None:
        """Wait until something with this test id is to be seen."""
        self.call("appears", test=test)

    def reload(self) -> None:
        """Load the page again, and wait until all viewports are rendered."""
        self.call("reload")

    def panel_text(self) -> str:
        """Return what our panel says."""
        text: str = self.call("panelText")
        return text

    def prompts(self, viewport_id: str) -> list[dict[str, Any]]:
        """Return id, kind and include of the prompts that are drawn over a viewport."""
        prompts: list[dict[str, Any]] = self.call("prompts", viewportId=viewport_id)
        return prompts

    def segments_with_voxels(self) -> set[str]:
        """Return the names of the segments that have a voxel in any labelmap that the viewer holds."""
        found: set[str] = set()
        for labelmap in self.call("labelmaps"):
            for _, encoded in labelmap["slices"]:
                numbers = set(base64.b64decode(encoded)) - {0}
                found |= {labelmap["segments"][str(number)] for number in numbers}
        return found

    def labelmaps(self, slices: Sequence[tuple[str, int]], matrix: tuple[int, int]) -> Mapping[str, Mask]:
        """Return the voxels of each labelmap that the viewer holds, by its label.

        Parameters
        ----------
        slices : sequence of (str, int)
            SOP Instance UID and frame number of each k.
        matrix : (int, int)
            Rows and columns.

        Returns
        -------
        mapping of str to ndarray of bool
            Axes (k, j, i).
        """
        index = {f"{uid}/{frame}": k for k, (uid, frame) in enumerate(slices)}
        found: dict[str, Mask] = {}
        for labelmap in self.call("labelmaps"):
            voxels = np.zeros((len(slices), *matrix), np.bool_)
            for source, encoded in labelmap["slices"]:
                voxels[index[source]] |= np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(matrix) != 0
            found[labelmap["label"]] = voxels
        return found

    def colours_at(self, viewport_id: str, points: Sequence[Point]) -> npt.NDArray[np.int64]:
        """Return the painted colours (n, 4) at positions (LPS mm) of the slice that is shown."""
        colours = self.call("coloursAt", viewportId=viewport_id, points=[list(point) for point in points])
        return np.asarray(colours, np.int64)

    def screenshot(self, path: Path, viewport_id: str | None = None) -> None:
        """Take a picture of the page, or of one viewport."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.call("screenshot", path=str(path), viewportId=viewport_id)

    @property
    def errors(self) -> list[str]:
        """Uncaught errors of the page so far."""
        errors: list[str] = self.call("uncaught")
        return errors
