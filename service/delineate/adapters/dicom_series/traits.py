"""What tells the volumes of one series apart.

A trait that *separates* always belongs to one volume only: images that differ in it are never stacked. One that
*resolves* may also vary inside a volume (each slice has its own acquisition time), so that it is used only where
several images lie at one position. Acquisition Number is neither: it counts whatever the vendor likes.

References
----------
PS3.3 C.7.6.16.2.2 (Frame Content), C.7.6.17 (Dimensions), C.7.6.16.2.7 (Cardiac Synchronization), C.8.13.5.9 (MR
Diffusion), C.8.13.5.4 (MR Echo), C.8.9.1 (PET timing).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from delineate.adapters.dicom_series.functional_groups import FunctionalGroups
from delineate.adapters.dicom_series.json_model import Item, integer, items, json_tag, number, numbers, text, texts

Value = str | float | tuple[float, ...] | None
Traits = Mapping[str, Value]
"""Value of each trait of an image, by the trait's name; absent where the header has none."""
Role = Literal["separates", "resolves contrast", "resolves time"]
Reader = Callable[[Item, FunctionalGroups, int], Value]

FRAME_TYPES = (
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "XAXRFFrameCharacteristicsSequence",
)
"""Functional groups that hold Frame Type."""

SPATIAL_POINTERS = {
    json_tag(keyword)
    for keyword in ("StackID", "InStackPositionNumber", "ImagePositionPatient", "ImageOrientationPatient")
}
"""Dimensions that say where a frame lies, not which volume it is of."""

MEANINGLESS_POINTERS = {json_tag(keyword) for keyword in ("AcquisitionNumber", "FrameAcquisitionNumber")}
"""Dimensions that never tell volumes apart."""


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that may tell volumes apart."""

    name: str
    """Used in the selector of a volume."""
    role: Role
    read: Reader
    unit: str = ""
    tolerance: float = 0.0
    """Numbers that differ by less are the same."""


def _top(reader: Callable[[Item, str], Value], *keywords: str) -> Reader:
    """Read the first of some attributes of the whole instance."""

    def read(header: Item, _groups: FunctionalGroups, _frame: int) -> Value:
        return next((found for keyword in keywords if (found := reader(header, keyword)) is not None), None)

    return read


def _grouped(sequence: str, enhanced: str, single: str, reader: Callable[[Item, str], Value] = number) -> Reader:
    """Read an attribute of a functional group, or its like in a single-frame instance."""

    def read(_header: Item, groups: FunctionalGroups, frame: int) -> Value:
        return reader(groups.group(frame, sequence), enhanced if groups.enhanced else single)

    return read


def _b_value(_header: Item, groups: FunctionalGroups, frame: int) -> Value:
    return number(groups.group(frame, "MRDiffusionSequence"), "DiffusionBValue")


def _gradient(header: Item, groups: FunctionalGroups, frame: int) -> Value:
    if not _b_value(header, groups, frame):
        return None
    diffusion = groups.group(frame, "MRDiffusionSequence")
    directions = items(diffusion, "DiffusionGradientDirectionSequence")
    return numbers(directions[0] if directions else diffusion, "DiffusionGradientOrientation")


def _image_type(header: Item, groups: FunctionalGroups, frame: int) -> Value:
    if not groups.enhanced:
        return "/".join(texts(header, "ImageType")) or None
    for sequence in FRAME_TYPES:
        group = groups.group(frame, sequence)
        found = (*texts(group, "FrameType"), *texts(group, "ComplexImageComponent"))
        if found:
            return "/".join(found)
    return None


def _stack(_header: Item, groups: FunctionalGroups, frame: int) -> Value:
    return text(groups.group(frame, "FrameContentSequence"), "StackID") if groups.enhanced else None


def _dimension_index(header: Item, groups: FunctionalGroups, frame: int) -> Value:
    if not groups.enhanced:
        return None
    pointers = [text(item, "DimensionIndexPointer") or "" for item in items(header, "DimensionIndexSequence")]
    index = numbers(groups.group(frame, "FrameContentSequence"), "DimensionIndexValues") or ()
    telling = [
        value
        for pointer, value in zip(pointers, index, strict=False)
        if pointer.upper() not in SPATIAL_POINTERS | MEANINGLESS_POINTERS
    ]
    return tuple(telling) or None


def _instance(header: Item, _groups: FunctionalGroups, _frame: int) -> Value:
    return text(header, "SOPInstanceUID") if (integer(header, "NumberOfFrames") or 1) > 1 else None


def _acquired(header: Item, groups: FunctionalGroups, frame: int) -> Value:
    if groups.enhanced:
        return text(groups.group(frame, "FrameContentSequence"), "FrameAcquisitionDateTime")
    return text(header, "AcquisitionDateTime") or text(header, "AcquisitionTime")


TRAITS = (
    Trait("image-type", "separates", _image_type),
    Trait("stack", "separates", _stack),
    Trait(
        "temporal-position",
        "separates",
        _grouped("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    ),
    Trait(
        "cardiac-phase",
        "separates",
        _grouped(
            "CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase", "NominalPercentageOfCardiacPhase"
        ),
        "%",
        0.01,
    ),
    Trait("b-value", "separates", _b_value, "s/mm2", 0.5),
    Trait("gradient", "separates", _gradient, "", 0.005),
    Trait("echo-time", "separates", _grouped("MREchoSequence", "EffectiveEchoTime", "EchoTime"), "ms", 0.005),
    Trait("dimension-index", "resolves contrast", _dimension_index),
    Trait("echo", "resolves contrast", _top(number, "EchoNumbers")),
    Trait("inversion-time", "resolves contrast", _top(number, "InversionTime"), "ms", 0.005),
    Trait("flip-angle", "resolves contrast", _top(number, "FlipAngle"), "degrees", 0.005),
    Trait("tube-voltage", "resolves contrast", _top(number, "KVP"), "kV", 0.005),
    Trait("kernel", "resolves contrast", _top(text, "ConvolutionKernel")),
    Trait("frame-reference-time", "resolves time", _top(number, "FrameReferenceTime"), "ms", 0.5),
    Trait(
        "trigger-time",
        "resolves time",
        _grouped("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "TriggerTime"),
        "ms",
        0.005,
    ),
    Trait("acquisition-time", "resolves time", _acquired),
    Trait("instance", "resolves time", _instance),
)
"""All traits; the names of volumes list them in this order."""


def traits_of(header: Item, groups: FunctionalGroups, frame: int) -> dict[str, Value]:
    """Return the traits of a frame (from 0) that its header gives."""
    found = ((trait.name, trait.read(header, groups, frame)) for trait in TRAITS)
    return {name: value for name, value in found if value is not None}
