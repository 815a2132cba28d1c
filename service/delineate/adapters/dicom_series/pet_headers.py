"""The attributes of a PET image that decide on SUV.

References
----------
PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET Isotope), C.8.9.4 (PET Image); PS3.5 7.8 (private data elements).
"""

from __future__ import annotations

import base64
import binascii
import io
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from pydicom import dcmread
from pydicom.valuerep import DA, DT, TM

from delineate.adapters.dicom_series.json_model import Item, items, number, text, texts
from delineate.domain.suv import PetImage, PetSeries

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PrivateElement:
    """A vendor's element, in whichever block of its group the creator has reserved."""

    group: str
    creator: str
    element: str

    def of(self, header: Item) -> object:
        """Return the element in the DICOM JSON model, None if there is none."""
        for block in range(0x10, 0x100):
            if _text_of(header.get(f"{self.group}00{block:02X}")) == self.creator:
                return header.get(f"{self.group}{block:02X}{self.element}")
        return None


GE_SCAN_DATE_TIME = PrivateElement("0009", "GEMS_PETD_01", "0D")
PHILIPS_SUV_FACTOR = PrivateElement("7053", "Philips PET Private Group", "00")
PHILIPS_ACTIVITY_FACTOR = PrivateElement("7053", "Philips PET Private Group", "09")
PRIVATE = (GE_SCAN_DATE_TIME, PHILIPS_SUV_FACTOR, PHILIPS_ACTIVITY_FACTOR)

MS_PER_S = 1000.0


def leaves_out_private(header: Item) -> bool:
    """Whether an archive gives a vendor's element only as bulk data: Orthanc does where it does not know its VR."""
    return any(_is_bulk(private.of(header)) for private in PRIVATE)


def private_elements(part10: bytes) -> Item:
    """Return the private elements of an instance, as far as they can be read."""
    groups = [int(private.group, 16) for private in PRIVATE]
    found: dict[str, Any] = {}
    try:
        dataset = dcmread(io.BytesIO(part10), stop_before_pixels=True)
        for group in groups:
            found |= dataset.group_dataset(group).to_json_dict()
    except Exception:  # a malformed file raises many things
        log.warning("private elements of an instance cannot be read")
    return found


def pet_image(header: Item, whole: Item) -> PetImage:
    """Read one instance's attributes; what is absent, empty or malformed is None.

    Parameters
    ----------
    header
        As the archive gives it.
    whole
        The private elements of an instance of the series, for those that the archive gives only as bulk data.
    """
    return PetImage(
        series=_series(header, whole),
        acquired_at=_date_time(text(header, "AcquisitionDate"), text(header, "AcquisitionTime")),
        reference_time_s=_seconds(number(header, "FrameReferenceTime")),
        duration_s=_seconds(number(header, "ActualFrameDuration")),
    )


def _series(header: Item, whole: Item) -> PetSeries:
    injections = items(header, "RadiopharmaceuticalInformationSequence")
    injection: Item = injections[0] if injections else {}
    zone = text(header, "TimezoneOffsetFromUTC")
    return PetSeries(
        units=text(header, "Units"),
        suv_type=text(header, "SUVType"),
        corrected=texts(header, "CorrectedImage"),
        decay_correction=text(header, "DecayCorrection"),
        weight_kg=number(header, "PatientWeight"),
        injections=len(injections),
        dose_bq=number(injection, "RadionuclideTotalDose"),
        half_life_s=number(injection, "RadionuclideHalfLife"),
        started_at=_date_time_value(text(injection, "RadiopharmaceuticalStartDateTime"), zone),
        started_time=_time(text(injection, "RadiopharmaceuticalStartTime")),
        series_at=_date_time(text(header, "SeriesDate"), text(header, "SeriesTime")),
        ge_scan_at=_date_time_value(_private(header, whole, GE_SCAN_DATE_TIME), zone),
        philips_suv_factor=_number(_private(header, whole, PHILIPS_SUV_FACTOR)),
        philips_activity_factor=_number(_private(header, whole, PHILIPS_ACTIVITY_FACTOR)),
    )


def _private(header: Item, whole: Item, private: PrivateElement) -> str | None:
    found = private.of(header)
    return _text_of(private.of(whole) if _is_bulk(found) else found)


def _is_bulk(element: object) -> bool:
    return isinstance(element, Mapping) and "BulkDataURI" in element


def _text_of(element: object) -> str | None:
    """Return an element's first value; of one whose VR the archive does not know (UN), its bytes as text."""
    if not isinstance(element, Mapping):
        return None
    values: Any = element.get("Value")
    if isinstance(values, list) and values:
        return str(values[0]).strip() or None
    inline = element.get("InlineBinary")
    try:
        raw = base64.b64decode(inline, validate=True).decode("ascii") if isinstance(inline, str) else ""
    except (binascii.Error, ValueError):
        return None
    return raw.strip(" \0") or None


def _number(value: str | None) -> float | None:
    try:
        found = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / MS_PER_S


def _time(value: str | None) -> time | None:
    try:
        found = TM(value) if value else None
    except ValueError:
        return None
    return time(found.hour, found.minute, found.second, found.microsecond) if found else None


def _date_time(date: str | None, of_day: str | None) -> datetime | None:
    """Return date and time in the series' own time zone."""
    try:
        day = DA(date) if date else None
    except ValueError:
        return None
    moment = _time(of_day)
    return datetime(day.year, day.month, day.day, *_parts(moment)) if day and moment else None


def _date_time_value(value: str | None, zone: str | None) -> datetime | None:
    """Return a date-time in the series' own time zone; None if its offset from UTC cannot be compared with that."""
    try:
        found = DT(value) if value and len(value) >= len("YYYYMMDDHHMM") else None
        if found is None:
            return None
        naive = datetime(found.year, found.month, found.day, *_parts(found))
        offset = found.utcoffset()
        if offset is None:
            return naive
        own = datetime.strptime(zone or "", "%z").utcoffset()
    except ValueError:
        return None
    return naive - offset + own if own is not None else None


def _parts(moment: time | datetime) -> tuple[int, int, int, int]:
    return (moment.hour, moment.minute, moment.second, moment.microsecond)
