"""Volumes in memory-mapped files, shared by all threads and processes of one machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.adapters.volume_cache.entry import Entry
from delineate.adapters.volume_cache.files import allocate, map_to_write, written_behind
from delineate.adapters.volume_cache.manifest import ArraySpec, DamagedEntryError, Manifest
from delineate.adapters.volume_cache.names import VOXELS, check_derived, plan_key
from delineate.adapters.volume_cache.room import Room, disk_faults_worded
from delineate.domain.errors import CacheError
from delineate.domain.ports import CacheUsage, FillVoxels, WhileWaiting
from delineate.domain.volume import Volume, VolumePlan
from delineate.durable_files import sync
from delineate.file_locks import HeldLock, exclusive, nothing

_log = logging.getLogger(__name__)


class FileVolumeCache:
    """A folder of volumes with a budget (port ``VolumeCache``); any number of threads and processes may share it.

    An array keeps its entry from being removed as long as any view of it lives.

    Parameters
    ----------
    folder
        On a local disk; made if absent, readable by its owner only. Holds patient data (voxels and UIDs).
    budget_bytes
        Most bytes of all entries together.
    """

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        with disk_faults_worded(folder):
            self._room = Room(folder, budget_bytes)
            self._room.sweep()

    def find(self, plan: VolumePlan) -> Volume | None:
        """Return the plan's volume if it is here, and count that as a use."""
        found = self._open(plan, VOXELS)
        return None if found is None else Volume(plan, found)

    def holds(self, fingerprint: str) -> bool:
        """Tell whether the volume of a plan with that fingerprint is there; that does not count as a use."""
        with self._worded():
            return self._room.entry(fingerprint).folder.is_dir()

    def remember(self, digest: str, plan: VolumePlan) -> None:
        """Keep, beside the plan's volume, that headers with this hash gave this plan."""
        with self._worded():
            self._room.link(plan_key(digest, plan.volume), plan.fingerprint)

    def recall(self, digest: str, volume: str | None) -> VolumePlan | None:
        """Return the plan that headers with this hash gave for a selector, if its volume is still there."""
        with self._worded():
            entry = self._room.linked(plan_key(digest, volume))
            try:
                return None if entry is None else replace(entry.manifest().volume_plan(), volume=volume)
            except DamagedEntryError:  # or it has gone
                return None

    def load(
        self,
        plan: VolumePlan,
        fill: FillVoxels,
        while_waiting: WhileWaiting = nothing,
        begin: Callable[[], object] = nothing,
    ) -> Volume:
        """Return the plan's volume, filled in once however many ask for it (port ``VolumeCache``)."""
        found = self.find(plan)
        if found is not None:
            return found
        with self._locked(plan, while_waiting):
            return self.find(plan) or Volume(plan, self._fetched(plan, fill, begin))

    def derived(
        self,
        plan: VolumePlan,
        name: str,
        make: Callable[[], npt.NDArray[Any]],
        while_waiting: WhileWaiting = nothing,
    ) -> npt.NDArray[Any]:
        """Return an array that was made from the plan's volume, made once (port ``VolumeCache``)."""
        check_derived(name)
        found = self._open(plan, name)
        if found is not None:
            return found
        with self._locked(plan, while_waiting):
            found = self._open(plan, name)
            return self._added(plan, name, make()) if found is None else found

    def usage(self) -> CacheUsage:
        """Return how full the cache is."""
        with self._worded():
            return CacheUsage(len(self._room.entries()), self._room.used_bytes(), self._room.budget_bytes)

    def purge(self, unused_for_s: float = 0.0) -> int:
        """Remove the volumes that nobody uses, and nobody used for so long; return how many."""
        with self._worded():
            return self._room.purge(time.time_ns() - int(unused_for_s * 1e9))

    # --- Reading --------------------------------------------------------------------------------

    def _open(self, plan: VolumePlan, name: str) -> npt.NDArray[Any] | None:
        entry = self._room.entry(plan.fingerprint)
        with self._worded():
            pin = entry.pin()
            return None if pin is None else self._pinned(entry, pin, plan, name)

    def _pinned(self, entry: Entry, pin: HeldLock, plan: VolumePlan, name: str) -> npt.NDArray[Any] | None:
        """Open an array of an entry; the pin goes with it, or is released."""
        try:
            found = _checked(entry, plan, name)
            array = None if found is None else entry.open(name, found, pin)
        except DamagedEntryError as fault:  # whoever holds the key's lock replaces it
            _log.warning("volume cache: a volume is damaged and has to be fetched again (%s)", fault)
            array = None
        except BaseException:
            pin.release()
            raise
        if array is None:
            pin.release()
        else:
            entry.touch()
        return array

    # --- Writing, with the key's lock held --------------------------------------------------------

    @contextmanager
    def _locked(self, plan: VolumePlan, while_waiting: WhileWaiting) -> Iterator[None]:
        with ExitStack() as held:
            with self._worded():
                held.enter_context(exclusive(self._room.key_lock(plan.fingerprint), while_waiting))
            yield

    def _fetched(self, plan: VolumePlan, fill: FillVoxels, begin: Callable[[], object]) -> npt.NDArray[np.float32]:
        begin()
        spec = ArraySpec(np.dtype(np.float32).str, plan.geometry.shape)
        manifest = Manifest.of(plan, {VOXELS: spec})
        with self._half_entry(plan.fingerprint, manifest) as (entry, pin):
            with written_behind(entry.path(VOXELS)):
                fill(map_to_write(entry.path(VOXELS), spec))
            with self._worded():
                sync(entry.path(VOXELS))
                entry.write_manifest(manifest)
                return self._room.publish(entry, plan.fingerprint).open(VOXELS, spec, pin)

    @contextmanager
    def _half_entry(self, key: str, manifest: Manifest) -> Iterator[tuple[Entry, HeldLock]]:
        """Make an entry with room for its voxels; remove it if the context fails."""
        spec = manifest.arrays[VOXELS]
        with self._worded(), self._room.claimed(spec.nbytes + len(manifest.encoded())):
            entry, pin = self._room.begin(key)
            try:
                allocate(entry.path(VOXELS), spec.nbytes)
            except BaseException:
                self._drop(entry, pin)
                raise
        try:
            yield entry, pin
        except BaseException:
            self._drop(entry, pin)
            raise

    def _drop(self, entry: Entry, pin: HeldLock) -> None:
        self._room.remove(entry)
        pin.release()

    def _added(self, plan: VolumePlan, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Add an array to the plan's entry; where that is not possible, it stays in this process's memory."""
        values = np.ascontiguousarray(values)
        values.setflags(write=False)
        entry = self._room.entry(plan.fingerprint)
        pin = entry.pin()
        if pin is None:
            return values  # the volume itself is not in the cache
        try:
            return self._written(entry, name, values, pin)
        except (CacheError, DamagedEntryError) as fault:
            _log.warning("volume cache: %s stays in memory (%s)", name, fault)
            pin.release()
            return values
        except BaseException:
            pin.release()
            raise

    def _written(self, entry: Entry, name: str, values: npt.NDArray[Any], pin: HeldLock) -> npt.NDArray[Any]:
        spec = ArraySpec.of(values)
        manifest = entry.manifest().with_array(name, spec)
        path = entry.path(name)
        with self._worded():
            try:
                with self._room.claimed(spec.nbytes + len(manifest.encoded())):
                    allocate(path, spec.nbytes)
                map_to_write(path, spec)[...] = values
                sync(path)
                entry.write_manifest(manifest)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return entry.open(name, spec, pin)

    def _worded(self) -> AbstractContextManager[None]:
        return disk_faults_worded(self._room.root)


def _checked(entry: Entry, plan: VolumePlan, name: str) -> ArraySpec | None:
    """Return how an array of an entry is stored, None if the entry is sound but does not have it."""
    manifest = entry.manifest()
    voxels = manifest.arrays.get(VOXELS)
    if manifest.fingerprint != plan.fingerprint or voxels is None or voxels.shape != plan.geometry.shape:
        raise DamagedEntryError("it is the volume of another plan")
    return manifest.arrays.get(name)
