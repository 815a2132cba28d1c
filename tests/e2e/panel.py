"""Delineate's panel as a person uses it, and what its session holds in browser and service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.e2e.viewer import Mask, Viewer
from tests.phantoms.series import PhantomSeries

from delineate.client import Client, ClientSession

STATE = "() => window.delineate.controller.getState()"
IS_ONLINE = "() => window.delineate?.controller.getState().connection === 'online'"
IS_SETTLED = """() => {
  const {session, unsent} = window.delineate.controller.getState();
  const busy = session?.segments.some(segment => segment.running > 0);
  return session?.state === 'ready' && unsent === 0 && !busy;
}"""
HAS_REVISION = """({number, revision}) => {
  const {session} = window.delineate.controller.getState();
  const segment = session?.segments.find(one => one.number === number);
  return segment !== undefined && segment.revision >= revision && segment.running === 0;
}"""
HAS_SEGMENTS = """({numbers, active}) => {
  const {session} = window.delineate.controller.getState();
  const found = session?.segments.map(segment => segment.number);
  return JSON.stringify(found) === JSON.stringify(numbers) && session.activeSegment === active;
}"""
RESULT_IS = "(state) => window.delineate.controller.getState().session?.result?.state === state"

Json = dict[str, Any]


@dataclass(slots=True)
class Panel:
    """The panel in the viewer, on one series.

    Parameters
    ----------
    viewer : Viewer
        The browser.
    client : Client
        To look what the service holds.
    series : PhantomSeries
        The series that the viewer shows.
    """

    viewer: Viewer
    client: Client
    series: PhantomSeries

    def open(self, layout: str = "stack", mode: str = "delineate") -> None:
        """Open the study; wait until the panel is connected."""
        query = {"hangingProtocolId": "mpr"} if layout == "mpr" else {}
        self.viewer.open(self.series.study_uid, mode, **query)
        self.viewer.until(IS_ONLINE)

    def start(self, layout: str = "stack") -> None:
        """Open the study and start a session on the series."""
        self.open(layout)
        self.viewer.press("delineate-start")
        self.settled()

    def settled(self) -> None:
        """Wait until nothing is under way."""
        self.viewer.until(IS_SETTLED)

    @property
    def state(self) -> Json:
        """The state that the panel shows."""
        state: Json = self.viewer.evaluate(STATE)
        return state

    @property
    def segments(self) -> dict[int, Json]:
        """The session's segments by number."""
        return {segment["number"]: segment for segment in self.state["session"]["segments"]}

    @property
    def active(self) -> int:
        """Number of the active segment."""
        number: int = self.state["session"]["activeSegment"]
        return number

    @property
    def session(self) -> ClientSession:
        """The session at the service."""
        return self.client.session(self.state["session"]["id"])

    def after(self, number: int, revision: int) -> None:
        """Wait until a segment has this revision, or a later one, in the browser."""
        self.viewer.until(HAS_REVISION, {"number": number, "revision": revision})

    def has_segments(self, *numbers: int, active: int) -> None:
        """Wait until these are the segments, and which is active."""
        self.viewer.until(HAS_SEGMENTS, {"numbers": numbers, "active": active})

    def click(self, viewport_id: str, index: Sequence[float]) -> None:
        """Click a voxel (k, j, i) on the slice shown, and wait for its patch."""
        number, revision = self._expected()
        self.viewer.click(viewport_id, self.at(index))
        self.after(number, revision)

    def drag(self, viewport_id: str, indices: Sequence[Sequence[float]]) -> None:
        """Drag over voxels (k, j, i) of the slice shown, and wait for the patch."""
        number, revision = self._expected()
        self.viewer.drag(viewport_id, [self.at(index) for index in indices])
        self.after(number, revision)

    def key(self, key: str, *, makes_step: bool = False) -> None:
        """Press a key, and wait for the step that it makes."""
        number, revision = self._expected() if makes_step else (0, 0)
        self.viewer.key(key)
        if makes_step:
            self.after(number, revision)

    def at(self, index: Sequence[float]) -> list[float]:
        """Return the centre of a voxel (k, j, i) in LPS mm."""
        return [float(value) for value in (self.series.affine @ (*index, 1))[:3]]

    def in_viewer(self) -> dict[str, Mask]:
        """Return the viewer's labelmaps by label, axes (k, j, i)."""
        slices = self.series.slices
        return dict(self.viewer.labelmaps(slices, (self.series.spec.shape[1], self.series.spec.shape[2])))

    def in_service(self, number: int) -> Mask:
        """Return a segment's labelmap at the service, axes (k, j, i)."""
        return np.asarray(self.session.labelmap(number)[0].to_array(), np.bool_)

    def assert_shows_what_the_service_has(self) -> None:
        """Compare every segment's voxels, and that there are no others."""
        shown = self.in_viewer()
        segments = self.segments
        assert set(shown) == {segment["label"] for segment in segments.values()}
        for number, segment in segments.items():
            np.testing.assert_array_equal(shown[segment["label"]], self.in_service(number))

    def _expected(self) -> tuple[int, int]:
        number = self.active
        return number, self.segments[number]["revision"] + 1
