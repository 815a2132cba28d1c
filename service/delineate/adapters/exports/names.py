"""Names of exported files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from delineate.domain.ports import AcceptedSegment

MAX_WORDS = 40
"""Characters of a segment's label in a file name."""


def segment_stems(segments: Sequence[AcceptedSegment]) -> list[str]:
    """Return a file name without its ending for each segment: its number in the DICOM SEG, and its label in ASCII.

    The number keeps them apart; nothing of the label can lead to another folder.
    """
    digits = len(str(len(segments)))
    return [
        "-".join(filter(None, (f"segment-{number:0{digits}d}", _words(segment.description.label))))
        for number, segment in enumerate(segments, 1)
    ]


def _words(label: str) -> str:
    """Return what ASCII keeps of a label.

    >>> _words("Niere links (腎) / 2")
    'Niere-links-2'
    """
    ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9]+", "-", ascii_only).strip("-")[:MAX_WORDS].strip("-")
