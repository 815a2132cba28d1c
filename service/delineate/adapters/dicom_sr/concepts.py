"""Codes that the documents use."""

from __future__ import annotations

from collections.abc import Mapping

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom import Dataset

from delineate.domain import segment as domain
from delineate.domain.value_scale import BECQUEREL_PER_ML, HOUNSFIELD, SUV_BW

PRIVATE = "99DELINEATE"
"""Coding scheme of what the Standard has no code for."""
PRIVATE_SCHEME = CodingSchemeIdentificationItem(
    designator=PRIVATE, name="Delineate's private codes", responsible_organization="Delineate"
)

LONG_AXIS = CodedConcept("103339001", "SCT", "Long Axis")
SHORT_AXIS = CodedConcept("103340004", "SCT", "Short Axis")
"""The longest diameter in the acquired plane, and its perpendicular, as viewers' bidimensional tools name them."""
LONGEST_IN_SPACE = CodedConcept("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh")
VOLUME = CodedConcept("118565006", "SCT", "Volume")
VOLUME_OF_MESH = CodedConcept("RNU0", "IBSI", "Volume of Mesh")
SURFACE_AREA = CodedConcept("C0JK", "IBSI", "Surface Area of Mesh")

MILLIMETRE = CodedConcept("mm", "UCUM", "mm")
SQUARE_MILLIMETRE = CodedConcept("mm2", "UCUM", "square millimeter")
CUBIC_CENTIMETRE = CodedConcept("cm3", "UCUM", "cubic centimeter")
"""1 cm3 is 1 mL; of the two CID 7462 has this."""
NO_UNIT = CodedConcept("1", "UCUM", "no units")

MEAN = CodedConcept("373098007", "SCT", "Mean")
STANDARD_DEVIATION = CodedConcept("386136009", "SCT", "Standard Deviation")
MINIMUM = CodedConcept("255605001", "SCT", "Minimum")
MAXIMUM = CodedConcept("56851009", "SCT", "Maximum")
PERCENTILE_CODES: Mapping[int, CodedConcept] = {
    5: CodedConcept("371888009", "SCT", "5th percentile"),
    10: CodedConcept("371890005", "SCT", "10th percentile"),
    50: CodedConcept("373099004", "SCT", "Median"),
    90: CodedConcept("371887004", "SCT", "90th percentile"),
    95: CodedConcept("371889001", "SCT", "95th percentile"),
}

INTENSITIES: Mapping[domain.CodedConcept, CodedConcept] = {
    HOUNSFIELD: CodedConcept("110850", "DCM", "X-Ray Attenuation"),
    SUV_BW: CodedConcept("126401", "DCM", "SUVbw"),
    BECQUEREL_PER_ML: CodedConcept("110821", "DCM", "Nuclear Medicine Tomographic Activity"),
}
"""What voxels measure (CID 7180), by their unit."""
MR_INTENSITY = CodedConcept("110852", "DCM", "MR signal intensity")
OTHER_INTENSITY = CodedConcept("voxel-value", PRIVATE, "Voxel value")

PROCEDURES: Mapping[str, CodedConcept] = {
    "CT": CodedConcept("25045-6", "LN", "CT unspecified body region"),
    "MR": CodedConcept("25056-3", "LN", "MRI unspecified body region"),
    "NM": CodedConcept("49118-3", "LN", "NM unspecified body region"),
    "PT": CodedConcept("44136-0", "LN", "PET unspecified body region"),
}
OTHER_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
"""Of CID 100: the source's modality is known, not what the study was for."""


def concept(code: domain.CodedConcept) -> CodedConcept:
    """Return a code of the domain's as highdicom has it."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def concept_of(item: Dataset) -> CodedConcept:
    """Return the code of a code sequence's item, without what else the item holds, such as modifiers."""
    code = CodedConcept.from_dataset(item)
    return CodedConcept(code.value, code.scheme_designator, code.meaning, code.scheme_version)


def percentile(rank: int) -> CodedConcept:
    """Return the derivation "n-th percentile"; private where neither DICOM nor SNOMED CT's free subset has it."""
    known = PERCENTILE_CODES.get(rank)
    return known if known is not None else CodedConcept(f"percentile-{rank}", PRIVATE, f"{rank}th percentile")


def intensity(unit: domain.CodedConcept, modality: str) -> CodedConcept:
    """Return the name of what the voxels measure."""
    return INTENSITIES.get(unit, MR_INTENSITY if modality == "MR" else OTHER_INTENSITY)
