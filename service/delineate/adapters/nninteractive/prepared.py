"""Volumes normalised for the model, one for all engines that work on the same series."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from importlib.metadata import version
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import torch
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession
from torch.utils.dlpack import from_dlpack

from delineate.adapters.nninteractive.package import install
from delineate.domain.errors import ConstantVolume
from delineate.domain.volume import Volume, VolumePlan

NAME = f"nninteractive-{version('nninteractive')}-normalised"
"""Of the arrays in the cache: the package alone says how, whichever model is loaded."""

SAMPLES_PER_AXIS = 32
"""Of the voxels that are compared to tell two volumes apart that claim to be the same."""

Voxels = npt.NDArray[np.float32]
Derived = Callable[[VolumePlan, str, Callable[[], Voxels]], Voxels]
"""Returns an array that belongs to a plan's volume, made once for all who ask (ports.VolumeCache.derived)."""


def made_here(_plan: VolumePlan, _name: str, make: Callable[[], Voxels]) -> Voxels:
    """Make an array for this process alone."""
    return make()


class PreparedVolumes:
    """Makes and keeps the normalised volumes that engines use; forgets one with its last engine.

    Parameters
    ----------
    threads
        For torch's work on the CPU.
    derived
        Where arrays are made once for all processes.
    """

    def __init__(self, threads: int, derived: Derived = made_here) -> None:
        self._derived = derived
        self._threads = threads
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
        if kept is not None:
            return kept
        made = from_dlpack(self._derived(volume.plan, NAME, lambda: normalised(volume, self._threads)))
        with self._lock:
            return self._kept.setdefault(key, made)


def _sample(volume: Volume) -> str:
    """Return a hash of some of the voxels: the archive may hold new pixels under the old UIDs."""
    steps = tuple(slice(None, None, max(1, n // SAMPLES_PER_AXIS)) for n in volume.voxels.shape)
    return hashlib.sha256(np.ascontiguousarray(volume.voxels[steps]).tobytes()).hexdigest()


class _Normaliser(nnInteractiveInferenceSession):  # type: ignore[misc]  # the package has no types
    """A session without a model, for what it does to an image."""

    def _initialize_interactions(self, image_torch: torch.Tensor) -> None:
        """Make none."""


def normalised(volume: Volume, threads: int) -> Voxels:
    """Normalise a volume as the unmodified session does, by letting one do it; float32 (1, k, j, i).

    Raises
    ------
    ConstantVolume
        If the voxels have one value, or are not all finite: one division by zero is enough to show in the sum.
    """
    install()
    session = _Normaliser(torch.device("cpu"), torch_n_threads=threads, enable_undo=False)
    session.set_image(volume.voxels[None])
    try:
        session._finish_preprocessing_and_initialize_interactions()
    except ValueError as error:  # all voxels are zero
        session.preprocess_future = None  # or the session raises it again when it goes
        raise ConstantVolume("all voxels are zero") from error
    finally:
        session.executor.shutdown()
    prepared: torch.Tensor = session.preprocessed_image
    if not torch.isfinite(prepared.sum()):
        raise ConstantVolume("all voxels are equal, or some are not finite numbers")
    array: Voxels = prepared.numpy()
    return array
