"""What a segmentation says of itself: its segments, who and what made them, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from highdicom import AlgorithmIdentificationSequence, SOPClass
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from pydicom.valuerep import DT

from delineate import __version__
from delineate.domain import segment as domain
from delineate.domain.errors import SegmentUnnamed
from delineate.domain.model import ModelInfo
from delineate.domain.ports import Acceptance, AcceptedSegment

MANUFACTURER = "Delineate"
SERIES_NUMBER_OFFSET = 1000
"""Added to the source's Series Number, so that results list after the acquired series."""
MAX_SERIES_NUMBER = 2**31 - 1
"""Largest Integer String (PS3.5 6.2)."""
MAX_LONG_STRING = 64
"""Characters of a Long String (PS3.5 6.2)."""
SERIAL_NUMBER_DIGITS = 12
"""Hexadecimal digits of the weights' hash in Device Serial Number: enough to tell models apart."""

NOTICE = "Research use only, not a medical device."
DEMO_NOTICE = "Demo model, not for any real use."


def segment_descriptions(segments: Sequence[AcceptedSegment], model: ModelInfo) -> list[SegmentDescription]:
    """Return the Segment Sequence's items, numbered from 1 without gaps in the order given.

    References
    ----------
    PS3.3 C.8.20.2 (Segmentation Image module), C.8.20.4 (Segment Description macro).
    """
    return [_segment_description(number, segment, model) for number, segment in enumerate(segments, 1)]


def _segment_description(number: int, segment: AcceptedSegment, model: ModelInfo) -> SegmentDescription:
    said = segment.description
    if said.category is None or said.type is None or not said.label.strip():
        raise SegmentUnnamed(
            f"Segment {segment.number} ({said.label or 'without a label'}) needs a label, a category and a type to be "
            "stored. Choose them from the list and accept again."
        )
    item = SegmentDescription(
        segment_number=number,
        segment_label=said.label.strip(),
        segmented_property_category=_concept(said.category),
        segmented_property_type=_concept(said.type),
        algorithm_type="MANUAL" if segment.manual else "SEMIAUTOMATIC",
        algorithm_identification=None if segment.manual else _algorithm(model),
        tracking_uid=segment.tracking_uid,
        tracking_id=segment.tracking_id,
        anatomic_regions=None if said.region is None else [_concept(said.region)],
        display_color=CIELabColor.from_rgb(*said.colour),
    )
    of_type, of_region = said.lateralities
    if of_type is not None:
        item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [_concept(of_type)]
    if of_region is not None:
        item.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [_concept(of_region)]
    item.SegmentDescription = _notice(model, manual=segment.manual)
    return item


def _concept(concept: domain.CodedConcept) -> CodedConcept:
    return CodedConcept(concept.value, concept.scheme, concept.meaning)


def _algorithm(model: ModelInfo) -> AlgorithmIdentificationSequence:
    """Return the Segmentation Algorithm Identification Sequence (PS3.3 10.16, Algorithm Identification macro)."""
    return AlgorithmIdentificationSequence(
        name=long_string(model.name),
        family=codes.DCM.ArtificialIntelligence,
        version=long_string(model.version),
        source=MANUFACTURER,
        parameters={
            "model": model.id,
            "weights_sha256": model.weights_sha256,
            "licence": model.licence,
            "demo": "yes" if model.demo else "no",
            "notice": _notice(model, manual=False),
        },
    )


def _notice(model: ModelInfo, *, manual: bool) -> str:
    return f"{NOTICE} {DEMO_NOTICE}" if model.demo and not manual else NOTICE


def content_description(segments: Sequence[AcceptedSegment], model: ModelInfo) -> str:
    """Return Content Description: how it was made, and that it is not for clinical use; fits a Long String."""
    if all(segment.manual for segment in segments):
        return f"Manual. {NOTICE}"
    return f"{'Demo model' if model.demo else 'AI-assisted'}. {NOTICE}"


def device_serial_number(model: ModelInfo) -> str:
    """Name the device: the software has no serial number, its model's weights tell installations apart."""
    digest = f"-{model.weights_sha256[:SERIAL_NUMBER_DIGITS]}"
    return long_string(model.id)[: MAX_LONG_STRING - len(digest)] + digest


def software_versions() -> str:
    """Return Software Versions."""
    return f"delineate {__version__}"


def series_number(source: object) -> int:
    """Return a Series Number that lists the result after its source; ``source`` is the source's, if it has one."""
    try:
        number = int(str(source)) + SERIES_NUMBER_OFFSET
    except ValueError:
        return SERIES_NUMBER_OFFSET
    return number if 0 < number <= MAX_SERIES_NUMBER else SERIES_NUMBER_OFFSET


def stamp(segmentation: SOPClass, acceptance: Acceptance) -> None:
    """Date the segmentation by its acceptance, and derive what highdicom makes up, so that encoding is repeatable.

    The dates are in the acceptance's own time zone, or in the source's where it states one
    (Timezone Offset From UTC, which then holds for all of the instance: PS3.3 C.12.1.1.8).
    """
    accepted = _in_zone(acceptance.accepted_at, segmentation.get("TimezoneOffsetFromUTC"))
    date, time = accepted.strftime("%Y%m%d"), accepted.strftime("%H%M%S.%f")
    for what in ("InstanceCreation", "Series", "Content"):
        setattr(segmentation, f"{what}Date", date)
        setattr(segmentation, f"{what}Time", time)
    for equipment in segmentation.ContributingEquipmentSequence:
        equipment.ContributionDateTime = DT(date + time)
    organization = generate_uid(entropy_srcs=[acceptance.sop_instance_uid, "dimension organization"])
    for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _in_zone(moment: datetime, offset: object) -> datetime:
    try:
        zone = datetime.strptime(str(offset), "%z").tzinfo
    except ValueError:
        return moment
    return moment.astimezone(zone)


def long_string(text: str) -> str:
    """Return what a Long String can hold of a text (PS3.5 6.2)."""
    return "".join(c for c in text if c.isprintable() and c != "\\")[:MAX_LONG_STRING]
