"""What a series' headers say of its values."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.pet import FACTOR, make_pet, put_ge_scan_time, put_philips_factors
from tests.phantoms import PhantomSeries, copies, header, make_series

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.dicom_series.value_units import DicomScaleReader
from delineate.adapters.marching_cubes import MarchingCubes
from delineate.domain.labelmap import Labelmap
from delineate.domain.measurements import measure
from delineate.domain.surface import CellSurfaces
from delineate.domain.value_scale import ValueScale

SHAPE = (4, 10, 12)
Change = Callable[[Dataset], object]


def scale_of(series: PhantomSeries, *changes: Change, modality: str | None = None) -> ValueScale:
    """Read the scale after changing each instance."""
    datasets = copies(series)
    for dataset in datasets:
        for change in changes:
            change(dataset)
    return scale_of_headers([header(dataset) for dataset in datasets], modality)


def scale_of_headers(headers: list[dict[str, Any]], modality: str | None = None) -> ValueScale:
    plan = DicomSeriesReader().plan(headers, None)
    return DicomScaleReader().scale(replace(plan, modality=modality or plan.modality), headers, not_needed)


def not_needed(sop_instance_uid: str) -> bytes:
    raise AssertionError(f"{sop_instance_uid} was asked for")


def put(**attributes: Any) -> Change:
    def change(dataset: Dataset) -> None:
        for name, value in attributes.items():
            setattr(dataset, name, value)

    return change


def drop(*names: str) -> Change:
    def change(dataset: Dataset) -> None:
        for name in names:
            delattr(dataset, name)

    return change


# --- PET ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pet() -> PhantomSeries:
    return make_pet(shape=SHAPE)


def injection(dataset: Dataset) -> Dataset:
    item: Dataset = dataset.RadiopharmaceuticalInformationSequence[0]
    return item


def test_suv_of_a_series_with_a_slope_for_each_slice(pet: PhantomSeries) -> None:
    """The measured mean is that of the rescaled voxels, times the factor computed by hand."""
    scale = scale_of(pet)
    assert (scale.unit.value, scale.note) == ("{SUVbw}g/ml", None)
    reader = DicomSeriesReader()
    volume = reader.read(reader.plan(pet.headers(), None), pet.part10())
    inside = np.zeros(SHAPE, dtype=np.bool_)
    inside[:, 3:7, 4:9] = True
    found = measure(Labelmap.from_array(inside), volume, CellSurfaces.of(MarchingCubes()), scale)
    slopes = np.array([0.731 + 0.0137 * k for k in range(SHAPE[0])])[:, np.newaxis, np.newaxis]
    stored = np.rint(pet.voxels / slopes)
    by_hand = (stored * slopes)[inside].mean() * 70_000 / (350e6 / 2)
    assert found.values.mean == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (drop("Units"), "Units"),
        (put(Units=""), "Units"),
        (drop("CorrectedImage"), "Corrected Image"),
        (drop("DecayCorrection"), "Decay Correction"),
        (drop("PatientWeight"), "Patient's Weight"),
        (put(PatientWeight=None), "Patient's Weight"),
        (drop("RadiopharmaceuticalInformationSequence"), "Radiopharmaceutical Information Sequence"),
        (lambda d: injection(d).pop("RadionuclideTotalDose"), "Radionuclide Total Dose"),
        (lambda d: injection(d).pop("RadionuclideHalfLife"), "Radionuclide Half Life"),
        (
            lambda d: [injection(d).pop(f"RadiopharmaceuticalStart{x}") for x in ("DateTime", "Time")],
            "Radiopharmaceutical Start",
        ),
        (drop("SeriesTime"), "Series Time"),
        (drop("SeriesDate"), "Series Date"),
        (drop("AcquisitionTime"), "Acquisition Time"),
        (drop("AcquisitionDate"), "Acquisition Date"),
    ],
)
def test_no_suv_without_an_attribute(pet: PhantomSeries, change: Change, named: str) -> None:
    scale = scale_of(pet, change)
    assert scale.unit.value == ("1" if named == "Units" else "Bq/ml")
    assert scale.factor == 1
    assert scale.note is not None
    assert named in scale.note


def test_start_time_alone_suffices(pet: PhantomSeries) -> None:
    scale = scale_of(pet, lambda d: injection(d).pop("RadiopharmaceuticalStartDateTime"))
    assert scale.factor == pytest.approx(FACTOR)


def test_one_instance_that_says_otherwise(pet: PhantomSeries) -> None:
    headers = pet.headers()
    headers[2]["00101030"]["Value"] = [71.0]
    assert scale_of_headers(headers).note == "SUVbw is not given: Patient's Weight differs inside the series."


@pytest.mark.parametrize(("suv", "activity", "factor"), [("0.000551", "2.5", 0.000551), (None, "2.5", 2.5 * FACTOR)])
def test_philips_counts(pet: PhantomSeries, suv: str | None, activity: str, factor: float) -> None:
    scale = scale_of(pet, lambda d: put_philips_factors(d, suv, activity))
    assert scale.unit.value == "{SUVbw}g/ml"
    assert scale.factor == pytest.approx(factor)


def test_counts_of_another_vendor(pet: PhantomSeries) -> None:
    scale = scale_of(pet, put(Units="CNTS"))
    assert scale.unit.value == "{counts}"
    assert scale.note is not None


def test_ge_s_private_scan_time(pet: PhantomSeries) -> None:
    assert scale_of(pet, put_ge_scan_time).factor == pytest.approx(FACTOR)


@pytest.mark.parametrize(
    "unknown",
    [
        {"vr": "UN", "InlineBinary": base64.b64encode(b"20260102101500.00 ").decode()},
        {"vr": "UN", "InlineBinary": base64.b64encode(b"20260102101500.00\0").decode()},
    ],
)
def test_a_private_element_that_the_archive_does_not_know(pet: PhantomSeries, unknown: dict[str, Any]) -> None:
    datasets = copies(pet)
    for dataset in datasets:
        put_ge_scan_time(dataset)
    headers = [header(dataset) for dataset in datasets]
    for one in headers:
        one["0009110D"] = unknown
    assert scale_of_headers(headers).factor == pytest.approx(FACTOR)


def bulk_headers(series: PhantomSeries, *keys: str) -> list[dict[str, Any]]:
    """Private elements as an archive gives them that does not know them (Orthanc, of implicit VR)."""
    headers = series.headers()
    for one in headers:
        for key in keys:
            one[key] = {"vr": "UN", "BulkDataURI": "http://archive/bulk"}
    return headers


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_private_elements_that_are_bulk_data_are_read_from_an_instance(syntax: str) -> None:
    pet = make_pet(shape=SHAPE, transfer_syntax=syntax)
    for dataset in pet.datasets:
        put_ge_scan_time(dataset)
    headers = bulk_headers(pet, "0009110D")
    plan = DicomSeriesReader().plan(headers, None)
    files = dict(zip(pet.sop_uids, pet.part10(), strict=True))
    assert DicomScaleReader().scale(plan, headers, files.__getitem__).factor == pytest.approx(FACTOR)


def test_private_elements_of_an_instance_that_cannot_be_read_are_none(pet: PhantomSeries) -> None:
    headers = bulk_headers(pet, "70530010", "70531000")
    for one in headers:
        one["00541001"]["Value"] = ["CNTS"]
        one["70530010"] = {"vr": "LO", "Value": ["Philips PET Private Group"]}
    plan = DicomSeriesReader().plan(headers, None)
    assert DicomScaleReader().scale(plan, headers, lambda _: b"no DICOM").unit.value == "{counts}"


@pytest.mark.parametrize("value", ["not base64", base64.b64encode(b"\xff\xfe").decode(), 5])
def test_a_private_element_that_cannot_be_read_is_none(pet: PhantomSeries, value: object) -> None:
    """The scan's begin is then that of the earliest image, ten minutes later."""
    datasets = copies(pet)
    for dataset in datasets:
        put_ge_scan_time(dataset)
    headers = [header(dataset) for dataset in datasets]
    for one in headers:
        one["0009110D"] = {"vr": "UN", "InlineBinary": value}
    assert scale_of_headers(headers).factor == pytest.approx(FACTOR * 2 ** (600 / 6588))


