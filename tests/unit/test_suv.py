"""SUVbw: a hand-computed example, each missing attribute, the vendors' private attributes, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from delineate.domain.suv import PetImage, PetSeries, pet_scale
from delineate.domain.value_scale import BECQUEREL_PER_ML, NO_UNIT, SUV_BW, ValueScale

SCAN = datetime(2026, 1, 2, 10, 15)
SERIES = PetSeries(
    units="BQML",
    corrected=("DECY", "ATTN", "SCAT"),
    decay_correction="START",
    weight_kg=70.0,
    injections=1,
    dose_bq=350e6,
    half_life_s=6588.0,
    started_at=SCAN - timedelta(seconds=6588),
    series_at=SCAN,
)
"""70 kg, 350 MBq of F-18, one half-life before the scan: 175 MBq are left; 70000 g / 175e6 Bq = 4e-4."""
FACTOR = 4e-4
FEMTO = 1e-12


def scale(*, acquired: datetime = SCAN, **changes: Any) -> ValueScale:
    return pet_scale([PetImage(replace(SERIES, **changes), acquired_at=acquired)])


def test_hand_computed_example() -> None:
    """10 kBq/ml are SUVbw 4."""
    found = scale()
    assert (found.unit, found.note) == (SUV_BW, None)
    assert found.unit.value == "{SUVbw}g/ml"
    assert 10_000 * found.factor == pytest.approx(4.0, rel=FEMTO)


def test_corrected_to_administration_the_dose_is_not_decayed() -> None:
    found = scale(decay_correction="ADMIN", half_life_s=None, started_at=None, series_at=None)
    assert found.unit == SUV_BW
    assert found.factor == pytest.approx(70_000 / 350e6, rel=FEMTO)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"units": None}, "Units is missing"),
        ({"corrected": ()}, "Corrected Image does not contain ATTN"),
        ({"corrected": ("DECY",)}, "Corrected Image does not contain ATTN"),
        ({"corrected": ("ATTN",)}, "Corrected Image does not contain DECY"),
        ({"decay_correction": None}, "Decay Correction is missing"),
        ({"weight_kg": None}, "Patient's Weight is missing"),
        ({"weight_kg": 0.0}, "Patient's Weight is missing"),
        (
            {"injections": 0, "dose_bq": None, "half_life_s": None},
            "Radiopharmaceutical Information Sequence is missing",
        ),
        ({"dose_bq": None}, "Radionuclide Total Dose is missing"),
        ({"dose_bq": 0.0}, "Radionuclide Total Dose is missing"),
        ({"half_life_s": None}, "Radionuclide Half Life is missing"),
        ({"started_at": None}, "Start DateTime and Start Time are missing"),
        ({"series_at": None}, "Series Date or Series Time is missing"),
    ],
)
def test_refused_for_each_missing_attribute(missing: dict[str, Any], named: str) -> None:
    found = scale(**missing)
    assert found.unit == (BECQUEREL_PER_ML if "units" not in missing else NO_UNIT)
    assert found.factor == 1
    assert found.note is not None
    assert found.note.startswith("SUVbw is not given: ")
    assert named in found.note


def test_refused_without_acquisition_time() -> None:
    found = pet_scale([PetImage(SERIES, acquired_at=SCAN), PetImage(SERIES)])
    assert found == ValueScale(
        BECQUEREL_PER_ML, note="SUVbw is not given: Acquisition Date or Acquisition Time is missing."
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"decay_correction": "NONE"}, "Decay Correction is NONE"),
        ({"weight_kg": -70.0}, "Patient's Weight is -70"),
        ({"weight_kg": 70_000.0}, "which cannot be kilograms"),
        ({"dose_bq": 350.0}, "which cannot be Becquerel"),
        ({"injections": 2}, "has 2 items, not one"),
        ({"started_at": SCAN + timedelta(seconds=1)}, "given after the scan had begun"),
        ({"started_at": SCAN - timedelta(days=2)}, "26 half-lives before the scan"),
    ],
)
def test_refused_for_what_cannot_be(wrong: dict[str, Any], named: str) -> None:
    found = scale(**wrong)
    assert found.unit == BECQUEREL_PER_ML
    assert found.note is not None
    assert named in found.note


def test_refused_if_the_images_contradict_each_other() -> None:
    images = [PetImage(SERIES, SCAN), PetImage(replace(SERIES, weight_kg=71.0), SCAN)]
    assert pet_scale(images).note == "SUVbw is not given: Patient's Weight differs inside the series."


@pytest.mark.parametrize(
    ("units", "code"),
    [("CPS", "{counts}/s"), ("PROPCPS", "{propcounts}/s"), ("CNTS", "{counts}"), ("MLMING", "ml/min/g"), ("ODD", "1")],
)
def test_other_units_stay_what_they_are(units: str, code: str) -> None:
    found = scale(units=units)
    assert (found.unit.value, found.factor) == (code, 1)
    assert found.note is not None
    assert "Units is" in found.note


# --- when the radiopharmaceutical was given -------------------------------------------------------


def test_start_time_alone_is_of_the_day_of_the_scan() -> None:
    half_life_before = (SCAN - timedelta(seconds=6588)).time()
    assert scale(started_at=None, started_time=half_life_before).factor == pytest.approx(FACTOR, rel=FEMTO)


def test_start_time_alone_after_the_scan_is_of_the_day_before() -> None:
    midnight = datetime(2026, 1, 2, 0, 30)
    found = scale(
        acquired=midnight, series_at=midnight, started_at=None, started_time=(midnight - timedelta(seconds=6588)).time()
    )
    assert found.factor == pytest.approx(FACTOR, rel=FEMTO)


def test_start_time_alone_is_not_enough_for_a_long_lived_nuclide() -> None:
    found = scale(started_at=None, started_time=time(9), half_life_s=78.4 * 3600)
    assert found.note is not None
    assert "the day matters" in found.note
    assert scale(half_life_s=78.4 * 3600).unit == SUV_BW


# --- when the scan began --------------------------------------------------------------------------

LATER = SCAN + timedelta(hours=5)
"""When a series was made of earlier images."""


def test_images_of_a_later_bed_do_not_move_the_begin() -> None:
    images = [PetImage(SERIES, SCAN + timedelta(minutes=4 * n)) for n in range(5)]
    assert pet_scale(images).factor == pytest.approx(FACTOR, rel=FEMTO)


def test_a_series_made_later_has_ge_s_private_scan_time() -> None:
    assert scale(series_at=LATER, ge_scan_at=SCAN, acquired=SCAN).factor == pytest.approx(FACTOR, rel=FEMTO)


def test_ge_s_private_scan_time_does_not_count_where_the_series_is_not_later() -> None:
    assert scale(ge_scan_at=LATER).factor == pytest.approx(FACTOR, rel=FEMTO)


def test_a_series_made_later_begins_with_its_earliest_image() -> None:
    images = [PetImage(replace(SERIES, series_at=LATER), SCAN + timedelta(minutes=n)) for n in (8, 0, 4)]
    assert pet_scale(images).factor == pytest.approx(FACTOR, rel=FEMTO)


def frame(begin_s: float, duration_s: float = 180.0) -> PetImage:
    """A frame that begins so long after the scan, its reference time the moment of its average count rate."""
    constant = math.log(2) / 6588.0
    average = -math.log((1 - math.exp(-constant * duration_s)) / (constant * duration_s)) / constant
    series = replace(SERIES, series_at=LATER)
    return PetImage(series, SCAN + timedelta(seconds=begin_s), begin_s + average, duration_s)


def test_a_series_made_later_is_computed_back_from_its_frames() -> None:
    """Also where its earliest frame is not the scan's first."""
    assert pet_scale([frame(1800.0), frame(2000.0)]).factor == pytest.approx(FACTOR, rel=1e-7)


