"""Segments and their coded concepts."""

from __future__ import annotations

from dataclasses import dataclass

from delineate.domain.errors import SegmentInvalid

MAX_LABEL = 64
"""Characters of Segment Label (LO, PS3.5 6.2)."""


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


@dataclass(frozen=True, slots=True)
class SegmentDescription:
    """What a user says of a segment (all but the voxels)."""

    label: str = ""
    category: CodedConcept | None = None
    type: CodedConcept | None = None
    laterality: CodedConcept | None = None
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
