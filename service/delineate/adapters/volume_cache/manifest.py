"""What an entry of the cache says of itself: the plan of its volume, and dtype and shape of its arrays."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from delineate.domain.records import plan_from_json, plan_to_json
from delineate.domain.volume import VolumePlan

FORMAT = 2
"""Counts up whenever the files, or the way in which voxels are computed, change: older entries are fetched again."""


class DamagedEntryError(Exception):
    """An entry is not what was written: cut off, changed, or of another format."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """An array in a file of its own: little else than its bytes, C order."""

    dtype: str
    """As in ``numpy.dtype.str``."""
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Self:
        """Describe an array."""
        return cls(array.dtype.str, array.shape)

    @property
    def nbytes(self) -> int:
        """Length of the file."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first thing that is read of an entry; it lists what belongs to it, and other files do not count."""

    fingerprint: str
    plan: Mapping[str, Any]
    """As in ``domain.records``."""
    arrays: Mapping[str, ArraySpec]

    @classmethod
    def of(cls, plan: VolumePlan, arrays: Mapping[str, ArraySpec]) -> Self:
        """Describe a volume."""
        return cls(plan.fingerprint, plan_to_json(plan), arrays)

    def with_array(self, name: str, spec: ArraySpec) -> Manifest:
        """Return this manifest with one more array."""
        return Manifest(self.fingerprint, self.plan, {**self.arrays, name: spec})

    def volume_plan(self) -> VolumePlan:
        """Return the plan of the volume."""
        return plan_from_json(self.plan)

    def encoded(self) -> bytes:
        """Return a line with the SHA-256 of the rest, then JSON."""
        body = json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def decoded(cls, data: bytes) -> Manifest:
        """Read what ``encoded`` wrote; DamagedEntryError if it is anything else."""
        checksum, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            raise DamagedEntryError("its manifest does not have its checksum")
        found = json.loads(body)
        if found["format"] != FORMAT:
            raise DamagedEntryError(f"it has format {found['format']}, not {FORMAT}")
        arrays = {name: ArraySpec(spec["dtype"], tuple(spec["shape"])) for name, spec in found["arrays"].items()}
        return cls(found["fingerprint"], found["plan"], arrays)
