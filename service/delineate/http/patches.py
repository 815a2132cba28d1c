"""Changes as patches, worded once for all who want them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated

from fastapi import Depends, Request

from delineate.domain.session import Change, patch_of
from delineate.http.schemas import PatchReply
from delineate.usecases.live import LiveSession
from delineate.usecases.meter import Meter, NoMeter

KEPT = 16
"""Patches that are remembered: a change is asked for by its request and by the windows that listen, all at one time."""


class _Wanted:
    """A change whose patch is wanted; the first who comes makes it, others wait."""

    def __init__(self, change: Change) -> None:
        self.change = change
        self.turn = threading.Lock()
        self.made: PatchReply | None = None


class Patches:
    """Makes the patch of a change, once."""

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter or NoMeter()
        self._wanted: OrderedDict[int, _Wanted] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, live: LiveSession, change: Change) -> PatchReply:
        """Return the change's patch. Takes milliseconds: not for the event loop."""
        with self._guard:
            wanted = self._wanted.setdefault(id(change), _Wanted(change))  # which keeps the change, and so its id
            while len(self._wanted) > KEPT:
                self._wanted.popitem(last=False)
        with wanted.turn:
            if wanted.made is None:
                geometry = live.plan.geometry
                wanted.made = PatchReply.of(patch_of(change, geometry.shape, geometry.voxel_volume_ml))
                self._meter.patch_made(len(wanted.made.voxels))
            return wanted.made


def patches(request: Request) -> Patches:
    """Return the running application's."""
    made: Patches = request.app.state.patches
    return made


PatchMaker = Annotated[Patches, Depends(patches)]
