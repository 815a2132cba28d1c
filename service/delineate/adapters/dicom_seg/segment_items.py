"""Items of the Segment Sequence: what they say of a segment, and what the next version keeps of them.

References
----------
PS3.3 C.8.20.2 (Segmentation Image module), C.8.20.4 (Segment Description macro), 8.8 (code sequences).
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from highdicom.color import CIELabColor
from pydicom import Dataset

from delineate.domain.errors import SegmentInvalid
from delineate.domain.ports import AcceptedSegment
from delineate.domain.segment import LATERALITY_CODES, MAX_LABEL, CodedConcept, SegmentDescription
from delineate.domain.segmentation import SegmentOrigin

PALETTE = ((230, 60, 60), (60, 160, 80), (70, 110, 220), (220, 170, 50), (160, 80, 190), (60, 180, 190))
"""Colours for segments without a recommended one, in turn."""

TYPE = ("SegmentedPropertyTypeCodeSequence", "SegmentedPropertyTypeModifierCodeSequence")
REGION = ("AnatomicRegionSequence", "AnatomicRegionModifierSequence")
"""Code sequences with the sequence of their modifiers."""
ALGORITHM = ("SegmentAlgorithmType", "SegmentAlgorithmName", "SegmentationAlgorithmIdentificationSequence")
MAX_SHORT_TEXT = 1024
"""Characters of a Short Text (PS3.5 6.2)."""
MAX_MEANING = 64


def described(item: Dataset) -> SegmentDescription:
    """Return what an item says of its segment, as far as the domain can say it."""
    sides = (m for of in (REGION, TYPE) for m in _modifiers(item, of) if _is_laterality(m))
    return SegmentDescription(
        label=_label(item),
        category=_first(item.get("SegmentedPropertyCategoryCodeSequence")),
        type=_first(item.get("SegmentedPropertyTypeCodeSequence")),
        region=_first(item.get("AnatomicRegionSequence")),
        laterality=_first(sides),
        colour=_colour(item),
    )


def origin_of(item: Dataset) -> SegmentOrigin:
    """Return what is to be remembered of an item; fails on one that could not be written into the next version."""
    remembered = item.to_json_dict()
    version = Dataset()
    version.SpecificCharacterSet = "ISO_IR 192"
    version.SegmentSequence = [Dataset.from_json(remembered)]
    version.save_as(BytesIO(), implicit_vr=False, little_endian=True)
    return SegmentOrigin(int(item.SegmentNumber), item.get("SegmentAlgorithmType") == "MANUAL", remembered)


def next_item(ours: Dataset, segment: AcceptedSegment) -> Dataset:
    """Return the item of a segment's next version: its origin's, with what changed taken from ``ours``."""
    if segment.origin is None:
        return ours
    item = Dataset.from_json(segment.origin.item)
    before, said = described(item), segment.description
    item.SegmentNumber = ours.SegmentNumber
    item.TrackingID, item.TrackingUID = segment.tracking_id, segment.tracking_uid
    if said.label != before.label:
        item.SegmentLabel = ours.SegmentLabel
    if said.colour != before.colour:
        item.RecommendedDisplayCIELabValue = ours.RecommendedDisplayCIELabValue
    if said.codes != before.codes:
        _take_codes(item, ours)
    if not segment.untouched:
        _take_algorithm(item, ours, segment)
    return item


def _take_codes(item: Dataset, ours: Dataset) -> None:
    """Take our codes; modifiers that are no laterality stay with the type, and the region, that they modify."""
    item.SegmentedPropertyCategoryCodeSequence = ours.SegmentedPropertyCategoryCodeSequence
    for of in (TYPE, REGION):
        codes, modifiers = of
        same = _first(item.get(codes)) == _first(ours.get(codes))
        kept = [m for m in _modifiers(item, of) if same and not _is_laterality(m)]
        taken = [*kept, *_modifiers(ours, of)]
        if codes in item:
            del item[codes]
        if codes in ours:
            item[codes] = ours[codes]
            if taken:
                setattr(item[codes][0], modifiers, taken)
    if "PrimaryAnatomicStructureSequence" in item:  # of the finding as it was
        del item.PrimaryAnatomicStructureSequence


def _modifiers(item: Dataset, of: tuple[str, str]) -> list[Dataset]:
    """Return the modifiers of a code sequence's first item."""
    codes, modifiers = of
    coded = item.get(codes) or []
    return list(coded[0].get(modifiers) or []) if coded else []


def _take_algorithm(item: Dataset, ours: Dataset, segment: AcceptedSegment) -> None:
    """Say who made the voxels now; a correction by hand leaves the algorithm that it corrects."""
    if segment.manual or segment.predicted or "SegmentAlgorithmName" not in item:
        for keyword in ALGORITHM:
            if keyword in item:
                del item[keyword]
            if keyword in ours:
                item[keyword] = ours[keyword]
    else:
        item.SegmentAlgorithmType = "SEMIAUTOMATIC"
    text, notice = str(item.get("SegmentDescription") or ""), str(ours.SegmentDescription)
    if notice not in text:
        item.SegmentDescription = f"{text[: MAX_SHORT_TEXT - len(notice) - 1]} {notice}".strip()


def _label(item: Dataset) -> str:
    text = "".join(c for c in str(item.get("SegmentLabel") or "") if c.isprintable() and c != "\\")
    return text[:MAX_LABEL].strip()


def _first(sequence: Iterable[Dataset] | None) -> CodedConcept | None:
    """Return a code sequence's first item; None if there is none, or one that is no short code."""
    for code in sequence or []:
        try:
            meaning = str(code.get("CodeMeaning") or "")[:MAX_MEANING]
            return CodedConcept(
                str(code.get("CodeValue") or ""), str(code.get("CodingSchemeDesignator") or ""), meaning
            )
        except SegmentInvalid:
            return None
    return None


def _is_laterality(code: Dataset) -> bool:
    return (str(code.get("CodingSchemeDesignator")), str(code.get("CodeValue"))) in LATERALITY_CODES


def _colour(item: Dataset) -> tuple[int, int, int]:
    """Return the recommended display colour, sRGB 0-255; one of the palette if there is none that can be read.

    References
    ----------
    PS3.3 C.10.7.1.1 (encoding of CIELab values).
    """
    value: Any = item.get("RecommendedDisplayCIELabValue")
    try:
        red, green, blue = CIELabColor.from_dicom_value([int(v) for v in value]).to_rgb(clip=True)
    except (TypeError, ValueError):
        return PALETTE[int(item.SegmentNumber) % len(PALETTE)]
    return round(red), round(green), round(blue)
