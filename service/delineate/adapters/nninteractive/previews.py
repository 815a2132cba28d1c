"""Partial answers while a prediction runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from delineate.adapters.nninteractive.session import Bounds
from delineate.domain.geometry import Box
from delineate.domain.labelmap import Labelmap, Region, Voxels, true_bounds


class Previews:
    """Follows a prediction and shows what it has so far.

    The first pass is shown when a second one follows it, then the coarse answer where it will be refined, then each
    refined patch. A last preview takes back what did not last, so that the previews alone lead to the final labelmap.

    Parameters
    ----------
    before
        The labelmap that the first preview changes.
    show
        Takes each preview; not called for one that changes nothing.
    """

    def __init__(self, before: Labelmap, show: Callable[[Region], None]) -> None:
        self._shape = before.shape
        self._shown = before
        self._show = show
        self._touched = Box.empty()
        self._bounds: Bounds = ()
        self._first: Voxels | None = None
        self._patches: list[Bounds] = []
        self._refining = False

    def looking(self, bounds: Bounds) -> None:
        """Remember where the next pass looks, and show the first one's answer if it was at full scale."""
        if self._first is not None:
            self._put(self._bounds, self._first)
        self._first = None
        self._bounds = bounds

    def refining(self, patches: Sequence[Bounds], coarse: torch.Tensor, bounds: Bounds) -> None:
        """Show the coarse answer inside the patches."""
        self._first = None
        self._refining = True
        self._patches = list(patches)
        answer = coarse.cpu().numpy() != 0
        whole = self._clipped(bounds)
        wanted = np.zeros(whole.shape, dtype=np.bool_)
        for patch in patches:
            wanted[_inside(self._clipped(patch), whole)] = True
        voxels = self._shown.crop(whole)
        voxels[wanted] = answer[_local(whole, bounds)][wanted]
        self._change(whole, voxels)

    def passed(self, logits: torch.Tensor) -> None:
        """Take a pass's answer: a refined patch is shown at once."""
        if not self._refining and self._touched.is_empty and self._first is None:
            self._first = _answer(logits)
        elif self._patches:
            self._put(self._patches.pop(0), _answer(logits))

    def finish(self, final: Callable[[Box], Voxels]) -> None:
        """Show the final values wherever a preview has changed something."""
        if not self._touched.is_empty:
            self._change(self._touched, final(self._touched))

    def _put(self, bounds: Bounds, answer: Voxels) -> None:
        box = self._clipped(bounds)
        if all(b - a == n for (a, b), n in zip(bounds, answer.shape, strict=True)) and not box.is_empty:
            self._change(box, answer[_local(box, bounds)])

    def _change(self, box: Box, voxels: Voxels) -> None:
        region = difference(self._shown, box, voxels)
        if not region.box.is_empty:
            self._shown = self._shown.apply(region)
            self._touched = self._touched.union(region.box)
            self._show(region)

    def _clipped(self, bounds: Bounds) -> Box:
        start = [min(max(0, int(a)), n) for (a, _), n in zip(bounds, self._shape, strict=True)]
        stop = [max(s, min(int(b), n)) for s, (_, b), n in zip(start, bounds, self._shape, strict=True)]
        return Box.from_bounds(list(zip(start, stop, strict=True)))


def difference(before: Labelmap, box: Box, voxels: Voxels) -> Region:
    """Return the smallest region that turns ``before`` into ``voxels`` inside ``box``; a copy."""
    inner = true_bounds(before.crop(box) != voxels)
    if inner.is_empty:
        return Region.empty()
    bounds = [(a + o, b + o) for a, b, o in zip(inner.start, inner.stop, box.start, strict=True)]
    return Region(Box.from_bounds(bounds), np.array(voxels[inner.slices], dtype=np.bool_, order="C"))


def _answer(logits: torch.Tensor) -> Voxels:
    """Return where the object's logit is larger: (k, j, i)."""
    answer: Voxels = (logits[0, 1] > logits[0, 0]).cpu().numpy()
    return answer


def _local(box: Box, bounds: Bounds) -> tuple[slice, ...]:
    """Index expression of ``box`` in an array that covers ``bounds``."""
    return tuple(slice(a - int(o), b - int(o)) for a, b, (o, _) in zip(box.start, box.stop, bounds, strict=True))


def _inside(box: Box, whole: Box) -> tuple[slice, ...]:
    """Index expression of the part of ``box`` that lies in ``whole``, in an array that covers ``whole``."""
    return tuple(
        slice(max(a, low) - low, max(max(a, low), min(b, high)) - low)
        for a, b, low, high in zip(box.start, box.stop, whole.start, whole.stop, strict=True)
    )
