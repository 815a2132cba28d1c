"""Functional groups of multi-frame instances; a single-frame instance answers as if it had them.

References
----------
PS3.3 C.7.6.16 (Multi-frame Functional Groups): a group is shared by all frames or given per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from delineate.adapters.dicom_series.json_model import Item, items


@dataclass(frozen=True, slots=True)
class FunctionalGroups:
    """The functional groups of one instance."""

    header: Item
    shared: Item
    per_frame: Sequence[Item]
    enhanced: bool
    """Whether the instance has functional groups at all."""

    @classmethod
    def of(cls, header: Item) -> Self:
        """Read them from an instance's attributes."""
        shared = items(header, "SharedFunctionalGroupsSequence")
        per_frame = items(header, "PerFrameFunctionalGroupsSequence")
        return cls(header, shared[0] if shared else {}, per_frame, bool(shared or per_frame))

    def describes(self, frames: int) -> bool:
        """Whether there is one description for each of so many frames."""
        return len(self.per_frame) == frames if self.enhanced else frames == 1

    def group(self, frame: int, sequence: str) -> Item:
        """Return the item of a functional group for a frame (from 0), empty if there is none.

        An instance without functional groups has the same attributes at its top level.
        """
        if not self.enhanced:
            return self.header
        found = items(self.per_frame[frame], sequence) or items(self.shared, sequence)
        return found[0] if found else {}
