"""What a segment is and where, from the segmentation's codes."""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.sr import CodeContentItem, CodedConcept, FindingSite, RelationshipTypeValues, TrackingIdentifier
from pydicom import Dataset
from pydicom.sr.codedict import codes

from delineate.adapters.dicom_sr.concepts import concept_of
from delineate.domain.segment import ANATOMY, LATERALITY_CODES


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """A segment's codes, as a measurement group has them.

    The site is the anatomic region if the segmentation states one, else the type itself where that is anatomy.
    """

    tracking: TrackingIdentifier
    category: CodedConcept
    type: CodedConcept
    site: FindingSite | None
    laterality: CodedConcept | None
    """Only where there is no site to have it."""

    @classmethod
    def of(cls, item: Dataset) -> Finding:
        """Read a Segment Sequence's item."""
        category = concept_of(item.SegmentedPropertyCategoryCodeSequence[0])
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        side = _laterality(kind.get("SegmentedPropertyTypeModifierCodeSequence"))
        regions = item.get("AnatomicRegionSequence")
        site = None
        if regions:
            own = _laterality(regions[0].get("AnatomicRegionModifierSequence"))
            site = FindingSite(concept_of(regions[0]), own or side)
        elif (category.scheme_designator, category.value) in ANATOMY:
            site = FindingSite(concept_of(kind), side)
        tracking = TrackingIdentifier(str(item.TrackingUID), str(item.TrackingID))
        return cls(tracking, category, concept_of(kind), site, side if site is None else None)

    @property
    def sites(self) -> list[FindingSite] | None:
        """The site, as templates take it."""
        return None if self.site is None else [self.site]

    def add_laterality(self, group: Dataset) -> None:
        """Modify the Finding of a measurement group by its laterality where no site has it."""
        if self.laterality is None:
            return
        (finding,) = (i for i in group.ContentSequence if i.name == codes.DCM.Finding)
        finding.ContentSequence = [
            CodeContentItem(codes.SCT.Laterality, self.laterality, RelationshipTypeValues.HAS_CONCEPT_MOD)
        ]


def _laterality(modifiers: list[Dataset] | None) -> CodedConcept | None:
    sides = (m for m in modifiers or () if (m.get("CodingSchemeDesignator"), m.get("CodeValue")) in LATERALITY_CODES)
    return next(map(concept_of, sides), None)
