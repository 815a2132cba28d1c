"""What a terminology search answers."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from delineate.domain.segment import CodedConcept, SegmentDescription
from delineate.domain.terminology import TerminologyEntry
from delineate.http.schemas import CodeReply


class TerminologyEntryReply(BaseModel):
    """A type of segment, ready to be given to one."""

    label: str
    category: CodeReply
    type: CodeReply
    lateralities: list[CodeReply]
    """The sides to choose from; empty where the type's own meaning has one."""
    takes_region: bool
    """Whether it can be in an anatomic region (``among=regions``), rather than being one."""
    colour: tuple[int, int, int] | None
    """Recommended display colour, sRGB 0-255; null where no source recommends one."""


class PresetReply(BaseModel):
    """A name that the site gives its segments, ready to be given to one."""

    label: str
    category: CodeReply
    type: CodeReply
    region: CodeReply | None
    laterality: CodeReply | None
    colour: tuple[int, int, int]
    """sRGB 0-255."""

    @classmethod
    def of(cls, preset: SegmentDescription) -> PresetReply:
        """Make the reply of a preset, which is named."""
        codes = [_code(code) for code in (preset.category, preset.type) if code is not None]
        region, side = (_code(code) if code is not None else None for code in (preset.region, preset.laterality))
        return cls(
            label=preset.label,
            category=codes[0],
            type=codes[1],
            region=region,
            laterality=side,
            colour=preset.colour,
        )


class TerminologyReply(BaseModel):
    """The entries that match, the best first."""

    presets: list[PresetReply]
    """The site's own names that match, in the site's order."""
    entries: list[TerminologyEntryReply]

    @classmethod
    def of(cls, entries: Iterable[TerminologyEntry], presets: Iterable[SegmentDescription] = ()) -> TerminologyReply:
        """Make the reply of entries and presets."""
        return cls(
            presets=[PresetReply.of(preset) for preset in presets],
            entries=[
                TerminologyEntryReply(
                    label=entry.label,
                    category=_code(entry.category),
                    type=_code(entry.type),
                    lateralities=[_code(side) for side in entry.lateralities],
                    takes_region=entry.takes_region,
                    colour=entry.colour,
                )
                for entry in entries
            ],
        )


def _code(concept: CodedConcept) -> CodeReply:
    return CodeReply(value=concept.value, scheme=concept.scheme, meaning=concept.meaning)
