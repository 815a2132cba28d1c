"""Every regular form of a series becomes exactly its voxels, at exactly its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MPEG4HP41, JPEG2000Lossless, RLELossless
from tests.phantoms import (
    TRANSFER_SYNTAXES,
    PhantomSeries,
    copies,
    header,
    make_series,
    part10,
)

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.domain.errors import ConstantVolume, PixelDataUnusable, SeriesIncomplete, UnsupportedPixels
from delineate.domain.geometry import VolumeGeometry
from delineate.domain.volume import Volume

SHAPE = (5, 13, 14)
ORIENTATIONS = ("axial", "sagittal", "coronal", "oblique")
ROUNDED = 0.02
"""Millimetres that rounding the header's positions to 0.01 mm may cost."""


def read(series: PhantomSeries) -> Volume:
    reader = DicomSeriesReader()
    return reader.read(reader.plan(series.headers(), None), series.part10())


def assert_exact(series: PhantomSeries, tolerance_mm: float = 1e-9) -> None:
    volume = read(series)
    assert np.array_equal(volume.voxels, series.voxels)
    assert_same_place(volume.geometry, series, tolerance_mm)
    assert volume.geometry.frame_of_reference_uid == series.frame_of_reference_uid
    assert tuple((s.sop_instance_uid, s.frame_number) for s in volume.plan.slices) == series.slices
    assert volume.plan.modality == series.spec.modality
    assert (volume.plan.study_instance_uid, volume.plan.series_instance_uid) == (series.study_uid, series.series_uid)


def assert_same_place(geometry: VolumeGeometry, series: PhantomSeries, tolerance_mm: float) -> None:
    """Compare the corners' positions in the patient."""
    far = np.array([n - 1 for n in series.voxels.shape])
    corners = np.array([[0, 0, 0], far, [far[0], 0, 0], [0, far[1], 0], [0, 0, far[2]]])
    expected = corners @ series.affine[:3, :3].T + series.affine[:3, 3]
    assert np.abs(geometry.to_patient(corners) - expected).max() <= tolerance_mm


@pytest.mark.parametrize("multiframe", [False, True])
@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientations(orientation: str, modality: str, *, multiframe: bool) -> None:
    assert_exact(make_series(shape=SHAPE, orientation=orientation, modality=modality, multiframe=multiframe))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("multiframe", [False, True])
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_transfer_syntaxes(syntax: str, *, multiframe: bool, signed: bool) -> None:
    assert_exact(
        make_series(shape=SHAPE, transfer_syntax=TRANSFER_SYNTAXES[syntax], multiframe=multiframe, signed=signed)
    )


