"""Voxels of one segment, and the parts of them that change."""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import Box

Voxels = npt.NDArray[np.bool_]
"""Axes (k, j, i)."""

DEFLATE_LEVEL = 3
"""Of the raw deflate stream. Organs of 150^3 voxels: 2 to 6 ms; level 6 takes three times as long for a quarter (rough
surface) to two fifths (smooth) fewer bytes, level 4 is no smaller. A box whose rows are whole bytes (a multiple of 8
voxels along i) takes half the time and up to half the bytes.
"""

MAX_VOXELS = 2**30
"""That are ever unpacked: a few kilobytes could otherwise ask for more memory than there is."""


def pack(voxels: Voxels) -> bytes:
    """Encode voxels as ``bits-deflate``: C order, 1 bit each, most significant first, no row padding, raw deflate."""
    compressor = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(np.packbits(voxels.reshape(-1)).tobytes()) + compressor.flush()


def unpack(data: bytes, shape: tuple[int, int, int]) -> Voxels:
    """Decode ``bits-deflate`` into an array of ``shape`` (k, j, i).

    Inflates no more than the shape asks for, whatever the data holds.

    Raises
    ------
    ValueError
        If the data does not decode to exactly that many voxels, or the shape has more than MAX_VOXELS.
    """
    count = math.prod(shape)
    if count > MAX_VOXELS:
        raise ValueError(f"{count} voxels are more than {MAX_VOXELS}")
    expected = (count + 7) // 8
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        raw = decompressor.decompress(data, expected + 1)
    except zlib.error as error:
        raise ValueError("not a raw deflate stream") from error
    if len(raw) != expected or not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"{count} voxels take {expected} bytes once inflated")
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=count)
    return bits.view(np.bool_).reshape(shape)


def count_packed(data: bytes) -> int:
    """Count the true voxels of what `pack` returned, without unpacking them."""
    bits = np.frombuffer(zlib.decompress(data, -zlib.MAX_WBITS), dtype=np.uint8)
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def pack_text(voxels: Voxels) -> str:
    """Encode voxels as ``bits-deflate-base64``."""
    return base64.b64encode(pack(voxels)).decode("ascii")


def unpack_text(text: str, shape: tuple[int, int, int]) -> Voxels:
    """Decode ``bits-deflate-base64``; ValueError says what is wrong."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error, or a character beyond ASCII
        raise ValueError("not base64") from error
    return unpack(data, shape)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Absolute voxel values inside a box. Its view of the voxels is read-only; the array given must not change."""

    box: Box
    voxels: Voxels

    def __post_init__(self) -> None:
        if self.voxels.shape != self.box.shape or self.voxels.dtype != np.bool_:
            raise ValueError("a region has boolean voxels of its box's shape")
        view = self.voxels.view()
        view.setflags(write=False)
        object.__setattr__(self, "voxels", view)

    @classmethod
    def empty(cls) -> Region:
        """Return the region without a voxel."""
        return cls(Box.empty(), np.zeros((0, 0, 0), dtype=np.bool_))

    def tight(self) -> Region:
        """Return the smallest region that holds every true voxel."""
        inner = true_bounds(self.voxels)
        if inner.is_empty:
            return Region.empty()
        return Region(_shift(inner, self.box.start), np.ascontiguousarray(self.voxels[inner.slices]))


