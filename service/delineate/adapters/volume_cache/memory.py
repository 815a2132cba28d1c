"""Volumes in this process's memory, for as long as somebody uses them, and the last few; nothing is on disk."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.adapters.volume_cache.names import VOXELS, check_derived, plan_key
from delineate.domain.ports import CacheUsage, FillVoxels, WhileWaiting
from delineate.domain.volume import Volume, VolumePlan
from delineate.file_locks import POLL_S, nothing

Key = tuple[str, str]
"""Fingerprint of the plan, name of the array."""
KEPT_PLANS = 100


class MemoryVolumeCache:
    """Shares volumes between the threads of one process (port ``VolumeCache``).

    Parameters
    ----------
    kept_bytes
        Of the arrays that were used last, which stay even if nobody uses them; the newest stays in any case if not 0.
    """

    def __init__(self, kept_bytes: int = 0) -> None:
        self._kept_bytes = kept_bytes
        self._arrays: weakref.WeakValueDictionary[Key, npt.NDArray[Any]] = weakref.WeakValueDictionary()
        self._kept: OrderedDict[Key, npt.NDArray[Any]] = OrderedDict()
        self._plans: dict[str, VolumePlan] = {}
        self._locks: weakref.WeakValueDictionary[str, _KeyLock] = weakref.WeakValueDictionary()
        self._guard = threading.Lock()

    def find(self, plan: VolumePlan) -> Volume | None:
        """Return the plan's volume if somebody uses it."""
        found = self._arrays.get((plan.fingerprint, VOXELS))
        if found is not None:
            self._keep((plan.fingerprint, VOXELS), found)
        return None if found is None else Volume(plan, found)

    def holds(self, fingerprint: str) -> bool:
        """Tell whether the volume of a plan with that fingerprint is in memory."""
        return (fingerprint, VOXELS) in self._arrays

    def remember(self, digest: str, plan: VolumePlan) -> None:
        """Keep that headers with this hash gave this plan."""
        with self._guard:
            self._plans[plan_key(digest, plan.volume)] = plan
            while len(self._plans) > KEPT_PLANS:
                del self._plans[next(iter(self._plans))]

    def recall(self, digest: str, volume: str | None) -> VolumePlan | None:
        """Return the plan that headers with this hash gave for a selector, if its volume is still there."""
        plan = self._plans.get(plan_key(digest, volume))
        return plan if plan is not None and self.holds(plan.fingerprint) else None

    def load(
        self,
        plan: VolumePlan,
        fill: FillVoxels,
        while_waiting: WhileWaiting = nothing,
        begin: Callable[[], object] = nothing,
    ) -> Volume:
        """Return the plan's volume, filled in once however many ask for it (port ``VolumeCache``)."""

        def make() -> npt.NDArray[np.float32]:
            begin()
            voxels = np.empty(plan.geometry.shape, dtype=np.float32)
            fill(voxels)
            return voxels

        return Volume(plan, self._shared((plan.fingerprint, VOXELS), make, while_waiting))

    def derived(
        self,
        plan: VolumePlan,
        name: str,
        make: Callable[[], npt.NDArray[Any]],
        while_waiting: WhileWaiting = nothing,
    ) -> npt.NDArray[Any]:
        """Return an array that was made from the plan's volume, made once (port ``VolumeCache``)."""
        check_derived(name)
        return self._shared((plan.fingerprint, name), make, while_waiting)

    def usage(self) -> CacheUsage:
        """Return how much is in use; there is no budget."""
        arrays = list(self._arrays.items())
        return CacheUsage(len({fingerprint for (fingerprint, _), _ in arrays}), sum(a.nbytes for _, a in arrays), None)

    def purge(self, unused_for_s: float = 0.0) -> int:  # noqa: ARG002
        """Remove nothing: what nobody uses is not here."""
        return 0

    def _shared(self, key: Key, make: Callable[[], npt.NDArray[Any]], while_waiting: WhileWaiting) -> npt.NDArray[Any]:
        with self._guard:
            lock = self._locks.get(key[0]) or _KeyLock()
            self._locks[key[0]] = lock
        with lock.held(while_waiting):
            found = self._arrays.get(key)
            if found is None:
                found = make()
                found.setflags(write=False)
                self._arrays[key] = found
            self._keep(key, found)
            return found

    def _keep(self, key: Key, array: npt.NDArray[Any]) -> None:
        if not self._kept_bytes:
            return
        with self._guard:
            self._kept[key] = array
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self._kept_bytes:
                self._kept.popitem(last=False)


class _KeyLock:
    """A lock that goes with its last user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self, while_waiting: WhileWaiting) -> Iterator[None]:
        while not self._lock.acquire(timeout=POLL_S):
            while_waiting()
        try:
            yield
        finally:
            self._lock.release()
