"""Segments and their coded concepts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from delineate.domain.errors import SegmentInvalid

MAX_LABEL = 64
"""Characters of Segment Label (LO, PS3.5 6.2)."""

SIDE = re.compile(r"\b(?:left|right|bilateral|unilateral)\b", re.IGNORECASE)
"""Words by which a code's meaning says which side it is on: "Left atrium", "Middle lobe of right lung"."""


@dataclass(frozen=True, slots=True)
class CodedConcept:
    """A code sequence item (PS3.3 8.8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        limits = (("value", self.value, 16), ("scheme", self.scheme, 16), ("meaning", self.meaning, 64))
        for name, text, limit in limits:
            if not text.strip() or len(text) > limit or "\\" in text or not text.isprintable():
                raise SegmentInvalid(
                    f"A code's {name} has 1 to {limit} printable characters without backslash; this one is {text!r}."
                )

    @property
    def states_side(self) -> bool:
        """Whether the code has a laterality in its own meaning, so that it takes no other.

        >>> CodedConcept("87878005", "SCT", "Left ventricle").states_side
        True
        """
        return SIDE.search(self.meaning) is not None


LATERALITIES = (
    CodedConcept("24028007", "SCT", "Right"),
    CodedConcept("7771000", "SCT", "Left"),
    CodedConcept("51440002", "SCT", "Right and left"),
)
"""The sides that a segment can be given (of CID 244, PS3.16); "Unilateral" says nothing that one can draw."""


RETIRED_SCHEMES = ("SRT", "SNM3")
"""SNOMED-RT, by the designators of older objects."""

LATERALITY_CODES = frozenset(
    {("SCT", code) for code in ("24028007", "7771000", "51440002", "66459002")}
    | {(scheme, code) for scheme in RETIRED_SCHEMES for code in ("G-A100", "G-A101", "G-A102", "G-A103")}
)
"""Scheme and value of the codes of CID 244 (Laterality, PS3.16), the retired ones for the same too."""

ANATOMY = frozenset(
    {("SCT", code) for code in ("91723000", "123037004", "85756007")}
    | {(scheme, code) for scheme in RETIRED_SCHEMES for code in ("T-D0005", "T-D000A", "T-D0050")}
)
"""Segmentation categories of what is itself a place in the body: anatomical and body structures, and tissue."""

CODES = ("category", "type", "region", "laterality")
"""The coded concepts of a segment's description."""


@dataclass(frozen=True, slots=True)
class SegmentDescription:
    """What a user says of a segment (all but the voxels)."""

    label: str = ""
    category: CodedConcept | None = None
    type: CodedConcept | None = None
    region: CodedConcept | None = None
    """The anatomic region that a finding is in (of CID 4, PS3.16); anatomy is its own."""
    laterality: CodedConcept | None = None
    """The side of the region if there is one, else of the type."""
    colour: tuple[int, int, int] = (255, 0, 0)
    """Recommended display colour, sRGB 0-255."""
    locked: bool = False

    def __post_init__(self) -> None:
        if len(self.label) > MAX_LABEL or "\\" in self.label or not (self.label.isprintable() or not self.label):
            raise SegmentInvalid(f"A label has at most {MAX_LABEL} printable characters without backslash.")
        if any(not 0 <= c <= 255 for c in self.colour):
            raise SegmentInvalid("A colour is three numbers from 0 to 255.")

    @property
    def is_named(self) -> bool:
        """Whether it has all that a DICOM SEG needs to name it."""
        return bool(self.label.strip()) and self.category is not None and self.type is not None

    @property
    def states_side_twice(self) -> bool:
        """Whether a laterality was given to a region, or without one to a type, that has one in its own meaning."""
        return self.laterality is not None and self.sided is not None and self.sided.states_side

    @property
    def codes(self) -> tuple[CodedConcept | None, ...]:
        """What it is, by codes alone, in the order of ``CODES``."""
        return self.category, self.type, self.region, self.laterality

    @property
    def sided(self) -> CodedConcept | None:
        """What the laterality is that of: the region, else the type."""
        return self.region or self.type

    @property
    def lateralities(self) -> tuple[CodedConcept | None, CodedConcept | None]:
        """The side as modifier of the type, and as modifier of the region: at most one of them is there."""
        return (self.laterality, None) if self.region is None else (None, self.laterality)