@dataclass(frozen=True, slots=True, eq=False)
class Labelmap:
    """All voxels of one segment: false outside the region. Immutable."""

    shape: tuple[int, int, int]
    region: Region = field(default_factory=Region.empty)

    def __post_init__(self) -> None:
        if not Box((0, 0, 0), self.shape).contains(self.region.box):
            raise ValueError(f"box {self.region.box.bounds} lies outside the volume {self.shape}")

    @classmethod
    def from_array(cls, voxels: npt.NDArray[np.generic]) -> Labelmap:
        """Make a labelmap from a full array (k, j, i): non-zero is inside."""
        mask = voxels.view(np.bool_) if voxels.dtype == np.bool_ else np.asarray(voxels != 0)
        k, j, i = mask.shape
        inner = true_bounds(mask)
        return cls((k, j, i), Region(inner, mask[inner.slices].copy()))

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is set."""
        return self.region.box.is_empty

    @property
    def count(self) -> int:
        """Number of voxels set."""
        return int(np.count_nonzero(self.region.voxels))

    def to_array(self) -> Voxels:
        """Return a full boolean array (k, j, i)."""
        full = np.zeros(self.shape, dtype=np.bool_)
        full[self.region.box.slices] = self.region.voxels
        return full

    def crop(self, box: Box) -> Voxels:
        """Return the voxels inside ``box``."""
        out = np.zeros(box.shape, dtype=np.bool_)
        inner = _intersection(box, self.region.box)
        if inner is not None:
            out[inner.relative_to(box)] = self.region.voxels[inner.relative_to(self.region.box)]
        return out

    def apply(self, change: Region) -> Labelmap:
        """Return the labelmap after the voxels of ``change`` were written."""
        if change.box.is_empty:
            return self
        outer = self.region.box.union(change.box)
        voxels = self.crop(outer)
        voxels[change.box.relative_to(outer)] = change.voxels
        return Labelmap(self.shape, Region(outer, voxels).tight())

    def change_to(self, after: Labelmap) -> Region:
        """Return the smallest region whose values turn this labelmap into ``after``; empty when they are equal."""
        outer = self.region.box.union(after.region.box)
        if outer.is_empty:
            return Region.empty()
        target = after.crop(outer)
        inner = true_bounds(self.crop(outer) != target)
        if inner.is_empty:
            return Region.empty()
        return Region(_shift(inner, outer.start), np.ascontiguousarray(target[inner.slices]))

    def equals(self, other: Labelmap) -> bool:
        """Whether both hold the same voxels."""
        return self.shape == other.shape and self.change_to(other).box.is_empty


@dataclass(frozen=True, slots=True)
class PackedRegion:
    """A region as the journal keeps it: the box, and its voxels as ``bits-deflate``."""

    box: Box
    data: bytes

    @classmethod
    def of(cls, region: Region) -> PackedRegion:
        """Pack a region."""
        return cls(region.box, pack(region.voxels))

    @property
    def count(self) -> int:
        """Number of voxels set."""
        return count_packed(self.data)

    def region(self) -> Region:
        """Unpack it."""
        return Region(self.box, unpack(self.data, self.box.shape))

    def labelmap(self, shape: tuple[int, int, int]) -> Labelmap:
        """Unpack it as the labelmap of a volume of ``shape`` (k, j, i)."""
        return Labelmap(shape, self.region())


NOTHING = PackedRegion.of(Region.empty())
"""The packed region of an empty labelmap."""


def true_bounds(mask: Voxels) -> Box:
    """Return the smallest half-open box that holds every true voxel of ``mask``."""
    slices = np.asarray(mask.reshape(mask.shape[0], mask.shape[1] * mask.shape[2]).any(axis=1))
    shadow = np.asarray(mask.any(axis=0))
    (k0, k1), (j0, j1), (i0, i1) = _span(slices), _span(shadow.any(axis=1)), _span(shadow.any(axis=0))
    return Box((k0, j0, i0), (k1, j1, i1)) if k1 > k0 else Box.empty()


def _span(hits: npt.ArrayLike) -> tuple[int, int]:
    """Return the half-open span from the first to the last hit."""
    where = np.flatnonzero(hits)
    return (int(where[0]), int(where[-1]) + 1) if where.size else (0, 0)


def _shift(box: Box, offset: tuple[int, int, int]) -> Box:
    k0, j0, i0 = (a + o for a, o in zip(box.start, offset, strict=True))
    k1, j1, i1 = (a + o for a, o in zip(box.stop, offset, strict=True))
    return Box((k0, j0, i0), (k1, j1, i1))


def _intersection(a: Box, b: Box) -> Box | None:
    k0, j0, i0 = (max(x, y) for x, y in zip(a.start, b.start, strict=True))
    k1, j1, i1 = (min(x, y) for x, y in zip(a.stop, b.stop, strict=True))
    if k1 <= k0 or j1 <= j0 or i1 <= i0:
        return None
    return Box((k0, j0, i0), (k1, j1, i1))
