"""What the SEG readers are tried on: sources, segments and encodings that have gone wrong somewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.phantoms import PhantomSeries, make_kind, make_series
from tests.readers.acceptances import Mask, blob, noise

from delineate.domain.ports import SegmentationEncoding

Shape = tuple[int, int, int]
SegmentsOf = Callable[[Shape], list[Mask]]


def two(shape: Shape) -> list[Mask]:
    first, second = blob(shape, (0.4, 0.5, 0.5), 0.3), blob(shape, (0.7, 0.6, 0.3), 0.2)
    return [first, second & ~first]


def overlapping(shape: Shape) -> list[Mask]:
    return [blob(shape, (0.4, 0.5, 0.5), 0.3), blob(shape, (0.5, 0.6, 0.4), 0.3), blob(shape, (0.45, 0.5, 0.5), 0.15)]


def corners(shape: Shape) -> list[Mask]:
    """Return one-voxel segments: the first voxel, the last, and one inside."""
    masks = [np.zeros(shape, np.bool_) for _ in range(3)]
    masks[0][0, 0, 0] = masks[1][-1, -1, -1] = masks[2][shape[0] // 2, shape[1] // 3, shape[2] // 4] = True
    return masks


def everywhere(shape: Shape) -> list[Mask]:
    """Return two segments that reach every slice, row and column, without a voxel in common."""
    first = noise(shape, 1)
    return [first, noise(shape, 2) & ~first]


def filled(shape: Shape) -> list[Mask]:
    """Return noise on every slice, so that there is no room for an empty frame."""
    return [noise(shape, 4)]


def three_slices(shape: Shape) -> list[Mask]:
    """Return noise on slices 1 to 3."""
    mask = noise(shape, 3)
    mask[0] = mask[4:] = False
    return [mask]


@dataclass(frozen=True)
class Case:
    """A source, its segments and the encoding."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the phantom."""
    segments: SegmentsOf = two
    encoding: SegmentationEncoding = "BINARY"
    volume: str | None = None
    """Kind of a series of several volumes; the second one is segmented."""

    def series(self) -> PhantomSeries:
        """Make the source."""
        if self.volume:
            return make_kind(self.volume, patient_id=self.name, **self.options).volumes[1]
        return make_series(patient_id=self.name, **self.options)

    @property
    def is_aligned(self) -> bool:
        """Whether each frame begins with a byte, or there is one frame only."""
        _, rows, columns = self.options.get("shape", (12, 20, 24))
        return self.encoding == "LABELMAP" or (rows * columns) % 8 == 0 or self.options["shape"][0] == 1


LYING = {"spacing": (3.0, 1.25, 0.8), "spacing_between_slices": 5.0}
JAPANESE = {"character_set": ["", "ISO 2022 IR 87"], "patient_name": "Yamada^Tarou=山田^太郎=やまだ^たろう"}
KOREAN = {"character_set": ["", "ISO 2022 IR 149"], "patient_name": "Hong^Gildong=洪^吉洞=홍^길동"}

CASES = (
    *(Case(f"{o}-single", {"orientation": o}) for o in ("axial", "sagittal", "coronal", "oblique")),
    *(Case(f"{o}-multi", {"orientation": o, "multiframe": True}) for o in ("axial", "sagittal", "coronal", "oblique")),
    Case("reversed", {"orientation": "oblique", "reversed_numbering": True}),
    Case("shuffled-multi", {"multiframe": True, "shuffled": True, "instances": 2, "orientation": "oblique"}),
    Case("anisotropic", {"spacing": (5.0, 0.4, 1.1), "shuffled": True, "modality": "MR"}),
    Case("rounded", {"orientation": "oblique", "position_decimals": 2, "orientation_decimals": 6}),
    Case("lying-spacing", LYING),
    Case("lying-spacing-multi", {**LYING, "multiframe": True}),
    Case("no-thickness", {"slice_thickness": None, "modality": "MR"}),
    Case("odd-length", {"shape": (12, 8, 9)}, three_slices),
    Case("odd-length-full", {"shape": (5, 8, 9)}, filled),
    Case("unaligned", {"shape": (12, 20, 23)}),
    Case("unaligned-odd", {"shape": (9, 19, 23), "shuffled": True, "orientation": "oblique"}, overlapping),
    Case("unaligned-labelmap", {"shape": (7, 9, 11)}, two, "LABELMAP"),
    Case("columns-not-8", {"shape": (12, 24, 18)}),
    Case("overlapping", {"orientation": "coronal"}, overlapping),
    Case("overlapping-multi", {"multiframe": True, "orientation": "sagittal"}, overlapping),
    Case("one-voxel", {"orientation": "oblique"}, corners),
    Case("edges", {"orientation": "sagittal", "reversed_numbering": True}, everywhere),
    Case("one-slice", {"shape": (1, 20, 24)}, everywhere),
    Case("iso-2022-japanese", JAPANESE),
    Case("iso-2022-korean", KOREAN),
    Case("latin-1", {"character_set": "ISO_IR 100", "patient_name": "Müller^Jörg"}),
    Case("utf-8", {"character_set": "ISO_IR 192", "patient_name": "Θεοδωράκης^Άννα=山田^花子"}),
    Case("labelmap", {"orientation": "oblique", "shuffled": True}, everywhere, "LABELMAP"),
    Case("labelmap-multi", {"multiframe": True}, two, "LABELMAP"),
    Case("b-value", volume="b-value"),
    Case("b-value-multi", {"multiframe": True}, volume="b-value"),
)
