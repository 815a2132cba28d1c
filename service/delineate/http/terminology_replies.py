"""What a terminology search answers."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from delineate.domain.segment import CodedConcept
from delineate.domain.terminology import TerminologyEntry
from delineate.http.schemas import CodeReply


class TerminologyEntryReply(BaseModel):
    """A type of segment, ready to be given to one."""

    label: str
    category: CodeReply
    type: CodeReply
    lateralities: list[CodeReply]
    """The sides to choose from; empty where the type's own meaning has one."""
    colour: tuple[int, int, int] | None
    """Recommended display colour, sRGB 0-255; null where no source recommends one."""


class TerminologyReply(BaseModel):
    """The entries that match, the best first."""

    entries: list[TerminologyEntryReply]

    @classmethod
    def of(cls, entries: Iterable[TerminologyEntry]) -> TerminologyReply:
        """Make the reply of entries."""
        return cls(
            entries=[
                TerminologyEntryReply(
                    label=entry.label,
                    category=_code(entry.category),
                    type=_code(entry.type),
                    lateralities=[_code(side) for side in entry.lateralities],
                    colour=entry.colour,
                )
                for entry in entries
            ]
        )


def _code(concept: CodedConcept) -> CodeReply:
    return CodeReply(value=concept.value, scheme=concept.scheme, meaning=concept.meaning)