@pytest.mark.parametrize(
    ("start", "zone", "factor"),
    [
        ("20260102082512", None, FACTOR),
        ("20260102082512.5+0100", "+0100", FACTOR),
        ("20260102072512+0000", "+0100", FACTOR),
        ("20260102072512+0000", None, None),
        ("202601", None, None),
        ("nonsense", None, None),
    ],
)
def test_time_zones(pet: PhantomSeries, start: str, zone: str | None, factor: float | None) -> None:
    """An offset from UTC counts only where the series' own is known; without a date-time there is the time of day."""

    def change(dataset: Dataset) -> None:
        if zone is not None:
            dataset.TimezoneOffsetFromUTC = zone
        injection(dataset).pop("RadiopharmaceuticalStartTime")

    datasets = copies(pet)
    for dataset in datasets:
        change(dataset)
    headers = [header(dataset) for dataset in datasets]
    for one in headers:
        one["00540016"]["Value"][0]["00181078"]["Value"] = [start]
    found = scale_of_headers(headers)
    assert (found.note is None) == (factor is not None)
    if factor is not None:
        assert found.factor == pytest.approx(factor, rel=1e-4)


def test_malformed_times_are_none(pet: PhantomSeries) -> None:
    headers = pet.headers()
    for one in headers:
        one["00080031"]["Value"] = ["25:99"]
    assert scale_of_headers(headers).note == "SUVbw is not given: Series Date or Series Time is missing."


