"""Standardized uptake values by body weight (SUVbw), where the headers allow them, else the reason why not.

``SUVbw = concentration [Bq/ml] x weight [g] / dose [Bq]``, the dose decayed to the moment to which the images were
corrected. The rules are those of QIBA's vendor-neutral SUV pseudo-code, but stricter where it would have to assume:
contradicting or implausible attributes give no SUV.

References
----------
QIBA, "SUV vendor-neutral pseudo-code" (also of the UPICT FDG-PET/CT protocol); PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET
Isotope), C.8.9.4 (PET Image).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, time, timedelta

from delineate.domain.value_scale import NO_UNIT, PET_UNITS, SUV_BW, ValueScale, ucum

GML_UNITS = {
    "BW": SUV_BW,
    "LBM": ucum("{SUVlbm}g/ml", "Standardized Uptake Value lean body mass (James)"),
    "IBW": ucum("{SUVibw}g/ml", "Standardized Uptake Value ideal body weight"),
}
"""Of SUV Type (0054,1006), where the source's Units are GML."""

SMALLEST_DOSE_BQ = 1e5
"""A smaller Radionuclide Total Dose was written in MBq: nobody is imaged with a ten-thousandth of the usual dose."""

LARGEST_WEIGHT_KG = 700.0
"""A larger Patient's Weight was written in grams."""

MOST_HALF_LIVES = 10.0
"""After so many nothing is left to be imaged: a longer decay means that one of the dates is wrong."""

LONGEST_HALF_LIFE_WITHOUT_DATE_S = 86_400.0
"""Of a longer-lived nuclide, time of day alone does not tell on which day it was given."""

SCAN_TIME_AGREEMENT = math.log2(1.01)
"""Half-lives by which the images' own times of the scan's begin may differ: 1 % of the SUV."""


@dataclass(frozen=True, slots=True)
class PetSeries:
    """What all images of a PET series say alike; None where an attribute is absent, empty or malformed."""

    units: str | None = None
    suv_type: str | None = None
    corrected: tuple[str, ...] = ()
    """Corrected Image."""
    decay_correction: str | None = None
    weight_kg: float | None = None
    injections: int = 0
    """Items of Radiopharmaceutical Information Sequence; what follows is of the first."""
    dose_bq: float | None = None
    half_life_s: float | None = None
    started_at: datetime | None = None
    """Radiopharmaceutical Start DateTime."""
    started_time: time | None = None
    """Radiopharmaceutical Start Time."""
    series_at: datetime | None = None
    """Series Date and Time."""
    ge_scan_at: datetime | None = None
    """GE's private scan date and time (0009,xx0D), GEMS_PETD_01."""
    philips_suv_factor: float | None = None
    """Philips' private SUV Scale Factor (7053,xx00), Philips PET Private Group: counts to SUVbw."""
    philips_activity_factor: float | None = None
    """Philips' private Activity Concentration Scale Factor (7053,xx09): counts to Bq/ml."""


@dataclass(frozen=True, slots=True)
class PetImage:
    """One image or frame of a PET series. Times of one series are in one time zone."""

    series: PetSeries
    acquired_at: datetime | None = None
    """Acquisition Date and Time."""
    reference_time_s: float | None = None
    """Frame Reference Time."""
    duration_s: float | None = None
    """Actual Frame Duration."""


NAMES = {
    "units": "Units",
    "suv_type": "SUV Type",
    "corrected": "Corrected Image",
    "decay_correction": "Decay Correction",
    "weight_kg": "Patient's Weight",
    "injections": "Radiopharmaceutical Information Sequence",
    "dose_bq": "Radionuclide Total Dose",
    "half_life_s": "Radionuclide Half Life",
    "started_at": "Radiopharmaceutical Start DateTime",
    "started_time": "Radiopharmaceutical Start Time",
    "series_at": "Series Date and Time",
    "ge_scan_at": "GE's private scan time",
    "philips_suv_factor": "Philips' private SUV Scale Factor",
    "philips_activity_factor": "Philips' private Activity Concentration Scale Factor",
}
"""What a person calls the fields of PetSeries."""


class _NoSuvError(Exception):
    """SUVbw cannot be given; the text says why."""


def pet_scale(images: Sequence[PetImage]) -> ValueScale:
    """Return the scale of a PET volume: SUVbw, or the source's own unit with the reason.

    Parameters
    ----------
    images
        All images of the series, also those of other volumes: the scan's begin is the earliest of all.
    """
    series = images[0].series
    try:
        _check_alike(images)
        if series.units == "GML":
            return _already_normalised(series)
        return ValueScale(SUV_BW, _factor(series, images))
    except _NoSuvError as reason:
        unit = PET_UNITS.get(series.units or "", NO_UNIT)
        return ValueScale(unit, note=f"SUVbw is not given: {reason}.")


def _check_alike(images: Sequence[PetImage]) -> None:
    found = {image.series for image in images}
    for field in fields(PetSeries):
        if len({getattr(series, field.name) for series in found}) > 1:
            raise _NoSuvError(f"{NAMES[field.name]} differs inside the series")


def _already_normalised(series: PetSeries) -> ValueScale:
    """Take the source at its word; without SUV Type, GML means body weight (PS3.3 C.8.9.1)."""
    unit = GML_UNITS.get(series.suv_type or "BW")
    if unit is None:
        raise _NoSuvError(f"the source's values are of SUV Type {series.suv_type}")
    note = None if unit == SUV_BW else f"SUVbw is not given: the source's values are of SUV Type {series.suv_type}."
    return ValueScale(unit, note=note)


