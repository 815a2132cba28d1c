"""Volumes normalised for the model, one for all engines that work on the same series."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

import numpy as np
import torch

from delineate.domain.errors import ConstantVolume
from delineate.domain.volume import Volume

SAMPLES_PER_AXIS = 32
"""Of the voxels that are compared to tell two volumes apart that claim to be the same."""


class PreparedVolumes:
    """Makes and keeps the normalised volumes that engines use; forgets one with its last engine.

    Parameters
    ----------
    prepare
        Normalises a volume: float32 (1, k, j, i).
    """

    def __init__(self, prepare: Callable[[Volume], torch.Tensor]) -> None:
        self._prepare = prepare
        self._kept: WeakValueDictionary[tuple[str, str], torch.Tensor] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many normalised volumes are in use."""
        return len(self._kept)

    def get(self, volume: Volume) -> torch.Tensor:
        """Return the normalised volume, which nobody may write to.

        Raises
        ------
        ConstantVolume
            If the voxels have one value, or are not all finite.
        """
        key = (volume.plan.fingerprint, _sample(volume))
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                kept = _checked(self._prepare(volume))
                self._kept[key] = kept
            return kept


def _sample(volume: Volume) -> str:
    """Return a hash of some of the voxels: the archive may hold new pixels under the old UIDs."""
    steps = tuple(slice(None, None, max(1, n // SAMPLES_PER_AXIS)) for n in volume.voxels.shape)
    return hashlib.sha256(np.ascontiguousarray(volume.voxels[steps]).tobytes()).hexdigest()


def _checked(prepared: torch.Tensor) -> torch.Tensor:
    """Refuse a volume that normalisation has no answer for: one division by zero is enough to show in the sum."""
    if not torch.isfinite(prepared.sum()):
        raise ConstantVolume("all voxels are equal, or some are not finite numbers")
    return prepared