# --- CT, MR, others -------------------------------------------------------------------------------


def test_ct_is_in_hounsfield_units() -> None:
    scale = scale_of(make_series(shape=SHAPE, modality="CT"))
    assert (scale.unit.value, scale.unit.scheme, scale.factor, scale.note) == ("[hnsf'U]", "UCUM", 1, None)


@pytest.mark.parametrize(("last", "code"), [("HU", "[hnsf'U]"), ("US", "1")])
def test_each_frame_of_enhanced_ct_names_its_unit(last: str, code: str) -> None:
    """The phantom says US."""

    def change(dataset: Dataset) -> None:
        frames = list(dataset.PerFrameFunctionalGroupsSequence)
        for item in frames:
            item.PixelValueTransformationSequence[0].RescaleType = "HU" if item is not frames[-1] else last

    series = make_series(shape=SHAPE, modality="CT", multiframe=True, rescale="per slice")
    assert scale_of(series, change).unit.value == code


def test_ct_without_rescale_type_is_in_hounsfield_units() -> None:
    series = make_series(shape=SHAPE)
    assert scale_of(series, drop("RescaleType")).unit.value == "[hnsf'U]"


@pytest.mark.parametrize(
    "change",
    [
        drop("RescaleType", "RescaleSlope", "RescaleIntercept"),
        lambda d: (drop("RescaleType")(d), put(MultienergyCTAcquisition="YES")(d)),
        lambda d: (drop("RescaleType")(d), put(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])(d)),
        lambda d: (drop("RescaleType")(d), put(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")(d)),
        put(RescaleType="US"),
        put(RescaleType="HU_MOD"),
        put(RescaleType="Z_EFF"),
    ],
)
def test_ct_of_no_known_unit(change: Change) -> None:
    scale = scale_of(make_series(shape=SHAPE), change)
    assert (scale.unit.value, scale.factor) == ("1", 1)
    assert scale.note is not None
    assert scale.note.startswith("No unit is given: ")


@pytest.mark.parametrize(("kind", "code"), [("MGML", "mg/ml"), ("ED", "10*23/ml"), ("PCT", "%")])
def test_ct_of_another_unit(kind: str, code: str) -> None:
    assert scale_of(make_series(shape=SHAPE), put(RescaleType=kind)).unit.value == code


def test_ct_whose_images_differ() -> None:
    headers = make_series(shape=SHAPE).headers()
    headers[1]["00281054"]["Value"] = ["US"]
    scale = scale_of_headers(headers)
    assert scale.note == "No unit is given: Rescale Type differs inside the series (HU, US)."


def test_a_modality_lut_names_the_unit() -> None:
    def change(dataset: Dataset) -> None:
        drop("RescaleType", "RescaleSlope", "RescaleIntercept")(dataset)
        table = Dataset()
        table.ModalityLUTType = "HU"
        dataset.ModalityLUTSequence = [table]

    assert scale_of(make_series(shape=SHAPE), change).unit.value == "[hnsf'U]"


def test_mr_has_no_unit() -> None:
    scale = scale_of(make_series(shape=SHAPE, modality="MR"), put(RescaleType="HU"))
    assert (scale.unit.value, scale.factor) == ("1", 1)
    assert scale.note is not None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put(Units="BQML"), "Bq/ml"),
        (put(RescaleType="HU"), "[hnsf'U]"),
        (put(RescaleType="US"), "1"),
        (lambda _: None, "1"),
    ],
)
def test_other_modalities(change: Change, code: str) -> None:
    assert scale_of(make_series(shape=SHAPE, modality="MR"), change, modality="NM").unit.value == code
