"""The viewer extension's session without a browser: its TypeScript in node, driven from a test."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from tests.drawing import Drawn
from tests.phantoms import PhantomSeries

from delineate.domain.labelmap import unpack_text

Json = dict[str, Any]
ROOT = Path(__file__).parents[1]
DRIVER = ROOT / "ohif-extension/test/driver/main.ts"


class ViewerError(RuntimeError):
    """The driver could not do what it was told."""


def bundle_driver(folder: Path) -> Path:
    """Bundle the driver and the session for node, and return the file."""
    out = folder / "driver.mjs"
    esbuild = ROOT / "node_modules/.bin/esbuild"
    options = ["--bundle", "--platform=node", "--format=esm", "--target=node20", "--log-level=warning"]
    subprocess.run([str(esbuild), str(DRIVER), *options, f"--outfile={out}"], check=True)
    return out


class ViewerSession:
    """A viewer's session in a node process, with a viewer that has labelmaps but shows nothing."""

    def __init__(self, driver: Path, series: PhantomSeries, url: str) -> None:
        self._series = series
        self._url = url
        self._process = subprocess.Popen(
            ["node", str(driver)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def do(self, command: str, **given: Any) -> Any:
        """Send a command and return its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        line = self._process.stdout.readline()
        if not line:
            raise ViewerError(f"the driver ended while it did {command}")
        reply = json.loads(line)
        if "error" in reply:
            raise ViewerError(reply["error"])
        return reply["result"]

    def open(self, **more: Any) -> None:
        """Load the page: the same browser, a new session controller."""
        self.do("open", series=series_json(self._series), url=self._url, **more)

    def act(self, name: str, *args: Any) -> Any:
        return self.do("action", name=name, args=list(args))

    def until(self, condition: str, timeout_s: float = 60.0) -> Json:
        """Wait until an expression of the panel's state ``s``, viewer ``v`` and network ``n`` holds."""
        state: Json = self.do("until", condition=condition, timeout=round(timeout_s * 1000))
        return state

    def start(self) -> Json:
        """Open a session on the series, with its first segment."""
        self.until("s.connection === 'online'")
        self.act("start")
        return self.until("s.session?.state === 'ready' && s.session.activeSegment === 1")

    def settled(self) -> Json:
        """Wait until everything that was drawn is answered and painted."""
        return self.until("s.unsent === 0 && s.session.segments.every(x => x.running === 0)")

    def draw(self, drawn: Drawn, **more: Any) -> str:
        """Finish a drawing, and return its id."""
        drawing = drawing_json(drawn.body, self._series) | more
        self.do("draw", drawing=drawing)
        made: str = drawing["id"]
        return made

    def voxels(self, segment: int = 1) -> npt.NDArray[np.bool_]:
        """Return the labelmap that the viewer holds, axes (k, j, i)."""
        shape = self._series.voxels.shape
        return unpack_text(self.do("voxels", segment=segment), (shape[0], shape[1], shape[2]))


def series_json(series: PhantomSeries) -> Json:
    return {
        "studyInstanceUid": series.study_uid,
        "seriesInstanceUid": series.series_uid,
        "displaySetInstanceUid": "display-set-1",
        "description": "Phantom",
        "modality": series.spec.modality,
        "instances": len(series.datasets),
        "reconstructable": True,
    }


def drawing_json(body: Json, series: PhantomSeries) -> Json:
    """Return a prompt's body as what the viewer's tool would have made of the same movement of the hand."""
    drawing = {
        "id": body["id"],
        "kind": body["kind"],
        "include": body["include"],
        "points": body["points"],
        "planeNormal": body.get("plane_normal", [0, 0, 1]),
        "frameOfReferenceUid": body["frame_of_reference_uid"],
        "seriesInstanceUid": series.series_uid,
    }
    return drawing | ({"sopInstanceUid": body["sop_instance_uid"]} if "sop_instance_uid" in body else {})
