"""One slice of a phantom before it becomes an instance or a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds


@dataclass(eq=False)
class Plane:
    """Slice k; ``sop_uid`` and ``frame_number`` are filled in when it is written."""

    k: int
    stored: npt.NDArray[np.int64]
    """(rows, columns)."""
    position: tuple[float, ...]
    """(x, y, z) LPS mm of its first voxel's centre."""
    rescale: tuple[float, float] | None
    volume: int = 0
    vary: Callable[[Dataset, int], None] | None = None
    sop_uid: str = ""
    frame_number: int = 1

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Modality-rescaled values, (rows, columns)."""
        slope, intercept = self.rescale or (1.0, 0.0)
        return self.stored.astype(np.float64) * slope + intercept


def decimal(value: float, decimals: int | None = None) -> str:
    """Return a DICOM decimal string."""
    return format_number_as_ds(float(value) if decimals is None else round(float(value), decimals))
