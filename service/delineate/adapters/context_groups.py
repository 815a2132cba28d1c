"""The types of segments and the anatomic regions that DICOM's context groups list, as pydicom carries them.

pydicom holds the SNOMED CT codes of the subset that DICOM may use without a licence, and no others. Neither the groups
nor pydicom recommend display colours.

References
----------
PS3.16 CID 4 (Anatomic Region), CID 7150 (Segmentation Property Category), CID 7151 (Segmentation Property Type) and
the groups it includes.
"""

from __future__ import annotations

from dataclasses import replace

from pydicom.sr.codedict import codes

from delineate.domain.segment import CodedConcept
from delineate.domain.terminology import TerminologyEntry

CATEGORIES = 7150
REGIONS = 4

TYPES_OF_CATEGORY = {
    "AnatomicalStructure": 7192,
    "Tissue": 7191,
    "PhysicalObject": 7193,
    "Function": 7195,
    "SpatialAndRelationalConcept": 7196,
    "BodySubstance": 7197,
    "Substance": 7198,
    "MorphologicallyAbnormalStructure": 7194,
}
"""Category, by its keyword in CID 7150, to the context group of its types; a type of several is of the first here."""

TYPES_BY_BODY_PART = (7154, 7155, 7160)
"""Context groups that name some types better: "Chest cavity" where that of the category has "Intra-thoracic"."""


def terminology_entries() -> list[TerminologyEntry]:
    """Return every type of segment once, with its category."""
    categories = _members(CATEGORIES)
    entries: dict[tuple[str, str], TerminologyEntry] = {}
    for category, group in TYPES_OF_CATEGORY.items():
        for concept in _members(group).values():
            entries.setdefault((concept.scheme, concept.value), TerminologyEntry(categories[category], concept))
    for group in TYPES_BY_BODY_PART:
        for concept in _members(group).values():
            key = (concept.scheme, concept.value)
            entries[key] = replace(entries[key], type=concept)
    return list(entries.values())


def anatomic_regions() -> list[TerminologyEntry]:
    """Return every region that a finding can be in, named as it is as a type of segment."""
    regions = {(concept.scheme, concept.value) for concept in _members(REGIONS).values()}
    return [entry for entry in terminology_entries() if (entry.type.scheme, entry.type.value) in regions]


def _members(group: int) -> dict[str, CodedConcept]:
    """Return a context group's concepts by their keywords."""
    concepts = getattr(codes, f"cid{group}").concepts
    return {name: CodedConcept(code.value, code.scheme_designator, code.meaning) for name, code in concepts.items()}
