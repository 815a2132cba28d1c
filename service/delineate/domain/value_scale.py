"""What the numbers of a volume mean: their unit (UCUM), and, where it is not the best one, the reason.

References
----------
PS3.3 C.8.9.1.1 (Units of PET), C.11.1.1.2 (Rescale Type), C.8.2.1 (CT Image); PS3.16 CID 84, CID 301.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from delineate.domain.segment import CodedConcept


def ucum(value: str, meaning: str) -> CodedConcept:
    """Return a unit of measurement."""
    return CodedConcept(value, "UCUM", meaning)


NO_UNIT = ucum("1", "no units")
HOUNSFIELD = ucum("[hnsf'U]", "Hounsfield unit")
BECQUEREL_PER_ML = ucum("Bq/ml", "Becquerels/milliliter")
SUV_BW = ucum("{SUVbw}g/ml", "Standardized Uptake Value body weight")
"""As QIBA's profiles and most readers have it; CID 85 of the latest editions of the Standard has g/ml{SUVbw}."""

PET_UNITS = {
    "CNTS": ucum("{counts}", "Counts"),
    "NONE": NO_UNIT,
    "CM2": ucum("cm2", "Centimeter**2"),
    "CM2ML": ucum("cm2/ml", "Centimeter**2/milliliter"),
    "PCNT": ucum("%", "Percent"),
    "CPS": ucum("{counts}/s", "Counts per second"),
    "BQML": BECQUEREL_PER_ML,
    "MGMINML": ucum("mg/min/ml", "Milligrams/minute/milliliter"),
    "UMOLMINML": ucum("umol/min/ml", "Micromole/minute/milliliter"),
    "MLMING": ucum("ml/min/g", "Milliliter/minute/gram"),
    "MLG": ucum("ml/g", "Milliliter/gram"),
    "1CM": ucum("/cm", "/Centimeter"),
    "UMOLML": ucum("umol/ml", "Micromole/milliliter"),
    "PROPCNTS": ucum("{propcounts}", "Proportional to counts"),
    "PROPCPS": ucum("{propcounts}/s", "Proportional to counts per second"),
    "MLMINML": ucum("ml/min/ml", "Milliliter/minute/milliliter"),
    "MLML": ucum("ml/ml", "Milliliter/milliliter"),
    "GML": ucum("g/ml", "Grams/milliliter"),
    "STDDEV": ucum("{stddev}", "Standard deviations"),
}
"""Of Units (0054,1001)."""

RESCALE_TYPES = {
    "HU": HOUNSFIELD,
    "MGML": ucum("mg/ml", "mg/ml"),
    "ED": ucum("10*23/ml", "Electron Density"),
    "PCT": ucum("%", "Percent"),
}
"""Of Rescale Type (0028,1054), those for which there is a unit."""


@dataclass(frozen=True, slots=True)
class ValueScale:
    """How values are given: a voxel's value times ``factor`` is in ``unit``."""

    unit: CodedConcept
    factor: float = 1.0
    note: str | None = None
    """Why the values are not in the unit that one would expect of such a series; None if they are."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise ValueError("a scale has a positive factor")


MR = ValueScale(NO_UNIT, note="Intensities of MR have no unit, and do not compare between series.")


def ct_scale(rescale_types: Iterable[str | None], presumed: bool) -> ValueScale:
    """Return the scale of a CT volume.

    Parameters
    ----------
    rescale_types
        Rescale Type of each image or frame, None where it is absent.
    presumed
        Whether the Standard lets one presume Hounsfield units where it is absent.
    """
    found = {kind or ("HU" if presumed else None) for kind in rescale_types}
    if len(found) != 1:
        listed = ", ".join(sorted(str(kind or "none") for kind in found))
        return ValueScale(NO_UNIT, note=f"No unit is given: Rescale Type differs inside the series ({listed}).")
    (kind,) = found
    if kind is None:
        return ValueScale(NO_UNIT, note="No unit is given: the series does not say that it is in Hounsfield units.")
    if kind not in RESCALE_TYPES:
        return ValueScale(NO_UNIT, note=f"No unit is given: Rescale Type is {kind}, not HU.")
    return ValueScale(RESCALE_TYPES[kind])


def other_scale(units: Iterable[str | None], rescale_types: Iterable[str | None]) -> ValueScale:
    """Return the scale of a volume that is neither CT, PET nor MR, by its Units or its Rescale Type.

    Of both one value for each image or frame, None where it is absent.
    """
    named, kinds = set(units), set(rescale_types)
    for found, table in ((named, PET_UNITS), (kinds, RESCALE_TYPES)):
        if len(found) == 1 and (unit := table.get(found.pop() or "")) is not None:
            return ValueScale(unit)
    return ValueScale(NO_UNIT, note="No unit is given: the series does not name one.")
