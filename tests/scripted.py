"""Sessions by script: what a user does step by step, and the labelmaps that each step has to give.

The same script gives the same prompts with the same ids, and so the same labelmaps, in every session on its series.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from tests.drawing import draw
from tests.patience import patiently, request
from tests.phantoms import PhantomSeries

from delineate.client import Client, ServiceError, region_of
from delineate.domain.labelmap import Labelmap

Verb = Literal["prompt", "undo", "redo", "accept"]
KINDS = ("point", "box", "scribble", "lasso")
SEGMENTS = (1, 2)
NAME = {
    "label": "Liver",
    "category": {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "10200004", "scheme": "SCT", "meaning": "Liver"},
}


@dataclass(frozen=True, eq=False)
class Step:
    """One request."""

    verb: Verb
    segment: int = 1
    body: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Script:
    """A user's work on one series."""

    series: PhantomSeries
    steps: tuple[Step, ...]


@dataclass(eq=False)
class Run:
    """A session that follows a script.

    Attributes
    ----------
    seen
        After each step, the labelmap of each segment.
    results
        Of each accept: the result's id, and the labelmaps that were accepted.
    done
        How many steps have been answered.
    """

    script: Script
    path: str = ""
    seen: list[dict[int, Labelmap]] = field(default_factory=list)
    results: list[tuple[str, dict[int, Labelmap]]] = field(default_factory=list)
    done: int = 0
    prompts: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def go(self, client: Client) -> None:
        """Open the session, and do every step; whatever fails for now is repeated."""
        try:
            self._open(client)
            for step in self.script.steps:
                self._do(client, step)
                self.seen.append({n: self.labelmap(client, n) for n in SEGMENTS})
                self.done += 1
        finally:
            self.ended.set()

    def labelmap(self, client: Client, segment: int) -> Labelmap:
        """Return a segment's labelmap as the service has it."""
        reply = patiently(lambda: client.call("GET", f"{self.path}/segments/{segment}/labelmap"))
        return Labelmap(self.script.series.voxels.shape, region_of(reply))

    def _open(self, client: Client) -> None:
        series = self.script.series
        body = {"study_instance_uid": series.study_uid, "series_instance_uid": series.series_uid}

        def opened() -> dict[str, Any]:
            # A session that could not be loaded, as the archive was away, has failed for good: another one is opened.
            headers = {"Idempotency-Key": str(uuid.uuid4())}
            made: dict[str, Any] = client.call("POST", "/sessions", body, params={"wait": "true"}, headers=headers)
            return made

        self.path = f"/sessions/{patiently(opened)['id']}"
        for _ in SEGMENTS:
            request(client, "POST", f"{self.path}/segments", NAME)

    def _do(self, client: Client, step: Step) -> None:
        path = f"{self.path}/segments/{step.segment}"
        match step.verb:
            case "prompt":
                assert step.body is not None
                patiently(lambda: client.call("POST", f"{path}/prompts", step.body))
                self.prompts += 1
            case "accept":
                accepted = request(client, "POST", f"{self.path}/accept", {"segments": list(SEGMENTS)})
                self.results.append((accepted["id"], self.seen[-1]))
            case verb:
                request(client, "POST", f"{path}/{verb}")


def write_script(series: PhantomSeries, seed: int, length: int) -> Script:
    """Return a script that accepts at its end: prompts of every kind, some undone, some of these done again."""
    rng = np.random.default_rng(seed)
    steps = [_prompt(series, rng, segment, include=True) for segment in SEGMENTS]
    can_redo = dict.fromkeys(SEGMENTS, False)
    depth = dict.fromkeys(SEGMENTS, 1)
    while len(steps) < length:
        segment = int(rng.choice(SEGMENTS))
        verb = rng.choice(("prompt", "prompt", "prompt", "undo", "redo"))
        if verb == "redo" and can_redo[segment]:
            steps.append(Step("redo", segment))
            can_redo[segment] = False
            depth[segment] += 1
        elif verb == "undo" and depth[segment] > 1 and not can_redo[segment]:
            steps.append(Step("undo", segment))
            can_redo[segment] = True
            depth[segment] -= 1
        else:
            steps.append(_prompt(series, rng, segment, include=bool(rng.random() < 0.8)))
            can_redo[segment] = False
            depth[segment] += 1
    return Script(series, (*steps, Step("accept")))


def _prompt(series: PhantomSeries, rng: np.random.Generator, segment: int, *, include: bool) -> Step:
    at = tuple(int(rng.integers(6, n - 6)) for n in series.voxels.shape)
    kind, axis = str(rng.choice(KINDS)), int(rng.integers(3))
    drawn = draw(kind, (at[0], at[1], at[2]), axis, series.affine, series.frame_of_reference_uid, include=include)
    return Step("prompt", segment, {**drawn.body, "id": str(uuid.UUID(bytes=rng.bytes(16), version=4))})


def equal(ones: dict[int, Labelmap], others: dict[int, Labelmap]) -> bool:
    """Tell whether both hold the same voxels."""
    return ones.keys() == others.keys() and all(labelmap.equals(others[n]) for n, labelmap in ones.items())


def is_stored(client: Client, result_id: str) -> bool:
    """Tell whether a result has come to its good end; a failed one is an error."""
    result = patiently(lambda: client.result(result_id))
    if result["state"] == "failed":
        raise ServiceError({"title": "not stored", "detail": result["reason"]})
    return bool(result["state"] == "stored")