def test_frames_that_contradict_each_other_give_no_suv() -> None:
    images = [frame(1800.0), replace(frame(2000.0), reference_time_s=100.0)]
    note = pet_scale(images).note
    assert note is not None
    assert "contradict each other by" in note


def test_without_reference_times_the_earliest_image_counts() -> None:
    images = [replace(frame(0.0), reference_time_s=0.0), frame(600.0)]
    assert pet_scale(images).factor == pytest.approx(FACTOR, rel=FEMTO)


# --- vendors and sources that have done it already ------------------------------------------------


def test_philips_counts_with_the_private_suv_factor() -> None:
    found = scale(units="CNTS", philips_suv_factor=0.000551, weight_kg=None, dose_bq=None)
    assert found == ValueScale(SUV_BW, 0.000551)


def test_philips_counts_with_the_private_activity_factor() -> None:
    found = scale(units="CNTS", philips_suv_factor=0.0, philips_activity_factor=2.5)
    assert found.unit == SUV_BW
    assert found.factor == pytest.approx(2.5 * FACTOR, rel=FEMTO)


def test_counts_need_the_corrections_too() -> None:
    found = scale(units="CNTS", philips_suv_factor=0.000551, corrected=("DECY",))
    assert found.unit.value == "{counts}"
    assert found.note == "SUVbw is not given: Corrected Image does not contain ATTN."


def test_philips_factors_do_not_count_for_becquerel() -> None:
    assert scale(philips_suv_factor=0.1, philips_activity_factor=2.5).factor == pytest.approx(FACTOR, rel=FEMTO)


@pytest.mark.parametrize("kind", [None, "BW"])
def test_grams_per_millilitre_are_suvbw_already(kind: str | None) -> None:
    assert scale(units="GML", suv_type=kind, corrected=(), weight_kg=None) == ValueScale(SUV_BW)


def test_grams_per_millilitre_of_lean_body_mass_stay_that() -> None:
    found = scale(units="GML", suv_type="LBM")
    assert (found.unit.value, found.factor) == ("{SUVlbm}g/ml", 1)
    assert found.note == "SUVbw is not given: the source's values are of SUV Type LBM."


def test_grams_per_millilitre_of_an_unknown_kind_are_no_suvbw() -> None:
    assert scale(units="GML", suv_type="ODD").unit.value == "g/ml"
