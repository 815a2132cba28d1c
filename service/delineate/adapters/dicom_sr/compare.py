"""Whether the document that an archive gives back is the one that was stored."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, dcmread

from delineate.domain.errors import StoredDifferently
from delineate.domain.ports import StoredDifference

ESSENTIAL = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "CompletionFlag",
    "VerificationFlag",
    "PreliminaryFlag",
    "ConceptNameCodeSequence",
    "ContentTemplateSequence",
    "ContentSequence",
    "CurrentRequestedProcedureEvidenceSequence",
    "PredecessorDocumentsSequence",
)
"""Attributes that make the document: an archive that changes one of them has stored another one."""


def compare_documents(sent: bytes, received: bytes) -> StoredDifference:
    """Compare what was sent with what came back; see ``DicomSrCodec.compare``."""
    if sent == received:
        return StoredDifference()
    try:
        changed = _changes(dcmread(BytesIO(sent)), dcmread(BytesIO(received)))
    except Exception as error:  # whatever a parser raises on foreign bytes means the same
        raise StoredDifferently(
            "What the archive gives back cannot be read as the document that was stored "
            f"({type(error).__name__}). Check the archive's storage, then try the result again."
        ) from error
    if essential := [keyword for keyword in changed if keyword in ESSENTIAL]:
        raise StoredDifferently(
            f"The archive changed the document: {', '.join(essential)}. Look for rules in the archive that modify what "
            "it receives, then try the result again."
        )
    return StoredDifference(tuple(changed))


def _changes(ours: Dataset, theirs: Dataset) -> list[str]:
    """Return the keywords of the top level whose values differ; the character set follows from how it is encoded."""
    tags = sorted({*ours.keys(), *theirs.keys()})
    changed = [tag for tag in tags if not tag.is_private and tag.element and ours.get(tag) != theirs.get(tag)]
    names = [(ours if tag in ours else theirs)[tag].keyword or str(tag) for tag in changed]
    return [name for name in names if name != "SpecificCharacterSet"]