FORMS: dict[str, dict[str, Any]] = {
    "numbered backwards": {"reversed_numbering": True},
    "shuffled": {"shuffled": True},
    "shuffled frames": {"shuffled": True, "multiframe": True},
    "frames backwards": {"reversed_numbering": True, "multiframe": True},
    "several multi-frame instances": {"multiframe": True, "instances": 3, "shuffled": True},
    "anisotropic": {"spacing": (0.5, 2.0, 0.25)},
    "MONOCHROME1": {"photometric": "MONOCHROME1"},
    "8 bits": {"bits": (8, 8), "signed": False},
    "8 bits, odd length": {"bits": (8, 8), "shape": (3, 5, 7)},
    "16 bits stored": {"bits": (16, 16), "signed": True},
    "10 bits stored, signed": {"bits": (16, 10), "signed": True},
    "32 bits": {"bits": (32, 20)},
    "fractional rescale": {"rescale": (0.4875, -17.25)},
    "fractional rescale, signed": {"rescale": (0.4875, -17.25), "signed": True, "bits": (16, 16)},
    "negative slope": {"rescale": (-1.5, 100.0)},
    "slope per slice": {"rescale": "per slice"},
    "slope per frame": {"rescale": "per slice", "multiframe": True, "modality": "MR"},
    "no rescale": {"rescale": "none"},
    "SpacingBetweenSlices lies": {"spacing_between_slices": 5.0},
    "SpacingBetweenSlices lies, multi-frame": {"spacing_between_slices": -5.0, "multiframe": True},
    "no SliceThickness": {"slice_thickness": None},
    "all transfer syntaxes in one series": {
        "shape": (18, 13, 14),
        "transfer_syntax": tuple(TRANSFER_SYNTAXES.values()),
    },
    "two slices": {"shape": (2, 9, 11)},
    "a patient name in ISO 2022": {
        "patient_name": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "character_set": ["", "ISO 2022 IR 87"],
    },
    "a patient name in UTF-8": {"patient_name": "Müller^Zoë=山田^太郎"},
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    assert_exact(make_series(**({"shape": SHAPE, "orientation": "oblique"} | FORMS[form])))


@pytest.mark.parametrize("spacing_mm", [0.3, 0.625, 1.0, 3.33])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_rounded_positions_and_directions_are_no_fault(orientation: str, spacing_mm: float) -> None:
    """Two decimals of a millimetre; six of a direction cosine."""
    series = make_series(
        shape=(30, 4, 5),
        spacing=(spacing_mm, 0.7, 0.7),
        orientation=orientation,
        position_decimals=2,
        orientation_decimals=6,
    )
    plan = DicomSeriesReader().plan(series.headers(), None)
    assert_same_place(plan.geometry, series, ROUNDED)


def test_directions_of_three_decimals_are_no_fault() -> None:
    assert_exact(make_series(shape=SHAPE, orientation="oblique", orientation_decimals=3), 0.05)


@pytest.mark.parametrize("multiframe", [False, True])
def test_single_slice_has_its_thickness(*, multiframe: bool) -> None:
    series = make_series(shape=(1, 9, 11), slice_thickness=2.5, spacing=(2.5, 1, 1), multiframe=multiframe)
    assert_exact(series)
    assert read(series).geometry.spacing_mm[0] == pytest.approx(2.5)


def test_acquisition_number_tells_nothing_apart() -> None:
    series = make_series(shape=SHAPE)
    datasets = copies(series)
    for n, dataset in enumerate(datasets):
        dataset.AcquisitionNumber = n
        dataset.AcquisitionTime = f"1015{n:02}"
        dataset.TriggerTime = str(n * 100)
    reader = DicomSeriesReader()
    plan = reader.plan([header(dataset) for dataset in datasets], None)
    assert plan.volume is None
    assert plan.geometry.shape == SHAPE


def test_modality_lut_is_applied() -> None:
    series = make_series(shape=(3, 9, 11), rescale="none", bits=(16, 8), modality="MR")
    datasets = copies(series)
    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table["LUTDescriptor"].VR = "US"
    table.ModalityLUTType = "US"
    table.LUTData = [7 * n for n in range(256)]
    table["LUTData"].VR = "US"
    for dataset in datasets:
        dataset.ModalityLUTSequence = [table]
    reader = DicomSeriesReader()
    plan = reader.plan(series.headers(), None)
    assert np.array_equal(reader.read(plan, map(part10, datasets)).voxels, 7 * series.voxels)


def test_instances_may_come_in_any_order_with_others_between() -> None:
    series, other = make_series(shape=SHAPE), make_series(shape=SHAPE)
    reader = DicomSeriesReader()
    plan = reader.plan(series.headers()[::-1], None)
    parts = [*other.part10()[:2], *series.part10()[::-1]]
    assert np.array_equal(reader.read(plan, parts).voxels, series.voxels)


def test_plan_does_not_depend_on_the_order_of_headers() -> None:
    series = make_series(shape=SHAPE)
    reader = DicomSeriesReader()
    assert reader.plan(series.headers(), None).fingerprint == reader.plan(series.headers()[::-1], None).fingerprint


def test_instance_that_does_not_come_is_named() -> None:
    series = make_series(shape=SHAPE)
    reader = DicomSeriesReader()
    with pytest.raises(SeriesIncomplete) as caught:
        reader.read(reader.plan(series.headers(), None), series.part10()[1:])
    assert caught.value.missing == (series.datasets[0].SOPInstanceUID,)


def test_instance_that_is_no_dicom_file_is_refused() -> None:
    series = make_series(shape=SHAPE)
    reader = DicomSeriesReader()
    with pytest.raises(PixelDataUnusable):
        reader.read(reader.plan(series.headers(), None), [b"no DICOM"])


def test_volume_over_the_limit_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(UnsupportedPixels, match="larger"):
        DicomSeriesReader(max_voxels=100).plan(make_series(shape=SHAPE).headers(), None)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 7),
        ("Columns", 13),
        ("SamplesPerPixel", 3),
        ("PhotometricInterpretation", "PALETTE COLOR"),
        ("ImagePositionPatient", ["0", "0", "0"]),
        ("RescaleSlope", "0"),
        ("BitsAllocated", 8),
    ],
)
def test_instance_that_belies_its_header_is_refused(keyword: str, value: Any) -> None:
    series = make_series(shape=SHAPE)
    datasets = copies(series)
    setattr(datasets[2], keyword, value)
    reader = DicomSeriesReader()
    with pytest.raises((PixelDataUnusable, UnsupportedPixels)) as caught:
        reader.read(reader.plan(series.headers(), None), map(part10, datasets))
    assert caught.value.instances == (series.sop_uids[2],)


@pytest.mark.parametrize("keyword", ["BitsAllocated", "PixelRepresentation", "BitsStored"])
def test_instance_without_pixel_attributes_is_refused(keyword: str) -> None:
    series = make_series(shape=SHAPE)
    datasets = copies(series)
    delattr(datasets[2], keyword)
    reader = DicomSeriesReader()
    with pytest.raises(PixelDataUnusable) as caught:
        reader.read(reader.plan(series.headers(), None), map(part10, datasets))
    assert caught.value.instances == (series.sop_uids[2],)


def test_transfer_syntax_that_is_unknown_here_is_named() -> None:
    series = make_series(shape=SHAPE, transfer_syntax=RLELossless)
    datasets = copies(series)
    datasets[1].file_meta.TransferSyntaxUID = MPEG4HP41
    reader = DicomSeriesReader()
    with pytest.raises(UnsupportedPixels, match="MPEG-4") as caught:
        reader.read(reader.plan(series.headers(), None), map(part10, datasets))
    assert caught.value.instances == (series.sop_uids[1],)


def test_values_that_are_not_finite_are_refused() -> None:
    series = make_series(shape=SHAPE, modality="MR")
    datasets = copies(series)
    datasets[1].RescaleSlope, datasets[1].RescaleIntercept = "1e39", "0"
    reader = DicomSeriesReader()
    with pytest.raises(ConstantVolume, match="finite"):
        reader.read(reader.plan(series.headers(), None), map(part10, datasets))


def test_large_codestreams_are_exact() -> None:
    assert_exact(make_series(shape=(3, 130, 150), transfer_syntax=JPEG2000Lossless))