def _factor(series: PetSeries, images: Sequence[PetImage]) -> float:
    """Return what turns the volume's values into SUVbw."""
    if series.units not in ("BQML", "CNTS"):
        raise _NoSuvError(f"Units is {series.units or 'missing'}, not BQML")
    for needed in ("ATTN", "DECY"):
        if needed not in series.corrected:
            raise _NoSuvError(f"Corrected Image does not contain {needed}")
    if series.decay_correction not in ("START", "ADMIN"):
        raise _NoSuvError(f"Decay Correction is {series.decay_correction or 'missing'}, not START or ADMIN")
    if series.units == "BQML":
        return _per_concentration(series, images)
    if series.philips_suv_factor:
        return _positive(series, "philips_suv_factor")
    if series.philips_activity_factor:
        return _positive(series, "philips_activity_factor") * _per_concentration(series, images)
    raise _NoSuvError("Units is CNTS, and none of Philips' private scale factors is there to tell what a count means")


def _per_concentration(series: PetSeries, images: Sequence[PetImage]) -> float:
    """Return SUVbw per Bq/ml."""
    weight = _positive(series, "weight_kg")
    if weight > LARGEST_WEIGHT_KG:
        raise _NoSuvError(f"Patient's Weight is {weight:g}, which cannot be kilograms")
    if series.injections != 1:
        raise _NoSuvError(
            "Radiopharmaceutical Information Sequence is missing"
            if series.injections == 0
            else f"Radiopharmaceutical Information Sequence has {series.injections} items, not one"
        )
    dose = _positive(series, "dose_bq")
    if dose < SMALLEST_DOSE_BQ:
        raise _NoSuvError(f"Radionuclide Total Dose is {dose:g}, which cannot be Becquerel")
    if series.decay_correction == "START":
        dose *= _remaining(series, images)
    return weight * 1000.0 / dose


def _remaining(series: PetSeries, images: Sequence[PetImage]) -> float:
    """Return the part of the dose that is left when the scan begins, to which START corrects."""
    half_life = _positive(series, "half_life_s")
    scanned_at = _scan_begin(series, images, half_life)
    half_lives = (scanned_at - _injection(series, scanned_at, half_life)).total_seconds() / half_life
    if half_lives < 0:
        raise _NoSuvError("the radiopharmaceutical was given after the scan had begun")
    if half_lives > MOST_HALF_LIVES:
        raise _NoSuvError(f"the radiopharmaceutical was given {half_lives:.0f} half-lives before the scan")
    return float(2.0**-half_lives)


def _scan_begin(series: PetSeries, images: Sequence[PetImage], half_life: float) -> datetime:
    """Return when the scan began.

    Series Date and Time are those of the scan unless they are after its images: then the series was made later, and the
    begin is GE's private scan time, or is computed back from the images.
    """
    if series.series_at is None:
        raise _NoSuvError("Series Date or Series Time is missing")
    acquired = [image.acquired_at for image in images if image.acquired_at is not None]
    if len(acquired) < len(images):
        raise _NoSuvError("Acquisition Date or Acquisition Time is missing")
    if series.series_at <= min(acquired):
        return series.series_at
    if series.ge_scan_at is not None:
        return series.ge_scan_at
    computed = [begin for image in images if (begin := _computed_begin(image, half_life)) is not None]
    if len(computed) < len(images):
        return min(acquired)
    spread = (max(computed) - min(computed)).total_seconds()
    if spread > SCAN_TIME_AGREEMENT * half_life:
        raise _NoSuvError(f"the images contradict each other by {spread:.0f} s on when the scan began")
    return min(computed)


def _computed_begin(image: PetImage, half_life: float) -> datetime | None:
    """Compute when the scan began from the moment of a frame's average count rate.

    Acquisition Date and Time are the frame's begin; Frame Reference Time is from the scan's begin to that moment.
    """
    reference, duration = image.reference_time_s or 0.0, image.duration_s or 0.0
    if image.acquired_at is None or reference <= 0 or duration <= 0:
        return None
    constant = math.log(2.0) / half_life
    decay = constant * duration
    average = math.log(decay / -math.expm1(-decay)) / constant
    return image.acquired_at + timedelta(seconds=average - reference)


def _injection(series: PetSeries, scanned_at: datetime, half_life: float) -> datetime:
    """Return when the radiopharmaceutical was given: by date and time, or else the last such time before the scan."""
    if series.started_at is not None:
        return series.started_at
    if series.started_time is None:
        raise _NoSuvError("Radiopharmaceutical Start DateTime and Start Time are missing")
    if half_life > LONGEST_HALF_LIFE_WITHOUT_DATE_S:
        raise _NoSuvError("Radiopharmaceutical Start DateTime is missing, and with so long a half-life the day matters")
    started_at = datetime.combine(scanned_at.date(), series.started_time)
    return started_at if started_at <= scanned_at else started_at - timedelta(days=1)


def _positive(series: PetSeries, name: str) -> float:
    value: float | None = getattr(series, name)
    if value is None or not math.isfinite(value) or value <= 0:
        raise _NoSuvError(f"{NAMES[name]} is {'missing' if not value else f'{value:g}'}")
    return value
